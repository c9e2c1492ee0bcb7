// SPDX-License-Identifier: MIT OR Apache-2.0

//! The broker's one thread: it waits for sockets, timers and exits, and does one thing after another.
//!
//! Nothing here blocks but `epoll_wait`, and nothing is kept without a bound: a connection has one request in hand,
//! [`MOST_PARKED`] that wait, and is not read from while it has a reply to take, an answer to wait for, or an agent that
//! owes one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{MsgFlags, Shutdown, recv};
use nix::sys::time::TimeSpec;

use super::bulk::{Bulk, MOST};
use super::closer::{Closer, Owner, Remains};
use super::link::{Link, MOST_PARKED, Owed, Parked, Reply, Request, shut};
use super::listen::Listener;
use super::peers::{Limits, Peers};
use super::protocol::{self, HELLO, Head, INLINE, MESSAGE, NOTE, WRITE};
use super::remote::{SharedDesk, Task};
use super::requests::Handled;
use crate::loopback::state::{State, now};
use crate::sys::{self, Waiting};

/// How long a producer's reply waits for agents of its own user.
const AGENT_PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection may say nothing at first.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);
/// How long nobody is let in after descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that were not let in and are not closed yet, before nobody else is let in.
const MOST_REFUSED: usize = 1024;
/// Stands for users that are not known, or are not let in.
const NOBODY: u32 = u32::MAX;
/// Messages of one connection, or connections, that are taken before the others have their turn.
const TURN: usize = 16;

/// What a descriptor is; the rest of the number is the link's.
const LISTENER: u64 = 0;
const STOP: u64 = 1;
const CLIENT: u64 = 2;
const AGENT: u64 = 3;
const PROCESS: u64 = 4;
const CLOSED: u64 = 5;
const ROLES: u64 = 8;

/// The device without the module, for several processes.
///
/// # Examples
///
/// ```
/// use sigrt::broker::{Limits, Server, Stopper};
/// use sigrt::{Device, SourceOptions};
///
/// let directory = std::env::temp_dir().join(format!("rtnotify-doc-{}", std::process::id()));
/// std::fs::create_dir_all(&directory)?;
/// let path = directory.join("socket");
/// let mut server = Server::bind(&path, 0o600, Limits::default())?;
/// let stopper: Stopper = server.stopper();
/// let serving = std::thread::spawn(move || server.run());
///
/// // In this process or another:
/// let device = Device::connect(&path)?;
/// let door = device.create_source(SourceOptions::new("door"))?;
/// let subscription = device.subscription().subscribe("door").start()?;
/// door.post(Some(1), b"open")?;
/// assert_eq!(subscription.recv()?.event().unwrap().payload, "open");
///
/// drop((subscription, door, device));
/// stopper.stop();
/// serving.join().unwrap()?;
/// assert!(!path.exists());
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    epoll: Epoll,
    stop: Arc<EventFd>,
    pub(super) state: State,
    pub(super) peers: Peers,
    pub(super) desk: SharedDesk,
    pub(super) links: BTreeMap<u64, Link>,
    /// Connections that have not said hello, oldest first.
    silent: VecDeque<(Instant, u64)>,
    /// Connections of clients that poll.
    pub(super) pollers: BTreeSet<u64>,
    /// Connections with parked requests.
    parked: BTreeSet<u64>,
    /// Connections with an owed reply.
    owing: BTreeSet<u64>,
    /// Connections that may have more to be served.
    ready: VecDeque<u64>,
    /// Connections that are to end.
    doomed: Vec<u64>,
    /// What closes what may be slow to close.
    closer: Closer,
    /// Connections without a place that it has.
    refused: usize,
    /// Until when nobody is let in.
    full: Option<Instant>,
    /// A message.
    buffer: Vec<u8>,
    /// A long result.
    pub(super) scratch: Vec<u8>,
}

/// Ends a [`Server`] from elsewhere.
///
/// # Examples
///
/// See [`Server`].
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: Arc<EventFd>,
}

impl Stopper {
    /// Has [`Server::run`] return soon.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub fn stop(&self) {
        // It can only fail when the counter is full, and then it stops already.
        self.stop.write(1).ok();
    }
}

fn token(link: u64, role: u64) -> u64 {
    link * ROLES + role
}

impl Server {
    /// A broker on a socket file of its own, with that mode (who may write, may connect). A file that another has left
    /// behind is replaced; it is removed in the end. Beside it lies a lock, `.lock`, which stays.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`]: another broker serves it. [`io::ErrorKind::AlreadyExists`]: what is there is no
    /// socket. What the system says.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub fn bind(path: impl AsRef<Path>, mode: u32, limits: Limits) -> io::Result<Self> {
        Self::new(Listener::bind(path.as_ref(), mode)?, limits)
    }

    /// A broker on the socket that systemd has passed to this process (`ListenSequentialPacket=`); `None` if it has
    /// passed none. To be called once.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`]: more than one, or none that fits. What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::broker::{Limits, Server};
    ///
    /// let server = match Server::inherited(Limits::default())? {
    ///     Some(server) => Some(server),
    ///     // Not started by systemd: `Server::bind` a file.
    ///     None => None,
    /// };
    /// assert_eq!(server.is_some(), std::env::var_os("LISTEN_FDS").is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn inherited(limits: Limits) -> io::Result<Option<Self>> {
        Listener::inherited()?
            .map(|listener| Self::new(listener, limits))
            .transpose()
    }

    fn new(listener: Listener, limits: Limits) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let stop = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let event = |role| EpollEvent::new(EpollFlags::EPOLLIN, token(0, role));
        epoll.add(&listener.socket, event(LISTENER))?;
        epoll.add(stop.as_fd(), event(STOP))?;
        let closer = Closer::new()?;
        epoll.add(closer.bell(), event(CLOSED))?;
        Ok(Self {
            listener,
            epoll,
            stop,
            state: State::new(),
            peers: Peers::new(limits),
            desk: SharedDesk::default(),
            links: BTreeMap::new(),
            silent: VecDeque::new(),
            pollers: BTreeSet::new(),
            parked: BTreeSet::new(),
            owing: BTreeSet::new(),
            ready: VecDeque::new(),
            doomed: Vec::new(),
            closer,
            refused: 0,
            full: None,
            buffer: vec![0; MESSAGE],
            scratch: Vec::new(),
        })
    }

    /// What ends it.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper {
            stop: Arc::clone(&self.stop),
        }
    }

    /// Serves until it is stopped. Clients that are still there find that the broker is gone.
    ///
    /// # Errors
    ///
    /// What the system says of the broker's own descriptors; nothing that a client does.
    ///
    /// # Examples
    ///
    /// See [`Server`].
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); 64];
        loop {
            let wait = self.settle();
            let timeout = match wait {
                None => EpollTimeout::NONE,
                Some(Duration::ZERO) => EpollTimeout::ZERO,
                Some(wait) => {
                    // Finer than epoll's own.
                    let mut fds = [PollFd::new(self.epoll.0.as_fd(), PollFlags::POLLIN)];
                    nix::poll::ppoll(&mut fds, Some(TimeSpec::from_duration(wait)), None).ok();
                    EpollTimeout::ZERO
                }
            };
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(errno) => return Err(errno.into()),
            };
            for event in &events[..count] {
                let (link, role) = (event.data() / ROLES, event.data() % ROLES);
                let flags = event.events();
                match role {
                    LISTENER => self.accept(),
                    STOP => return Ok(()),
                    CLIENT => self.on_client(link, flags),
                    AGENT => self.on_agent(link),
                    PROCESS => self.doomed.push(link),
                    CLOSED => self.on_closed(),
                    _ => {}
                }
            }
        }
    }

    /// Does all that can be done without waiting; returns how long there is nothing then, `None`: for ever.
    fn settle(&mut self) -> Option<Duration> {
        loop {
            let timer = self.state.run_timers(now());
            drop(self.send_orders());
            let mut busy = self.end_doomed();
            for _ in 0..self.ready.len() {
                if let Some(link) = self.ready.pop_front() {
                    self.receive(link);
                }
            }
            busy |= self.serve_parked();
            let next = self.expire();
            if busy || !self.doomed.is_empty() {
                continue;
            }
            self.tell_pollers();
            if !self.ready.is_empty() {
                // Each has had a turn: the others' sockets are looked at before the next.
                return Some(Duration::ZERO);
            }
            let timer = timer.map(|at| Duration::from_nanos(at.saturating_sub(now())));
            let next = next.map(|at| at.saturating_duration_since(Instant::now()));
            return timer.into_iter().chain(next).min();
        }
    }

    /// Lets in who waits.
    fn accept(&mut self) {
        for _ in 0..TURN {
            if self.refused >= MOST_REFUSED {
                return self.pause();
            }
            match sys::accept(self.listener.socket.as_fd()) {
                Ok(socket) => self.let_in(socket),
                Err(Errno::EINTR | Errno::ECONNABORTED) => {}
                Err(Errno::EAGAIN) => return,
                // No descriptors or no memory: try again when somebody has gone.
                Err(_) => return self.pause(),
            }
        }
    }

    /// Lets in nobody for a moment.
    fn pause(&mut self) {
        self.full = Some(Instant::now() + ACCEPT_PAUSE);
        self.epoll.delete(&self.listener.socket).ok();
    }

    fn let_in(&mut self, socket: OwnedFd) {
        let peer = match self.listener.admission.check(&socket) {
            Ok(peer) => peer,
            Err(errno) => {
                refuse(&socket, errno);
                return self.turn_away(socket, NOBODY, false);
            }
        };
        if let Err(errno) = self.peers.add_client(peer.uid) {
            refuse(&socket, errno);
            return self.turn_away(socket, peer.uid, false);
        }
        // A process that has exited by now has nothing to say; one of another namespace is known by its socket alone.
        let process = match peer.pid {
            0 => None,
            pid => match sys::process_descriptor(pid) {
                Ok(process) => Some(process),
                Err(_) => return self.turn_away(socket, peer.uid, true),
            },
        };
        let link = self.state.add_client();
        let event = |role| EpollEvent::new(EpollFlags::EPOLLIN, token(link, role));
        let mut added = self.epoll.add(&socket, event(CLIENT));
        if let Some(process) = &process {
            added = added.and_then(|()| self.epoll.add(process, event(PROCESS)));
        }
        if added.is_err() {
            self.state.remove_client(link);
            refuse(&socket, Errno::EMFILE);
            self.epoll.delete(&socket).ok();
            return self.turn_away(socket, peer.uid, true);
        }
        self.links.insert(link, Link::new(socket, peer, process));
        self.silent
            .push_back((Instant::now() + HELLO_PATIENCE, link));
    }

    /// Ends a connection that is not let in.
    fn turn_away(&mut self, socket: OwnedFd, uid: u32, counted: bool) {
        let owner = Owner { uid, counted };
        if !counted {
            self.refused += 1;
        }
        if shut(&socket, Shutdown::Both) {
            drop(socket);
            return self.give_back(owner);
        }
        self.closer.give(Remains {
            owner,
            descriptors: vec![socket],
        });
    }

    /// The last of a connection has been closed.
    fn give_back(&mut self, owner: Owner) {
        if owner.counted {
            self.peers.remove_client(owner.uid);
        } else {
            self.refused -= 1;
        }
    }

    fn on_closed(&mut self) {
        for owner in self.closer.closed() {
            self.give_back(owner);
        }
    }

    /// Closes a socket that a client had besides its connection. If something lies in it that may be slow to close, which
    /// no client of this version puts there, it goes with the connection, and that ends.
    pub(super) fn part_with(&mut self, number: u64, socket: OwnedFd) {
        // It may not be watched.
        self.epoll.delete(&socket).ok();
        if !shut(&socket, Shutdown::Both)
            && let Some(link) = self.links.get_mut(&number)
        {
            link.strays.push(socket);
            self.doomed.push(number);
        }
    }

    fn on_client(&mut self, number: u64, flags: EpollFlags) {
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        if flags.contains(EpollFlags::EPOLLOUT) && link.flush().is_err() {
            return self.doomed.push(number);
        }
        let hung_up = flags.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        // What it may have asked for last is of no use to one that is gone.
        if hung_up && self.is_busy(number) {
            return self.doomed.push(number);
        }
        self.receive(number);
    }

    /// Whether a connection has to wait with its next request.
    fn is_busy(&mut self, number: u64) -> bool {
        let Some(link) = self.links.get(&number) else {
            return true;
        };
        link.owed.is_some()
            || !link.outbox.is_empty()
            || self.state.registration(number).is_ok_and(|r| r.is_owed())
    }

    /// Serves one request of a connection, if it may have one now.
    fn receive(&mut self, number: u64) {
        if self.is_busy(number) {
            return self.listen(number);
        }
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        // What brings descriptors stays there until they have been found to be what they should be.
        let socket = link.socket.as_fd();
        let looked = sys::look(socket).and_then(|waiting| {
            let keep = waiting == Waiting::Descriptors;
            sys::receive_message(socket, &mut self.buffer, false, keep).map(|got| (got, keep))
        });
        let (received, kept) = match looked {
            Err(Errno::EAGAIN | Errno::EINTR) => return self.listen(number),
            Err(_) => return self.doomed.push(number),
            Ok((received, false)) if received.len == 0 => return self.doomed.push(number),
            Ok(looked) => looked,
        };
        let request = match parse(received, &self.buffer) {
            Ok(request) => request,
            Err((head, strays)) => {
                link.strays.extend(strays);
                return self.expel(number, &head);
            }
        };
        if kept {
            sys::take(socket);
        }
        let greets = request.head.what == HELLO;
        if link.access.is_none() != greets {
            return self.expel(number, &request.head);
        }
        match self.handle(number, request) {
            Handled::Reply(reply) => self.reply(number, reply),
            Handled::Last(reply) => {
                self.end(number, Some(reply));
            }
            Handled::Wait(parked) => self.park(number, parked),
            Handled::Violation(head) => self.expel(number, &head),
        }
        // A connection that is listened to anyway stays so: while it is busy it has nothing to say as a rule.
        let link = self.links.get(&number);
        if link.is_some_and(|link| !link.listens || link.flushes == link.outbox.is_empty()) {
            self.listen(number);
        }
    }

    /// Ends a connection that does not keep to the protocol, and says so.
    fn expel(&mut self, number: u64, head: &Head) {
        if let Some(link) = self.links.get_mut(&number) {
            link.send(Reply::new(head, Err(Errno::EPROTO))).ok();
        }
        self.doomed.push(number);
    }

    /// Has the loop tell of what this connection waits for, and of nothing else.
    fn listen(&mut self, number: u64) {
        let busy = self.is_busy(number);
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        let flushes = !link.outbox.is_empty();
        let listens = !busy;
        if (link.listens, link.flushes) == (listens, flushes) {
            return;
        }
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, listens);
        flags.set(EpollFlags::EPOLLOUT, flushes);
        let mut event = EpollEvent::new(flags, token(number, CLIENT));
        match self.epoll.modify(&link.socket, &mut event) {
            Ok(()) => (link.listens, link.flushes) = (listens, flushes),
            Err(_) => self.doomed.push(number),
        }
    }

    /// Keeps a request until it can be done.
    fn park(&mut self, number: u64, mut parked: Parked) {
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        let head = parked.request.head;
        if link.parked.len() >= MOST_PARKED {
            return self.reply(number, Reply::new(&head, Err(Errno::EBUSY)));
        }
        parked.bytes = parked.request.body.len() as u64;
        match self.peers.add_bytes(link.peer.uid, parked.bytes) {
            Ok(()) => {
                link.parked.push(parked);
                self.parked.insert(number);
                // What it has posted before it had to wait.
                drop(self.send_orders());
            }
            Err(errno) => self.reply(number, Reply::new(&head, Err(errno))),
        }
    }

    /// Replies when the doorbells that the request has caused have been rung; see [`AGENT_PATIENCE`].
    fn reply(&mut self, number: u64, reply: Reply) {
        self.tell_pollers();
        let mut agents = self.send_orders();
        let Some(uid) = self.links.get(&number).map(|link| link.peer.uid) else {
            return;
        };
        agents.sort_unstable();
        agents.dedup();
        agents.retain(|agent| {
            let waits = self
                .links
                .get(agent)
                .is_some_and(|link| link.peer.uid == uid && !link.late);
            waits && self.state.registration(*agent).is_ok_and(|r| r.is_owed())
        });
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        if agents.is_empty() {
            if link.send(reply).is_err() {
                self.doomed.push(number);
            } else if !link.outbox.is_empty() {
                self.ready.push_back(number);
            }
            return;
        }
        link.owed = Some(Owed {
            reply,
            agents,
            deadline: Instant::now() + AGENT_PATIENCE,
        });
        self.owing.insert(number);
    }

    /// Tells clients that poll and have something to read.
    fn tell_pollers(&mut self) {
        for number in &self.pollers {
            let poller = self.links.get_mut(number).and_then(|l| l.poller.as_mut());
            if let Some(poller) = poller.filter(|poller| !poller.is_told())
                && self.state.would_not_wait(*number)
            {
                poller.tell();
            }
        }
    }

    /// Sends what agents have been asked meanwhile; returns whose bells were wanted.
    fn send_orders(&mut self) -> Vec<u64> {
        let (orders, wanted) = {
            let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
            if desk.wanted.is_empty() {
                return Vec::new();
            }
            (
                std::mem::take(&mut desk.orders),
                std::mem::take(&mut desk.wanted),
            )
        };
        for order in orders {
            let agent = self.links.get(&order.client).and_then(|l| l.agent.as_ref());
            // One that has gone is noticed at its own socket.
            if let Some(agent) = agent
                && send_order(agent.as_fd(), order.lane, order.task).is_err()
            {
                self.doomed.push(order.client);
            }
        }
        wanted
    }

    /// Takes what an agent says.
    fn on_agent(&mut self, number: u64) {
        let Some(agent) = self.links.get(&number).and_then(|l| l.agent.as_ref()) else {
            return;
        };
        let mut bytes = [0; NOTE + 1];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let got = sys::look(agent.as_fd()).and_then(|waiting| match waiting {
            // They stay there; what could not be received is no answer.
            Waiting::Descriptors => Ok(0),
            _ => recv(agent.as_raw_fd(), &mut bytes, flags),
        });
        let answer = match got {
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            Ok(NOTE) => protocol::answer_from_bytes(&bytes[..NOTE]),
            // A registration without an agent is of no use to anybody.
            _ => None,
        };
        let done = answer.ok_or(Errno::EPROTO).and_then(|answer| {
            let registration = self.state.registration(number)?;
            registration.answered(answer)?;
            Ok(registration.is_owed())
        });
        drop(self.send_orders());
        match done {
            Ok(true) => {}
            Ok(false) => self.caught_up(number),
            Err(_) => self.doomed.push(number),
        }
    }

    /// An agent owes nothing any more: replies that waited for it, and its own client, go on.
    fn caught_up(&mut self, number: u64) {
        if let Some(link) = self.links.get_mut(&number) {
            link.late = false;
            if !link.listens {
                self.ready.push_back(number);
            }
        }
        let mut paid = Vec::new();
        for &debtor in &self.owing {
            let owed = self.links.get_mut(&debtor).and_then(|l| l.owed.as_mut());
            if let Some(owed) = owed {
                owed.agents.retain(|&agent| agent != number);
                if owed.agents.is_empty() {
                    paid.push(debtor);
                }
            }
        }
        for debtor in paid {
            self.pay(debtor);
        }
    }

    /// Sends an owed reply.
    fn pay(&mut self, number: u64) {
        self.owing.remove(&number);
        let Some(link) = self.links.get_mut(&number) else {
            return;
        };
        if let Some(owed) = link.owed.take() {
            if link.send(owed.reply).is_err() {
                self.doomed.push(number);
            } else if !link.listens || !link.outbox.is_empty() {
                self.ready.push_back(number);
            }
        }
    }

    /// Has another look at the requests that wait; returns whether any was done.
    fn serve_parked(&mut self) -> bool {
        let mut any = false;
        for number in self.parked.clone() {
            let mut index = 0;
            while !self.is_busy(number) {
                let Some(link) = self.links.get_mut(&number) else {
                    break;
                };
                if index >= link.parked.len() {
                    break;
                }
                let mut parked = link.parked.remove(index);
                let taken = parked.taken;
                if let Some(reply) = self.try_again(number, &mut parked) {
                    if let Some(link) = self.links.get(&number) {
                        self.peers.remove_bytes(link.peer.uid, parked.bytes);
                    }
                    self.reply(number, reply);
                    any = true;
                } else {
                    any |= parked.taken != taken;
                    if let Some(link) = self.links.get_mut(&number) {
                        link.parked.insert(index, parked);
                    }
                    index += 1;
                }
            }
            if self.links.get(&number).is_none_or(|l| l.parked.is_empty()) {
                self.parked.remove(&number);
            }
        }
        any
    }

    /// Ends what has waited too long; returns when the next does.
    fn expire(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        let mut later = |at: Instant| next = Some(next.map_or(at, |n| n.min(at)));
        while let Some(&(deadline, number)) = self.silent.front() {
            let link = self.links.get(&number);
            if link.is_some_and(|link| link.access.is_none()) {
                if deadline > now {
                    later(deadline);
                    break;
                }
                self.doomed.push(number);
            }
            self.silent.pop_front();
        }
        if let Some(until) = self.full {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, token(0, LISTENER));
            if until > now {
                later(until);
            } else if self.epoll.add(&self.listener.socket, event).is_ok() {
                self.full = None;
            } else {
                self.full = Some(now + ACCEPT_PAUSE);
                later(now + ACCEPT_PAUSE);
            }
        }
        if !self.closer.start() {
            // No thread could be had.
            later(now + ACCEPT_PAUSE);
        }
        for number in self.parked.clone() {
            // Those of a client that has to wait are looked at when it need not any more.
            if !self.is_busy(number)
                && let Some(link) = self.links.get(&number)
            {
                let deadlines = link.parked.iter().filter_map(|p| p.deadline);
                deadlines.for_each(&mut later);
            }
        }
        let mut late = Vec::new();
        for &number in &self.owing {
            match self.links.get(&number).and_then(|l| l.owed.as_ref()) {
                Some(owed) if owed.deadline > now => later(owed.deadline),
                _ => late.push(number),
            }
        }
        for number in late {
            let owed = self.links.get(&number).and_then(|l| l.owed.as_ref());
            let agents = owed.map(|owed| owed.agents.clone()).unwrap_or_default();
            for agent in agents {
                if let Some(link) = self.links.get_mut(&agent) {
                    link.late = true;
                }
            }
            self.pay(number);
        }
        next
    }

    /// Ends connections; returns whether any.
    fn end_doomed(&mut self) -> bool {
        let mut any = false;
        for number in std::mem::take(&mut self.doomed) {
            any |= self.end(number, None);
        }
        any
    }

    /// Takes everything from a client and gives it back, but for its place if what it had may be slow to close; returns
    /// whether there was such a client. Its agent, if it is still there, finds its socket closed.
    fn end(&mut self, number: u64, last: Option<Reply>) -> bool {
        let Some(mut link) = self.links.remove(&number) else {
            return false;
        };
        self.state.remove_client(number);
        let uid = link.peer.uid;
        let waiting: u64 = link.parked.iter().map(|parked| parked.bytes).sum();
        self.peers.remove_bytes(uid, link.bytes + waiting);
        self.peers.remove_sources(uid, link.sources);
        self.pollers.remove(&number);
        self.parked.remove(&number);
        self.owing.remove(&number);
        drop(self.send_orders());
        self.caught_up(number);
        self.epoll.delete(&link.socket).ok();
        if let Some(agent) = &link.agent {
            self.epoll.delete(agent).ok();
        }
        let spent = link.shut(Shutdown::Read);
        if spent {
            self.peers.remove_client(uid);
        }
        // Nothing is left when the client learns of it.
        if let Some(reply) = last {
            link.send(reply).ok();
        }
        if !spent {
            link.shut(Shutdown::Both);
            self.bury(link);
        }
        true
    }

    /// Has all that a client had closed, and its place kept until then.
    fn bury(&self, link: Link) {
        let uid = link.peer.uid;
        self.closer.give(Remains {
            owner: Owner { uid, counted: true },
            descriptors: link.into_remains(),
        });
    }

    /// Has the loop tell of what an agent says.
    pub(super) fn watch_agent(&self, number: u64, agent: BorrowedFd<'_>) -> Result<(), Errno> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, token(number, AGENT));
        self.epoll.add(agent, event)
    }
}

impl Drop for Server {
    /// Does not wait for what is slow to close either: the process may end before it is closed.
    fn drop(&mut self) {
        for link in std::mem::take(&mut self.links).into_values() {
            if !link.shut(Shutdown::Both) {
                self.bury(link);
            }
        }
        // Those who wait to be let in may have sent something already.
        if self.listener.retire() {
            while let Ok(socket) = sys::accept(self.listener.socket.as_fd()) {
                self.turn_away(socket, NOBODY, false);
            }
        }
    }
}

/// Tells an agent that its registration has ended.
pub(super) fn end_agent(agent: &OwnedFd) {
    // One that does not take it has gone.
    send_order(agent.as_fd(), 0, Task::End).ok();
}

fn send_order(agent: BorrowedFd<'_>, lane: u8, task: Task) -> Result<(), Errno> {
    let bytes = protocol::order_to_bytes(lane, task);
    sys::send_message(agent, &[io::IoSlice::new(&bytes)], None, false)
}

/// Says why a connection is not let in.
fn refuse(socket: &OwnedFd, errno: Errno) {
    let head = Head {
        what: HELLO,
        ..Head::default()
    };
    let head = Reply::new(&head, Err(errno)).head.to_bytes();
    sys::send_message(socket.as_fd(), &[io::IoSlice::new(&head)], None, false).ok();
}

/// The request in a message; the head of one that is none, and what that has brought.
fn parse(received: sys::Received, buffer: &[u8]) -> Result<Request, (Head, Vec<OwnedFd>)> {
    let bytes = &buffer[..received.len.min(buffer.len())];
    let mut descriptors = received.descriptors;
    let Some((head, body)) = Head::split(bytes) else {
        return Err((Head::default(), descriptors));
    };
    let len = head.len as usize;
    if received.cut || descriptors.len() > 1 || (head.word != 0 && head.what != HELLO) {
        return Err((head, descriptors));
    }
    let check = |fd, len| Bulk::check(fd, len).map_err(|fd| (head, vec![fd]));
    let mut request = Request {
        head,
        body: body.to_vec(),
        bulk: None,
    };
    match descriptors.pop() {
        None if body.len() == len => {}
        Some(fd) if body.is_empty() && head.what == WRITE && (INLINE + 1..=MOST).contains(&len) => {
            let bulk = check(fd, len)?;
            request.body.resize(len, 0);
            bulk.get(&mut request.body)
                .map_err(|_| (head, Vec::new()))?;
        }
        Some(fd) if body.is_empty() && len == 0 && super::requests::takes_bulk(head.what) => {
            let room = usize::try_from(head.b).unwrap_or(usize::MAX).min(MOST);
            request.bulk = Some(check(fd, room)?);
        }
        stray => return Err((head, stray.into_iter().collect())),
    }
    Ok(request)
}
