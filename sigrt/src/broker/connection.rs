// SPDX-License-Identifier: MIT OR Apache-2.0

//! A client's end: the device's operations as requests to a broker.
//!
//! Calls may come from several threads. Each sends its request and waits for the reply of that number; one of those who
//! wait reads the socket for all. No lock is held while a thread waits for the broker, but for registering, which happens
//! one at a time.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockFlag, recv};
use rtnotify_core::abi;
use rtnotify_core::plain::Layout;

use super::agent::Agent;
use super::bulk::{Bulk, MOST};
use super::listen;
use super::protocol::{
    self, CLOSE, HELLO, Head, INLINE, MAP, MESSAGE, POLL, POLLABLE, PREAD, READ, READABLE,
    WRITABLE, WRITE, bytes_of, structure,
};
use super::requests::{PAGE, takes_told};
use crate::client::{Access, Readiness};
use crate::loopback::ringer::Ringer;
use crate::sys;

/// What every call gives once the broker has vanished.
const GONE: Errno = Errno::ECONNRESET;
/// Memfds that are kept for the next long transfer.
const SPARE: usize = 2;

/// A reply as it came.
#[derive(Debug)]
struct Arrived {
    head: Head,
    /// The whole message.
    message: Vec<u8>,
    len: usize,
    descriptor: Option<OwnedFd>,
}

impl Arrived {
    /// What followed the head.
    fn body(&self) -> &[u8] {
        self.message.get(protocol::HEAD..self.len).unwrap_or(&[])
    }
}

/// Who waits for what.
#[derive(Debug, Default)]
struct Desk {
    next: u32,
    /// Somebody reads the socket.
    reads: bool,
    /// Threads that wait for somebody to do so.
    waiting: usize,
    arrived: HashMap<u32, Arrived>,
    /// The broker has vanished.
    gone: bool,
    spare: Vec<Vec<u8>>,
}

/// One client of a broker in another process.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: OwnedFd,
    pid: u32,
    access: Access,
    desk: Mutex<Desk>,
    news: Condvar,
    /// With the registration; held while that, or `told`, is changed.
    agent: Mutex<Option<Agent>>,
    /// Where the broker says that there is something to read, once somebody polls.
    told: OnceLock<OwnedFd>,
    bulks: Mutex<Vec<Bulk>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What goes with a request besides its head.
#[derive(Clone, Copy, Default)]
struct Extra<'a> {
    body: &'a [u8],
    bulk: Option<&'a Bulk>,
}

impl Connection {
    /// Connects to the broker at `path`.
    ///
    /// # Errors
    ///
    /// `NotFound` or `ConnectionRefused`: there is none. `PermissionDenied`: this user may not. `EMFILE`: too many
    /// connections. `EPROTO`: of another version.
    pub(crate) fn new(path: &Path, access: Access, blocking: bool) -> io::Result<Self> {
        let this = Self {
            socket: listen::connected(path, SockFlag::empty())?,
            pid: sys::process_id(),
            access,
            desk: Mutex::new(Desk::default()),
            news: Condvar::new(),
            agent: Mutex::new(None),
            told: OnceLock::new(),
            bulks: Mutex::new(Vec::new()),
        };
        let hello = Head {
            what: HELLO,
            word: protocol::access_to_word(access, blocking),
            a: protocol::MAGIC,
            b: protocol::VERSION,
            ..Head::default()
        };
        // Whoever is not let in is told so at once, and may be so before this is sent.
        let sent = this.send(&hello, Extra::default());
        let mut message = vec![0; MESSAGE];
        let reply = loop {
            match sys::receive_message(this.socket.as_fd(), &mut message, true, false) {
                // What was said before the end can still be read; the error comes once.
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                Err(errno) => return Err(errno.into()),
                Ok(received) if received.len == 0 => return Err(sent.err().unwrap_or(GONE).into()),
                Ok(received) => break received,
            }
        };
        let (head, _) = Head::split(&message[..reply.len.min(MESSAGE)]).ok_or(Errno::EPROTO)?;
        head.result()?;
        Ok(this)
    }

    fn may_read(&self) -> Result<(), Errno> {
        self.access.reads().then_some(()).ok_or(Errno::EBADF)
    }

    fn send(&self, head: &Head, extra: Extra<'_>) -> Result<(), Errno> {
        let head = head.to_bytes();
        let parts = [IoSlice::new(&head), IoSlice::new(extra.body)];
        let descriptor = extra.bulk.map(|bulk| bulk.file().as_fd());
        loop {
            match sys::send_message(self.socket.as_fd(), &parts, descriptor, true) {
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(GONE),
                done => return done,
            }
        }
    }

    /// Sends a request and waits for its reply.
    fn call(&self, mut head: Head, extra: Extra<'_>) -> Result<Arrived, Errno> {
        let mut desk = lock(&self.desk);
        if desk.gone {
            return Err(GONE);
        }
        desk.next = desk.next.wrapping_add(1);
        head.id = desk.next;
        drop(desk);
        if takes_told(head.what) {
            self.take_told();
        }
        self.send(&head, extra)?;
        let reply = self.wait(head.id)?;
        reply.head.result()?;
        Ok(reply)
    }

    /// Waits for the reply of that number, reading for the others as long as nobody else does.
    fn wait(&self, id: u32) -> Result<Arrived, Errno> {
        let mut desk = lock(&self.desk);
        loop {
            if let Some(arrived) = desk.arrived.remove(&id) {
                return Ok(arrived);
            }
            if desk.gone {
                return Err(GONE);
            }
            if desk.reads {
                desk.waiting += 1;
                desk = self.news.wait(desk).unwrap_or_else(PoisonError::into_inner);
                desk.waiting -= 1;
                continue;
            }
            desk.reads = true;
            let message = desk.spare.pop().unwrap_or_else(|| vec![0; MESSAGE]);
            drop(desk);
            let arrived = self.receive(message);
            desk = lock(&self.desk);
            desk.reads = false;
            match arrived {
                Ok(arrived) => drop(desk.arrived.insert(arrived.head.id, arrived)),
                Err(_) => desk.gone = true,
            }
            if desk.waiting > 0 {
                self.news.notify_all();
            }
        }
    }

    fn receive(&self, mut message: Vec<u8>) -> Result<Arrived, Errno> {
        loop {
            match sys::receive_message(self.socket.as_fd(), &mut message, true, false) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
                Ok(mut received) => {
                    let len = received.len.min(message.len());
                    // Nothing: the end.
                    let (head, _) = Head::split(&message[..len]).ok_or(GONE)?;
                    return Ok(Arrived {
                        head,
                        descriptor: received.descriptors.pop(),
                        message,
                        len,
                    });
                }
            }
        }
    }

    /// Keeps the memory of a reply for the next.
    fn recycle(&self, arrived: Arrived) {
        let mut desk = lock(&self.desk);
        if desk.spare.len() < SPARE {
            desk.spare.push(arrived.message);
        }
    }

    /// Does an operation on a structure, which is written back.
    fn exchange<T: Layout>(&self, what: u32, request: &mut T) -> Result<Option<OwnedFd>, Errno> {
        let body = bytes_of(request);
        let mut arrived = self.call(
            Head {
                what,
                len: body.len() as u32,
                ..Head::default()
            },
            Extra {
                body: &body,
                bulk: None,
            },
        )?;
        *request = structure(arrived.body()).map_err(|_| Errno::EPROTO)?;
        let descriptor = arrived.descriptor.take();
        self.recycle(arrived);
        Ok(descriptor)
    }

    /// A descriptor that is readable when this client is: each request that reads has it say so anew.
    pub(crate) fn pollable(&self) -> Result<BorrowedFd<'_>, Errno> {
        let agent = lock(&self.agent);
        if self.told.get().is_none() {
            let head = Head {
                what: POLLABLE,
                ..Head::default()
            };
            let mut arrived = self.call(head, Extra::default())?;
            let descriptor = arrived.descriptor.take().ok_or(Errno::EPROTO)?;
            self.recycle(arrived);
            // Nobody else does while the lock is held.
            self.told.set(descriptor).ok();
        }
        drop(agent);
        self.made_pollable().ok_or(Errno::EPROTO)
    }

    /// That descriptor, if there is one.
    pub(crate) fn made_pollable(&self) -> Option<BorrowedFd<'_>> {
        self.told.get().map(|told| told.as_fd())
    }

    /// Takes what the broker has said of that; it will say it again if it is still so.
    fn take_told(&self) {
        let Some(told) = self.told.get() else {
            return;
        };
        let mut bytes = [0; 64];
        // Nothing left, or nobody at the other end: the request finds out.
        while recv(told.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) == Ok(bytes.len()) {}
    }

    pub(crate) fn register(
        &self,
        request: &mut abi::Register,
        dispatcher: bool,
    ) -> Result<(), Errno> {
        self.may_read()?;
        let signo = signal(request.signo)?;
        let ringer = Ringer::new(
            signo,
            request.target_tid,
            request.failover_tid,
            sys::gettid(),
            dispatcher,
        )?;
        let mut agent = lock(&self.agent);
        let socket = self.exchange(abi::IOC_REGISTER, request)?;
        let started = socket
            .ok_or(Errno::EPROTO)
            .and_then(|socket| Agent::start(socket, ringer));
        match started {
            Ok(started) => {
                *agent = Some(started);
                Ok(())
            }
            Err(errno) => {
                self.exchange(abi::IOC_UNREGISTER, &mut unregister()).ok();
                Err(errno)
            }
        }
    }

    pub(crate) fn unregister(&self) -> Result<u64, Errno> {
        let mut agent = lock(&self.agent);
        let mut request = unregister();
        self.exchange(abi::IOC_UNREGISTER, &mut request)?;
        // It has been told to end.
        drop(agent.take());
        Ok(request.discarded)
    }

    pub(crate) fn add_lane(&self, request: &mut abi::Lane, dispatcher: bool) -> Result<(), Errno> {
        let agent = lock(&self.agent);
        let agent = agent.as_ref().ok_or(Errno::ENOTCONN)?;
        let signo = signal(request.signo)?;
        let ringer = Ringer::new(
            signo,
            request.target_tid,
            request.failover_tid,
            sys::gettid(),
            dispatcher,
        )?;
        // Before the broker can ask for it.
        agent.add(ringer);
        let done = self.exchange(abi::IOC_ADD_LANE, request).map(drop);
        if done.is_err() {
            agent.remove_last();
        }
        done
    }

    pub(crate) fn set_mode(&self, request: &abi::SetMode) -> Result<(), Errno> {
        self.exchange(abi::IOC_SET_MODE, &mut { *request })
            .map(drop)
    }

    pub(crate) fn arm(&self, request: &abi::Arm) -> Result<(), Errno> {
        self.exchange(abi::IOC_ARM, &mut { *request }).map(drop)
    }

    pub(crate) fn subscribe(&self, request: &abi::Subscribe) -> Result<(), Errno> {
        self.exchange(abi::IOC_SUBSCRIBE, &mut { *request })
            .map(drop)
    }

    pub(crate) fn unsubscribe(&self, source: u32) -> Result<(), Errno> {
        let mut request = abi::Unsubscribe {
            size: abi::Unsubscribe::BYTES as u32,
            source,
            ..abi::Unsubscribe::zeroed()
        };
        self.exchange(abi::IOC_UNSUBSCRIBE, &mut request).map(drop)
    }

    pub(crate) fn list_sources(
        &self,
        first: u32,
        entries: &mut [abi::SourceInfo],
    ) -> Result<(usize, usize), Errno> {
        let request = abi::ListSources {
            size: abi::ListSources::BYTES as u32,
            first,
            capacity: entries.len().min(PAGE) as u32,
            ..abi::ListSources::zeroed()
        };
        let body = request.to_bytes();
        let arrived = self.call(
            Head {
                what: abi::IOC_LIST_SOURCES,
                len: body.len() as u32,
                ..Head::default()
            },
            Extra {
                body: &body,
                bulk: None,
            },
        )?;
        let (listed, rest) = arrived.body().split_first_chunk().ok_or(Errno::EPROTO)?;
        let listed = abi::ListSources::from_bytes(listed);
        let mut count = 0;
        for (entry, bytes) in entries
            .iter_mut()
            .zip(rest.chunks_exact(abi::SourceInfo::BYTES))
        {
            let bytes = bytes.first_chunk().ok_or(Errno::EPROTO)?;
            *entry = abi::SourceInfo::from_bytes(bytes);
            count += 1;
        }
        self.recycle(arrived);
        Ok((count, listed.total as usize))
    }

    pub(crate) fn create_source(&self, request: &mut abi::CreateSource) -> Result<(), Errno> {
        self.exchange(abi::IOC_CREATE_SOURCE, request).map(drop)
    }

    pub(crate) fn destroy_source(&self, number: u32) -> Result<(), Errno> {
        let mut request = abi::DestroySource {
            size: abi::DestroySource::BYTES as u32,
            number,
            ..abi::DestroySource::zeroed()
        };
        self.exchange(abi::IOC_DESTROY_SOURCE, &mut request)
            .map(drop)
    }

    pub(crate) fn stats(&self) -> Result<abi::Stats, Errno> {
        let mut request = abi::Stats {
            size: abi::Stats::BYTES as u32,
            ..abi::Stats::zeroed()
        };
        self.exchange(abi::IOC_STATS, &mut request)?;
        Ok(request)
    }

    pub(crate) fn stream_gap(&self) -> Result<abi::StreamGap, Errno> {
        let mut request = abi::StreamGap {
            size: abi::StreamGap::BYTES as u32,
            ..abi::StreamGap::zeroed()
        };
        self.exchange(abi::IOC_STREAM_GAP, &mut request)?;
        Ok(request)
    }

    pub(crate) fn call_source(&self, source: u32) -> Errno {
        let mut request = abi::Call {
            size: abi::Call::BYTES as u32,
            source,
            ..abi::Call::zeroed()
        };
        // There are no drivers, so nothing answers.
        match self.exchange(abi::IOC_CALL, &mut request) {
            Ok(_) => Errno::EPROTO,
            Err(errno) => errno,
        }
    }

    /// Memory for a long transfer.
    fn bulk(&self, len: usize) -> Result<Bulk, Errno> {
        let mut bulks = lock(&self.bulks);
        match bulks.iter().position(|bulk| bulk.len() >= len) {
            Some(index) => Ok(bulks.swap_remove(index)),
            // Rounded up, so that it is of use again.
            None => Bulk::new(len.next_power_of_two().min(MOST)),
        }
    }

    fn put_back(&self, bulk: Bulk) {
        let mut bulks = lock(&self.bulks);
        if bulks.len() < SPARE {
            bulks.push(bulk);
        }
    }

    /// Fetches bytes.
    fn fetch(&self, what: u32, a: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let room = buffer.len().min(MOST);
        let bulk = (room > INLINE).then(|| self.bulk(room)).transpose()?;
        let head = Head {
            what,
            a,
            b: room as u64,
            ..Head::default()
        };
        let done = self.call(
            head,
            Extra {
                body: &[],
                bulk: bulk.as_ref(),
            },
        );
        let done = done.and_then(|arrived| {
            let len = arrived.head.len as usize;
            let place = buffer.get_mut(..len).ok_or(Errno::EPROTO)?;
            match &bulk {
                Some(bulk) if len > INLINE => bulk.get(place)?,
                _ => place.copy_from_slice(arrived.body().get(..len).ok_or(Errno::EPROTO)?),
            }
            self.recycle(arrived);
            Ok(len)
        });
        if let Some(bulk) = bulk {
            self.put_back(bulk);
        }
        done
    }

    /// Reads from the lane of a signal number, or with 0 from all.
    pub(crate) fn read(&self, buffer: &mut [u8], signo: u32) -> Result<usize, Errno> {
        self.may_read()?;
        self.fetch(READ, signo.into(), buffer)
    }

    pub(crate) fn pread(&self, buffer: &mut [u8], handle: u64) -> Result<usize, Errno> {
        self.may_read()?;
        self.fetch(PREAD, handle, buffer)
    }

    pub(crate) fn map(&self, handle: u64, len: usize) -> Result<Vec<u8>, Errno> {
        if len > MOST {
            return Err(Errno::EINVAL);
        }
        let mut bytes = vec![0; len];
        self.fetch(MAP, handle, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn poll(&self, timeout: Option<Duration>) -> Result<Readiness, Errno> {
        let nanoseconds = timeout.map(|t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX));
        let head = Head {
            what: POLL,
            a: nanoseconds.unwrap_or(u64::MAX),
            ..Head::default()
        };
        let arrived = self.call(head, Extra::default())?;
        let bits = arrived.head.a;
        self.recycle(arrived);
        Ok(Readiness {
            readable: bits & READABLE != 0,
            writable: bits & WRITABLE != 0,
        })
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        if bytes.len() > MOST {
            return Err(if self.access.writes() {
                Errno::EMSGSIZE
            } else {
                Errno::EBADF
            });
        }
        let head = Head {
            what: WRITE,
            len: bytes.len() as u32,
            ..Head::default()
        };
        let arrived = if bytes.len() <= INLINE {
            self.call(
                head,
                Extra {
                    body: bytes,
                    bulk: None,
                },
            )?
        } else {
            let bulk = self.bulk(bytes.len())?;
            let done = bulk.put(bytes).and_then(|()| {
                self.call(
                    head,
                    Extra {
                        body: &[],
                        bulk: Some(&bulk),
                    },
                )
            });
            self.put_back(bulk);
            done?
        };
        let taken = arrived.head.a as usize;
        self.recycle(arrived);
        Ok(taken)
    }

    pub(crate) fn post(&self, head: &abi::Post, payload: &[u8]) -> Result<(), Errno> {
        let frame = [&head.to_bytes()[..], payload].concat();
        self.write(&frame).map(drop)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let agent = self.agent.get_mut().unwrap_or_else(PoisonError::into_inner);
        if sys::process_id() != self.pid {
            // The thread exists in the parent only.
            if let Some(agent) = agent.take() {
                agent.forget();
            }
            return;
        }
        // If the broker has vanished, nothing is left there.
        let head = Head {
            what: CLOSE,
            ..Head::default()
        };
        self.call(head, Extra::default()).ok();
        drop(self.agent.get_mut().map(Option::take));
    }
}

/// A signal number that may be registered.
fn signal(signo: u32) -> Result<i32, Errno> {
    if abi::may_register_signal(signo) {
        Ok(signo as i32)
    } else {
        Err(Errno::EINVAL)
    }
}

fn unregister() -> abi::Unregister {
    abi::Unregister {
        size: abi::Unregister::BYTES as u32,
        ..abi::Unregister::zeroed()
    }
}
