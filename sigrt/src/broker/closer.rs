// SPDX-License-Identifier: MIT OR Apache-2.0

//! Closes what the server's thread must not: sockets in which descriptors of a peer may lie, and such descriptors.
//!
//! Whoever closes the last reference to a file waits for it, and some make that long (a TCP connection with `SO_LINGER`, a
//! file of a FUSE file system). So each user's are closed by a thread of its own, one after another: a user waits for
//! nobody but itself. There is no thread where nothing is to be closed, and never more than [`MOST_THREADS`]; how much can
//! wait for them is bounded by what the server counts until it is closed.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::sys;

/// Users whose descriptors are closed at once; others wait.
const MOST_THREADS: usize = 64;

/// What is left of a connection.
#[derive(Debug)]
pub(super) struct Remains {
    pub(super) owner: Owner,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    /// It holds one of the user's places until it is closed; otherwise it has been refused one.
    pub(super) counted: bool,
}

#[derive(Debug, Default)]
struct User {
    waiting: VecDeque<Remains>,
    /// A thread closes them.
    served: bool,
}

#[derive(Debug, Default)]
struct Desk {
    /// Those with something to be closed.
    users: BTreeMap<u32, User>,
    threads: usize,
    /// What the server has not taken yet.
    closed: Vec<Owner>,
}

impl Desk {
    /// A user whom no thread serves, and whom one does from now on.
    fn next_user(&mut self) -> Option<u32> {
        let (uid, user) = self.users.iter_mut().find(|(_, user)| !user.served)?;
        user.served = true;
        Some(*uid)
    }
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    /// Something has been closed.
    bell: EventFd,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads. They outlive this, until all is closed or the process ends.
#[derive(Debug)]
pub(super) struct Closer {
    shared: Arc<Shared>,
}

impl Closer {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let shared = Shared {
            desk: Mutex::default(),
            bell: EventFd::from_value_and_flags(0, flags)?,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Readable when something has been closed.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }

    /// Has something closed.
    pub(super) fn give(&self, remains: Remains) {
        let uid = remains.owner.uid;
        let mut desk = self.shared.desk();
        desk.users
            .entry(uid)
            .or_default()
            .waiting
            .push_back(remains);
        drop(desk);
        self.start();
    }

    /// Starts the threads that are wanted; returns whether all will be closed without asking again.
    pub(super) fn start(&self) -> bool {
        loop {
            let mut desk = self.shared.desk();
            if desk.threads >= MOST_THREADS {
                return true;
            }
            let Some(uid) = desk.next_user() else {
                return true;
            };
            desk.threads += 1;
            drop(desk);
            let theirs = Arc::clone(&self.shared);
            // The thread starts with the spawner's mask: the program's signals are not for it.
            let mask = sys::block(&sys::SignalSet::asynchronous());
            let spawned = thread::Builder::new()
                .name("rtnotify-closer".to_owned())
                .spawn(move || run(&theirs, uid));
            drop(mask);
            if spawned.is_err() {
                let mut desk = self.shared.desk();
                desk.threads -= 1;
                if let Some(user) = desk.users.get_mut(&uid) {
                    user.served = false;
                }
                // Those that run go on with it.
                return desk.threads > 0;
            }
        }
    }

    /// What has been closed since it was asked last.
    pub(super) fn closed(&self) -> Vec<Owner> {
        // There may be nothing new.
        self.shared.bell.read().ok();
        std::mem::take(&mut self.shared.desk().closed)
    }
}

fn run(shared: &Shared, mut uid: u32) {
    let mut desk = shared.desk();
    loop {
        let user = desk.users.get_mut(&uid);
        if let Some(remains) = user.and_then(|user| user.waiting.pop_front()) {
            drop(desk);
            drop(remains.descriptors);
            desk = shared.desk();
            desk.closed.push(remains.owner);
            // It can only fail when the counter is full, and then the server is told already.
            shared.bell.write(1).ok();
            continue;
        }
        desk.users.remove(&uid);
        match desk.next_user() {
            Some(next) => uid = next,
            None => break,
        }
    }
    desk.threads -= 1;
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::socket::{setsockopt, sockopt};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A connection whose end closes slowly, until the other is closed.
    fn slow() -> (OwnedFd, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let theirs = listener.accept().unwrap().0;
        ours.set_nonblocking(true).unwrap();
        while ours.write(&[0; 4096]).is_ok() {}
        ours.set_nonblocking(false).unwrap();
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 600,
        };
        setsockopt(&ours, sockopt::Linger, &linger).unwrap();
        (ours.into(), theirs)
    }

    /// Waits until so many have been closed.
    fn closed(closer: &Closer, count: usize) -> Vec<Owner> {
        let deadline = Instant::now() + PATIENCE;
        let mut all = Vec::new();
        while all.len() < count {
            assert!(Instant::now() < deadline, "only {all:?}");
            let mut fds = [PollFd::new(closer.bell(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::from(100_u16)).unwrap();
            all.extend(closer.closed());
        }
        all
    }

    fn owner(uid: u32) -> Owner {
        Owner { uid, counted: true }
    }

    fn give(closer: &Closer, uid: u32, descriptor: OwnedFd) {
        closer.give(Remains {
            owner: owner(uid),
            descriptors: vec![descriptor],
        });
    }

    #[test]
    fn users_wait_for_nobody_but_themselves() {
        let closer = Closer::new().unwrap();
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let (ours, theirs) = slow();
        give(&closer, 1, ours);
        give(&closer, 1, null());
        for uid in 2..200 {
            give(&closer, uid, null());
        }
        let mut all = closed(&closer, 198);
        all.sort_unstable_by_key(|owner| owner.uid);
        assert!(all.iter().map(|owner| owner.uid).eq(2..200));
        drop(theirs);
        assert_eq!(closed(&closer, 2), [owner(1); 2]);
        let deadline = Instant::now() + PATIENCE;
        while closer.shared.desk().threads > 0 {
            assert!(Instant::now() < deadline, "a thread without work");
            thread::yield_now();
        }
        assert!(closer.shared.desk().users.is_empty());
    }

    #[test]
    fn threads_are_limited_and_all_is_closed() {
        let closer = Closer::new().unwrap();
        let most = MOST_THREADS as u32;
        let mut ends = Vec::new();
        for uid in 0..most + 8 {
            let (ours, theirs) = slow();
            give(&closer, uid, ours);
            ends.push(theirs);
        }
        assert_eq!(closer.shared.desk().threads, MOST_THREADS);
        assert_eq!(closer.closed(), []);
        // The threads that are free then go on with the others.
        drop(ends);
        assert_eq!(closed(&closer, most as usize + 8).len(), most as usize + 8);
    }
}
