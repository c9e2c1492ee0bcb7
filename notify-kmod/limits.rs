// SPDX-License-Identifier: GPL-2.0

//! What one user may hold: open files, sources, and memory of registrations.
//!
//! A user is a kernel user id, whatever it is mapped to in a user namespace: the effective one of the process
//! that opens, creates or registers. A [`Charge`] is taken before the thing exists and goes with it, so nothing
//! is counted twice or for ever. A process with `CAP_SYS_RESOURCE` in the initial user namespace may exceed the
//! limits, and what it holds counts all the same. Memory is charged to the memory cgroup besides.
//!
//! Process context only. The table's mutex is the innermost of the module's mutexes.

use super::error;
use kernel::{prelude::*, task::Kuid};

mod c {
    extern "C" {
        pub(super) fn rtnotify_max_clients() -> u64;
        pub(super) fn rtnotify_max_sources() -> u64;
        pub(super) fn rtnotify_max_queued_bytes() -> u64;
        pub(super) fn rtnotify_may_exceed_limits() -> bool;
    }
}

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) enum Resource {
    /// Open files; `EMFILE`.
    Clients,
    /// Sources that processes created; `EDQUOT`.
    Sources,
    /// Bytes of kernel memory of registrations; `EDQUOT`.
    Bytes,
}

const RESOURCES: usize = 3;

impl Resource {
    fn limit(self) -> u64 {
        // SAFETY: These read a module parameter.
        unsafe {
            match self {
                Self::Clients => c::rtnotify_max_clients(),
                Self::Sources => c::rtnotify_max_sources(),
                Self::Bytes => c::rtnotify_max_queued_bytes(),
            }
        }
    }

    fn exceeded(self) -> Error {
        match self {
            Self::Clients => EMFILE,
            Self::Sources | Self::Bytes => error::quota_exceeded(),
        }
    }
}

struct User {
    uid: Kuid,
    held: [u64; RESOURCES],
}

kernel::sync::global_lock! {
    // SAFETY: Initialised by `init` before the device can be used.
    unsafe(uninit) static USERS: Mutex<KVVec<User>> = KVVec::new();
}

/// Initialises the table.
///
/// # Safety
///
/// Called exactly once, before anything else in this file.
pub(crate) unsafe fn init() {
    // SAFETY: Promised by the caller.
    unsafe { USERS.init() };
}

/// Frees the table's memory, which a static would leave behind when the module is unloaded.
pub(crate) fn exit() {
    let users = core::mem::take(&mut *USERS.lock());
    if !users.is_empty() {
        pr_warn!("{} users still hold something\n", users.len());
    }
}

/// Something that a user holds; dropping it gives it back.
///
/// # Invariants
///
/// The table holds at least `amount` of `what` for `uid` on behalf of this charge.
pub(crate) struct Charge {
    uid: Kuid,
    what: Resource,
    amount: u64,
}

impl Charge {
    /// Charges `amount` to the calling process's user.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `EDQUOT`: more than the user may hold. `ENOMEM`.
    pub(crate) fn new(what: Resource, amount: u64) -> Result<Self> {
        let uid = Kuid::current_euid();
        let mut users = USERS.lock();
        let index = users.iter().position(|user| user.uid == uid);
        let before = index.map_or(0, |index| users[index].held[what as usize]);
        let after = before.checked_add(amount).ok_or(what.exceeded())?;
        // SAFETY: It looks at the credentials of the calling process.
        if after > what.limit() && !unsafe { c::rtnotify_may_exceed_limits() } {
            return Err(what.exceeded());
        }
        match index {
            Some(index) => users[index].held[what as usize] = after,
            None => {
                let mut held = [0; RESOURCES];
                held[what as usize] = after;
                users.push(User { uid, held }, GFP_KERNEL_ACCOUNT)?;
            }
        }
        // INVARIANT: It was just added.
        Ok(Self { uid, what, amount })
    }

    /// The user.
    pub(crate) fn uid(&self) -> Kuid {
        self.uid
    }
}

impl Drop for Charge {
    /// May sleep.
    fn drop(&mut self) {
        USERS.lock().retain(|user| {
            if user.uid == self.uid {
                // By the invariant this does not underflow.
                let held = &mut user.held[self.what as usize];
                *held = held.saturating_sub(self.amount);
            }
            user.held.iter().any(|&held| held > 0)
        });
    }
}
