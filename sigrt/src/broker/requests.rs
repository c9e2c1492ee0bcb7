// SPDX-License-Identifier: MIT OR Apache-2.0

//! What each request does: the device's operations on the broker's state, with the module's errnos.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use rtnotify_core::abi;
use rtnotify_core::plain::Layout;

use super::bulk::MOST;
use super::link::{Parked, Poller, Reply, Request};
use super::protocol::{
    self, CLOSE, HELLO, Head, INLINE, MAP, POLL, POLLABLE, PREAD, READ, READABLE, WRITABLE, WRITE,
    bytes_of, structure,
};
use super::remote::Remote;
use super::server::{Server, end_agent};
use crate::loopback::bell::Bell;
use crate::loopback::registration::{NewLane, Registration, cost};

/// Sources that one reply lists at most.
pub(super) const PAGE: usize = 512;
const _: () = assert!(PAGE * abi::SourceInfo::BYTES + abi::ListSources::BYTES <= INLINE);

/// What becomes of a request.
pub(super) enum Handled {
    /// It is done.
    Reply(Reply),
    /// It is done, and the client with it.
    Last(Reply),
    /// It waits for something to happen.
    Wait(Parked),
    /// No client of this version sends such a thing.
    Violation(Head),
}

/// Whether a request may bring memory for its result.
pub(super) fn takes_bulk(what: u32) -> bool {
    matches!(what, READ | PREAD | MAP)
}

/// Whether a client that polls takes what it was told before such a request: what can leave nothing to read.
pub(super) fn takes_told(what: u32) -> bool {
    matches!(
        what,
        READ | PREAD | abi::IOC_REGISTER | abi::IOC_UNREGISTER | abi::IOC_UNSUBSCRIBE
    )
}

/// What a request may do, and whether it waits.
#[derive(Clone, Copy)]
struct Rights {
    reads: bool,
    writes: bool,
    blocks: bool,
}

impl Server {
    fn rights(&self, client: u64) -> Rights {
        let access = self.links.get(&client).and_then(|link| link.access);
        Rights {
            reads: access.is_some_and(|(access, _)| access.reads()),
            writes: access.is_some_and(|(access, _)| access.writes()),
            blocks: access.is_some_and(|(_, blocks)| blocks),
        }
    }

    fn uid(&self, client: u64) -> u32 {
        self.links.get(&client).map_or(u32::MAX, |l| l.peer.uid)
    }

    /// Does what a request asks for.
    pub(super) fn handle(&mut self, client: u64, request: Request) -> Handled {
        let head = request.head;
        let body = &request.body;
        if takes_told(head.what)
            && let Some(poller) = self.links.get_mut(&client).and_then(|l| l.poller.as_mut())
        {
            poller.taken();
        }
        let result = match head.what {
            HELLO => return self.greet(client, &head),
            CLOSE => {
                if let Some(agent) = self.links.get(&client).and_then(|l| l.agent.as_ref()) {
                    end_agent(agent);
                }
                return Handled::Last(Reply::new(&head, Ok((0, 0))));
            }
            READ | POLL | WRITE => {
                let deadline = (head.what == POLL && head.a != u64::MAX)
                    .then(|| Instant::now().checked_add(Duration::from_nanos(head.a)))
                    .flatten();
                if head.what == WRITE
                    && let Err(errno) = self
                        .may_write(client)
                        .and_then(|()| self.state.check_write(body))
                {
                    return Handled::Reply(Reply::new(&head, Err(errno)));
                }
                let mut parked = Parked {
                    request,
                    deadline,
                    tried: false,
                    taken: 0,
                    bytes: 0,
                };
                return match self.try_again(client, &mut parked) {
                    Some(reply) => Handled::Reply(reply),
                    None => Handled::Wait(parked),
                };
            }
            POLLABLE if !body.is_empty() => return Handled::Violation(head),
            POLLABLE => {
                let mut reply = Reply::new(&head, Ok((0, 0)));
                match self.pollable(client) {
                    Ok(theirs) => reply.descriptor = Some(theirs),
                    Err(errno) => reply = Reply::new(&head, Err(errno)),
                }
                return Handled::Reply(reply);
            }
            PREAD => return Handled::Reply(self.pread(client, &request)),
            MAP => return Handled::Reply(self.map(client, &request)),
            abi::IOC_REGISTER => match self.register(client, body) {
                Ok((registered, agent)) => {
                    let mut reply = Reply::with(&head, Ok(&bytes_of(&registered)), None);
                    reply.descriptor = Some(agent);
                    return Handled::Reply(reply);
                }
                Err(errno) => Err(errno),
            },
            abi::IOC_UNREGISTER => self.unregister(client, body),
            abi::IOC_SUBSCRIBE => self.with(body, |server, request: &mut abi::Subscribe| {
                server.state.subscribe(client, request)
            }),
            abi::IOC_UNSUBSCRIBE => self.with(body, |server, request: &mut abi::Unsubscribe| {
                zero(request.flags | request.reserved)?;
                server.state.unsubscribe(client, request.source)
            }),
            abi::IOC_LIST_SOURCES => self.list(body),
            abi::IOC_CREATE_SOURCE => self.with(body, |server, request| {
                server.create_source(client, request)
            }),
            abi::IOC_DESTROY_SOURCE => {
                self.with(body, |server, request: &mut abi::DestroySource| {
                    zero(request.flags | request.reserved)?;
                    server.state.destroy_source(client, request.number)?;
                    let uid = server.uid(client);
                    server.peers.remove_sources(uid, 1);
                    if let Some(link) = server.links.get_mut(&client) {
                        link.sources -= 1;
                    }
                    Ok(())
                })
            }
            abi::IOC_STATS => self.with(body, |server, request: &mut abi::Stats| {
                zero(request.flags)?;
                *request = server.state.stats(client)?;
                Ok(())
            }),
            abi::IOC_ADD_LANE => {
                self.with(body, |server, request| server.add_lane(client, request))
            }
            abi::IOC_SET_MODE => self.with(body, |server, request: &mut abi::SetMode| {
                server.state.registration(client)?.set_mode(request)
            }),
            abi::IOC_ARM => self.with(body, |server, request: &mut abi::Arm| {
                server.state.registration(client)?.arm(request)
            }),
            abi::IOC_CALL => self.with(body, |server, request: &mut abi::Call| {
                server.may_write(client)?;
                Err(server.state.call(request.source))
            }),
            abi::IOC_STREAM_GAP => self.with(body, |server, request: &mut abi::StreamGap| {
                zero(request.flags)?;
                *request = server.state.registration(client)?.stream_gap()?;
                Ok(())
            }),
            _ => return Handled::Violation(head),
        };
        let bytes = result.as_deref().map_err(|&errno| errno);
        Handled::Reply(Reply::with(&head, bytes, None))
    }

    /// Does an operation on a structure, which is written back.
    fn with<T: Layout>(
        &mut self,
        body: &[u8],
        operation: impl FnOnce(&mut Self, &mut T) -> Result<(), Errno>,
    ) -> Result<Vec<u8>, Errno> {
        let mut request = structure(body)?;
        operation(self, &mut request)?;
        Ok(bytes_of(&request))
    }

    fn may_write(&self, client: u64) -> Result<(), Errno> {
        self.rights(client).writes.then_some(()).ok_or(Errno::EBADF)
    }

    fn greet(&mut self, client: u64, head: &Head) -> Handled {
        let access = protocol::access_from_word(head.word);
        if head.a != protocol::MAGIC || head.b != protocol::VERSION || head.len != 0 {
            return Handled::Violation(*head);
        }
        match (access, self.links.get_mut(&client)) {
            (Some(access), Some(link)) => {
                link.access = Some(access);
                Handled::Reply(Reply::new(head, Ok((client, protocol::VERSION))))
            }
            _ => Handled::Violation(*head),
        }
    }

    /// Makes what a client polls, anew if it has one.
    fn pollable(&mut self, client: u64) -> Result<OwnedFd, Errno> {
        let link = self.links.get_mut(&client).ok_or(Errno::ENODEV)?;
        let (ours, theirs) = Poller::new()?;
        let former = link.poller.replace(ours);
        self.pollers.insert(client);
        if let Some(former) = former {
            self.part_with(client, former.into_socket());
        }
        Ok(theirs)
    }

    fn register(&mut self, client: u64, body: &[u8]) -> Result<(abi::Register, OwnedFd), Errno> {
        let mut request: abi::Register = structure(body)?;
        if !self.rights(client).reads {
            return Err(Errno::EBADF);
        }
        self.state.check_unregistered(client)?;
        let (uid, bytes) = (self.uid(client), cost(&request));
        self.peers.add_bytes(uid, bytes)?;
        let done = self.try_register(client, &mut request);
        match (&done, self.links.get_mut(&client)) {
            (Ok(_), Some(link)) => link.bytes = bytes,
            _ => self.peers.remove_bytes(uid, bytes),
        }
        done.map(|agent| (request, agent))
    }

    fn try_register(&mut self, client: u64, request: &mut abi::Register) -> Result<OwnedFd, Errno> {
        let registration = Registration::new(request, |_| {
            let desk = Arc::clone(&self.desk);
            Ok(Bell::There(Remote::new(client, 0, desk)))
        })?;
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        self.watch_agent(client, ours.as_fd())?;
        self.state.register(client, registration)?;
        if let Some(link) = self.links.get_mut(&client) {
            link.agent = Some(ours);
            link.late = false;
        }
        Ok(theirs)
    }

    fn unregister(&mut self, client: u64, body: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut request: abi::Unregister = structure(body)?;
        zero(request.flags)?;
        request.discarded = self.state.unregister(client)?;
        if let Some(link) = self.links.get_mut(&client) {
            let agent = link.agent.take();
            self.peers
                .remove_bytes(link.peer.uid, std::mem::take(&mut link.bytes));
            if let Some(agent) = agent {
                end_agent(&agent);
                self.part_with(client, agent);
            }
        }
        Ok(bytes_of(&request))
    }

    fn add_lane(&mut self, client: u64, request: &mut abi::Lane) -> Result<(), Errno> {
        if !self.rights(client).reads {
            return Err(Errno::EBADF);
        }
        let desk = Arc::clone(&self.desk);
        let registration = self.state.registration(client)?;
        let index = registration.lanes();
        let lane = NewLane::new(request, |_| {
            Ok(Bell::There(Remote::new(client, index, desk)))
        })?;
        registration.add_lane(lane)
    }

    fn list(&mut self, body: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut request: abi::ListSources = structure(body)?;
        zero(request.flags)?;
        if request.reserved != [0; 2] || request.entries != 0 {
            return Err(Errno::EINVAL);
        }
        let mut page = vec![abi::SourceInfo::zeroed(); PAGE.min(request.capacity as usize)];
        let (count, total) = self.state.list_sources(request.first, &mut page);
        (request.count, request.total) = (count as u32, total as u32);
        let mut bytes = bytes_of(&request);
        for entry in &page[..count] {
            bytes.extend(entry.to_bytes());
        }
        Ok(bytes)
    }

    fn create_source(&mut self, client: u64, request: &mut abi::CreateSource) -> Result<(), Errno> {
        self.may_write(client)?;
        let timer = self.state.check_source(request)?;
        let uid = self.uid(client);
        self.peers.add_source(uid)?;
        self.state.create_source(client, request, timer);
        if let Some(link) = self.links.get_mut(&client) {
            link.sources += 1;
        }
        Ok(())
    }

    /// How many bytes the result may have.
    fn room(request: &Request, len: u64) -> usize {
        let most = request.bulk.as_ref().map_or(INLINE, super::bulk::Bulk::len);
        usize::try_from(len).unwrap_or(usize::MAX).min(most)
    }

    fn scratch(&mut self, len: usize) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.len() < len {
            scratch.resize(len.min(MOST), 0);
        }
        scratch
    }

    fn pread(&mut self, client: u64, request: &Request) -> Reply {
        if !self.rights(client).reads {
            return Reply::new(&request.head, Err(Errno::EBADF));
        }
        let len = Self::room(request, request.head.b);
        let mut scratch = self.scratch(len);
        let got = self
            .state
            .registration(client)
            .and_then(|r| r.pread(&mut scratch[..len], request.head.a));
        let bytes = got.map(|got| &scratch[..got]);
        let reply = Reply::with(&request.head, bytes, request.bulk.as_ref());
        self.scratch = scratch;
        reply
    }

    fn map(&mut self, client: u64, request: &Request) -> Reply {
        let Head {
            a: handle, b: len, ..
        } = request.head;
        let bytes = if !self.rights(client).reads {
            Err(Errno::EACCES)
        } else if len as usize > Self::room(request, len) {
            Err(Errno::EINVAL)
        } else {
            self.state
                .registration(client)
                .and_then(|r| r.map(handle, len as usize))
        };
        let bytes = bytes.as_deref().map_err(|&errno| errno);
        Reply::with(&request.head, bytes, request.bulk.as_ref())
    }

    /// Does what a request that can wait asks for; `None`: it has to wait.
    pub(super) fn try_again(&mut self, client: u64, parked: &mut Parked) -> Option<Reply> {
        let head = parked.request.head;
        let rights = self.rights(client);
        match head.what {
            READ => {
                // Trying is counted, so it is done only when it can tell something new.
                let tried = std::mem::replace(&mut parked.tried, true);
                let waits = |r: &mut Registration| !r.is_readable();
                if tried && self.state.registration(client).is_ok_and(waits) {
                    return None;
                }
                self.read(client, &parked.request, rights)
            }
            POLL => {
                let readable = rights.reads && self.state.is_readable(client);
                let late = parked.deadline.is_some_and(|at| at <= Instant::now());
                (readable || late).then(|| {
                    let readable = if readable { READABLE } else { 0 };
                    let writable = if rights.writes { WRITABLE } else { 0 };
                    Reply::new(&head, Ok((readable | writable, 0)))
                })
            }
            _ => {
                let body = &parked.request.body;
                let error = match self.state.write(body, &mut parked.taken) {
                    Ok(true) => return Some(Reply::new(&head, Ok((body.len() as u64, 0)))),
                    Ok(false) if rights.blocks => return None,
                    Ok(false) => Errno::EAGAIN,
                    Err(errno) => errno,
                };
                let taken = parked.taken as u64;
                let result = if taken > 0 {
                    Ok((taken, 0))
                } else {
                    Err(error)
                };
                Some(Reply::new(&head, result))
            }
        }
    }

    fn read(&mut self, client: u64, request: &Request, rights: Rights) -> Option<Reply> {
        let head = request.head;
        if !rights.reads {
            return Some(Reply::new(&head, Err(Errno::EBADF)));
        }
        let Ok(signo) = u32::try_from(head.a) else {
            return Some(Reply::new(&head, Err(Errno::ENOENT)));
        };
        let len = Self::room(request, head.b);
        let mut scratch = self.scratch(len);
        let got = self
            .state
            .registration(client)
            .and_then(|r| r.read(&mut scratch[..len], signo));
        let reply = match got {
            Err(Errno::EAGAIN) if rights.blocks => None,
            got => {
                let bytes = got.map(|got| &scratch[..got]);
                Some(Reply::with(&head, bytes, request.bulk.as_ref()))
            }
        };
        self.scratch = scratch;
        reply
    }
}

/// Flags and reserved fields that must be 0.
fn zero(word: u32) -> Result<(), Errno> {
    (word == 0).then_some(()).ok_or(Errno::EINVAL)
}
