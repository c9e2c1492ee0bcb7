// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who is at the other end, whether it may be there, and what its user holds.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};

use crate::sys;

/// What one user, and what all together, may hold.
///
/// # Examples
///
/// ```
/// use sigrt::broker::Limits;
///
/// let few = Limits { clients_per_user: 8, ..Limits::default() };
/// assert!(few.clients > few.clients_per_user);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub clients: usize,
    /// Connections of one user at once; beyond them connecting gives `EMFILE`.
    pub clients_per_user: usize,
    /// Sources of one user; beyond them creating one gives `EDQUOT`.
    pub sources_per_user: usize,
    /// Bytes of queues, quotas and waiting messages of one user; beyond them registering gives `EDQUOT`.
    pub bytes_per_user: u64,
}

impl Default for Limits {
    /// As the module's parameters.
    fn default() -> Self {
        Self {
            clients: 2048,
            clients_per_user: 1024,
            sources_per_user: 256,
            bytes_per_user: 512 << 20,
        }
    }
}

/// The process that made a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// 0: of a namespace that cannot be seen from here.
    pub(super) pid: i32,
    pub(super) uid: u32,
}

/// Whom the socket lets in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    /// The broker's user.
    pub(super) uid: u32,
    /// Group of the socket file.
    pub(super) gid: u32,
    /// Mode of the socket file.
    pub(super) mode: u32,
}

impl Admission {
    /// Looks at the credentials of a connection.
    ///
    /// # Errors
    ///
    /// `EACCES`: it is not let in.
    pub(super) fn check(&self, socket: &OwnedFd) -> Result<Peer, Errno> {
        let peer = getsockopt(socket, sockopt::PeerCredentials)?;
        let groups = || sys::peer_groups(socket.as_fd()).unwrap_or_default();
        if !self.admits(peer.uid(), peer.gid(), groups) {
            return Err(Errno::EACCES);
        }
        Ok(Peer {
            pid: peer.pid(),
            uid: peer.uid(),
        })
    }

    fn admits(&self, uid: u32, gid: u32, groups: impl FnOnce() -> Vec<u32>) -> bool {
        // The permission to connect is the one to write (unix(7)).
        uid == 0
            || uid == self.uid
            || self.mode & 0o002 != 0
            || (self.mode & 0o020 != 0 && (gid == self.gid || groups().contains(&self.gid)))
    }
}

/// What a user holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    clients: usize,
    sources: usize,
    bytes: u64,
}

/// What every user holds; one that holds nothing takes no memory.
#[derive(Debug)]
pub(super) struct Peers {
    limits: Limits,
    clients: usize,
    users: HashMap<u32, Held>,
}

impl Peers {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            clients: 0,
            users: HashMap::new(),
        }
    }

    pub(super) fn add_client(&mut self, uid: u32) -> Result<(), Errno> {
        let limits = self.limits;
        let held = self.users.get(&uid).copied().unwrap_or_default();
        if self.clients >= limits.clients || held.clients >= limits.clients_per_user {
            return Err(Errno::EMFILE);
        }
        self.clients += 1;
        self.users.entry(uid).or_default().clients += 1;
        Ok(())
    }

    pub(super) fn add_source(&mut self, uid: u32) -> Result<(), Errno> {
        let held = self.users.entry(uid).or_default();
        if held.sources >= self.limits.sources_per_user {
            return Err(Errno::EDQUOT);
        }
        held.sources += 1;
        Ok(())
    }

    pub(super) fn add_bytes(&mut self, uid: u32, bytes: u64) -> Result<(), Errno> {
        let held = self.users.entry(uid).or_default();
        let sum = held.bytes.saturating_add(bytes);
        if sum > self.limits.bytes_per_user {
            return Err(Errno::EDQUOT);
        }
        held.bytes = sum;
        Ok(())
    }

    pub(super) fn remove_sources(&mut self, uid: u32, sources: usize) {
        if let Some(held) = self.users.get_mut(&uid) {
            held.sources = held.sources.saturating_sub(sources);
        }
    }

    pub(super) fn remove_bytes(&mut self, uid: u32, bytes: u64) {
        if let Some(held) = self.users.get_mut(&uid) {
            held.bytes = held.bytes.saturating_sub(bytes);
        }
    }

    /// The last that a connection gives back.
    pub(super) fn remove_client(&mut self, uid: u32) {
        self.clients = self.clients.saturating_sub(1);
        if let Some(held) = self.users.get_mut(&uid) {
            held.clients = held.clients.saturating_sub(1);
            if *held == Held::default() {
                self.users.remove(&uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_the_file_says_who_is_let_in() {
        let admission = |mode| Admission {
            uid: 1000,
            gid: 50,
            mode,
        };
        let admits =
            |mode, uid, gid, more: &[u32]| admission(mode).admits(uid, gid, || more.to_vec());
        for mode in [0, 0o600, 0o660, 0o666] {
            assert!(admits(mode, 0, 0, &[]) && admits(mode, 1000, 7, &[]));
        }
        assert!(!admits(0o600, 1001, 50, &[50]));
        assert!(!admits(0o640, 1001, 50, &[50]), "reading is not enough");
        assert!(admits(0o660, 1001, 50, &[]));
        assert!(admits(0o660, 1001, 51, &[3, 50]));
        assert!(!admits(0o660, 1001, 51, &[3]));
        assert!(admits(0o662, 1001, 51, &[]));
    }

    #[test]
    fn limits_are_exact_and_given_back() {
        let mut peers = Peers::new(Limits {
            clients: 3,
            clients_per_user: 2,
            sources_per_user: 1,
            bytes_per_user: 100,
        });
        assert_eq!(peers.add_client(1), Ok(()));
        assert_eq!(peers.add_client(1), Ok(()));
        assert_eq!(peers.add_client(1), Err(Errno::EMFILE), "of that user");
        assert_eq!(peers.add_client(2), Ok(()));
        assert_eq!(peers.add_client(3), Err(Errno::EMFILE), "of all");
        assert_eq!(peers.add_source(1), Ok(()));
        assert_eq!(peers.add_source(1), Err(Errno::EDQUOT));
        assert_eq!(peers.add_source(2), Ok(()));
        assert_eq!(peers.add_bytes(1, 100), Ok(()));
        assert_eq!(peers.add_bytes(1, 1), Err(Errno::EDQUOT));
        assert_eq!(peers.add_bytes(2, u64::MAX), Err(Errno::EDQUOT));
        peers.remove_bytes(1, 100);
        for uid in [1, 2] {
            peers.remove_sources(uid, 1);
        }
        for uid in [1, 1, 2] {
            peers.remove_client(uid);
        }
        assert!(peers.users.is_empty() && peers.clients == 0);
    }
}
