// SPDX-License-Identifier: MIT OR Apache-2.0

//! The broker's end of one connection.

use std::io::IoSlice;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};

use super::bulk::Bulk;
use super::peers::Peer;
use super::protocol::{HEAD, Head, INLINE};
use crate::client::Access;
use crate::sys;

/// Requests of one client that wait at once.
pub(super) const MOST_PARKED: usize = 16;

/// A request that came.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: Head,
    /// What followed the head, or lay in the memfd of a `write`.
    pub(super) body: Vec<u8>,
    /// Where a long result goes.
    pub(super) bulk: Option<Bulk>,
}

/// A reply on its way.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) head: Head,
    /// What follows the head.
    pub(super) body: Vec<u8>,
    pub(super) descriptor: Option<OwnedFd>,
}

impl Reply {
    /// One without anything behind the head.
    pub(super) fn new(request: &Head, result: Result<(u64, u64), Errno>) -> Self {
        let (word, (a, b)) = match result {
            Ok(results) => (0, results),
            Err(errno) => (errno as i32 as u32, (0, 0)),
        };
        Self {
            head: Head {
                what: request.what,
                id: request.id,
                word,
                len: 0,
                a,
                b,
            },
            body: Vec::new(),
            descriptor: None,
        }
    }

    /// One with bytes, which go into `bulk` where they are too long for a message.
    pub(super) fn with(request: &Head, bytes: Result<&[u8], Errno>, bulk: Option<&Bulk>) -> Self {
        let result = bytes.and_then(|bytes| match bulk {
            _ if bytes.len() <= INLINE => Ok((bytes.len(), bytes.to_vec())),
            Some(bulk) => bulk.put(bytes).map(|()| (bytes.len(), Vec::new())),
            None => Err(Errno::EMSGSIZE),
        });
        match result {
            Ok((len, body)) => {
                let mut reply = Self::new(request, Ok((0, 0)));
                reply.head.len = len as u32;
                reply.body = body;
                reply
            }
            Err(errno) => Self::new(request, Err(errno)),
        }
    }
}

/// A request that waits for something to happen.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) request: Request,
    /// `poll`: when it is answered anyway.
    pub(super) deadline: Option<Instant>,
    /// It has been tried once.
    pub(super) tried: bool,
    /// `write`: bytes that have been posted.
    pub(super) taken: usize,
    /// Bytes that count against the user's.
    pub(super) bytes: u64,
}

/// A reply that waits until doorbells have been rung.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) reply: Reply,
    /// Clients whose agents owe an answer.
    pub(super) agents: Vec<u64>,
    /// When it is sent anyway.
    pub(super) deadline: Instant,
}

/// What a client polls, seen from here: a byte lies in it while there is something to read.
///
/// The client takes it out before each request that reads, and each has it put in again if there is still something. So
/// nothing of the client's is read here, and nothing that it does with its end can make the broker wait.
#[derive(Debug)]
pub(super) struct Poller {
    socket: OwnedFd,
    told: bool,
}

impl Poller {
    /// Both ends: this, and the client's.
    pub(super) fn new() -> Result<(Self, OwnedFd), Errno> {
        let (socket, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::Stream,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        Ok((
            Self {
                socket,
                told: false,
            },
            theirs,
        ))
    }

    /// The client has taken out what lay there.
    pub(super) fn taken(&mut self) {
        self.told = false;
    }

    /// Whether something has been put there since.
    pub(super) fn is_told(&self) -> bool {
        self.told
    }

    /// Makes it readable.
    pub(super) fn tell(&mut self) {
        // One that is full is readable; one that is closed is of no use to its client any more.
        sys::send_message(self.socket.as_fd(), &[IoSlice::new(&[1])], None, false).ok();
        self.told = true;
    }

    /// Its descriptor, to be closed.
    pub(super) fn into_socket(self) -> OwnedFd {
        self.socket
    }
}

/// Shuts a socket down; returns whether nothing lies in it that may be slow to close.
pub(super) fn shut(socket: &OwnedFd, how: Shutdown) -> bool {
    // It fails when the other end has gone.
    shutdown(socket.as_raw_fd(), how).ok();
    sys::is_spent(socket.as_fd())
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: OwnedFd,
    pub(super) peer: Peer,
    /// Readable when the process that connected has exited; open as long as the loop watches it.
    _process: Option<OwnedFd>,
    /// After the hello: what it may do, and whether it waits.
    pub(super) access: Option<(Access, bool)>,
    /// The broker's end of the agent's socket.
    pub(super) agent: Option<OwnedFd>,
    /// For a client that polls.
    pub(super) poller: Option<Poller>,
    /// What is not wanted and may be slow to close; it ends with the connection, and that ends at once.
    pub(super) strays: Vec<OwnedFd>,
    /// The agent has once been slower than producers of its user wait for it, and has not caught up since.
    pub(super) late: bool,
    /// Bytes that its registration counts for.
    pub(super) bytes: u64,
    /// Sources that it has been charged for.
    pub(super) sources: usize,
    pub(super) parked: Vec<Parked>,
    pub(super) owed: Option<Owed>,
    /// Replies that the socket had no room for.
    pub(super) outbox: Vec<Reply>,
    /// Whether the loop is told of requests.
    pub(super) listens: bool,
    /// Whether the loop is told of room for replies.
    pub(super) flushes: bool,
}

impl Link {
    pub(super) fn new(socket: OwnedFd, peer: Peer, process: Option<OwnedFd>) -> Self {
        Self {
            socket,
            peer,
            _process: process,
            access: None,
            agent: None,
            poller: None,
            strays: Vec::new(),
            late: false,
            bytes: 0,
            sources: 0,
            parked: Vec::new(),
            owed: None,
            outbox: Vec::new(),
            listens: true,
            flushes: false,
        }
    }

    /// Has the client's ends find this closed, but keeps what has been sent to them; returns whether nothing lies here
    /// that may be slow to close.
    pub(super) fn shut(&self, how: Shutdown) -> bool {
        let poller = self.poller.as_ref().map(|poller| &poller.socket);
        let sockets = [Some(&self.socket), self.agent.as_ref(), poller];
        let mut spent = self.strays.is_empty();
        for socket in sockets.into_iter().flatten() {
            spent &= shut(socket, how);
        }
        spent
    }

    /// All that may be slow to close.
    pub(super) fn into_remains(self) -> Vec<OwnedFd> {
        let mut all = self.strays;
        all.push(self.socket);
        all.extend(self.agent);
        all.extend(self.poller.map(Poller::into_socket));
        all
    }

    /// Sends a reply, or keeps it until there is room: no other request of this client is served before that, so no
    /// more than one of them, and those of the parked ones, ever lie here.
    ///
    /// # Errors
    ///
    /// The connection is of no use any more.
    pub(super) fn send(&mut self, reply: Reply) -> Result<(), Errno> {
        self.outbox.push(reply);
        self.flush()
    }

    /// Sends what there is room for.
    pub(super) fn flush(&mut self) -> Result<(), Errno> {
        while let Some(reply) = self.outbox.first() {
            let head: [u8; HEAD] = reply.head.to_bytes();
            let parts = [IoSlice::new(&head), IoSlice::new(&reply.body)];
            let descriptor = reply.descriptor.as_ref().map(|fd| fd.as_fd());
            match sys::send_message(self.socket.as_fd(), &parts, descriptor, false) {
                Ok(()) => drop(self.outbox.remove(0)),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}
