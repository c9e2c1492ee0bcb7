// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who is rung for a lane, and what is known of the doorbells sent.
//!
//! Runs under the broker's lock, but for [`Ringer::new`], which can block for a moment.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::errno::Errno;
use rtnotify_core::machine::{Outcome, Signal};

use super::target::Target;
use crate::sys::{self, SIGURG, Tid};

/// The target of a lane, its failover, and the state of its bell.
#[derive(Debug)]
pub(crate) struct Ringer {
    signo: i32,
    target: Option<Target>,
    failover: Option<Target>,
    /// The target blocks its signal as long as it lives, so nobody needs to look.
    dispatcher: bool,
    /// The last signal was not sent because the target would have died of it.
    unhandled: bool,
    /// A signal was sent since the target was last seen without one pending.
    maybe_pending: bool,
    /// A doorbell was pending, and nothing has been read since.
    known_pending: bool,
}

/// A thread that may be rung for. Call it without the broker's lock.
fn target(tid: Tid, signo: i32) -> Result<Target, Errno> {
    let target = Target::open(tid)?;
    if !target.promises(signo)? {
        return Err(Errno::EINVAL);
    }
    Ok(target)
}

impl Ringer {
    /// For the thread `tid`, or `caller` if that is 0, and the thread `failover` unless that is 0.
    pub(crate) fn new(
        signo: i32,
        tid: Tid,
        failover: Tid,
        caller: Tid,
        dispatcher: bool,
    ) -> Result<Self, Errno> {
        if tid < 0 || failover < 0 {
            return Err(Errno::EINVAL);
        }
        let tid = if tid == 0 { caller } else { tid };
        Ok(Self {
            signo,
            target: Some(target(tid, signo)?),
            failover: match failover {
                0 => None,
                tid => Some(target(tid, signo)?),
            },
            dispatcher,
            unhandled: false,
            maybe_pending: false,
            known_pending: false,
        })
    }

    /// Somebody reads: a doorbell may have been taken.
    pub(crate) fn reads(&mut self) {
        self.known_pending = false;
    }

    /// Whether a doorbell is still on its way.
    ///
    /// Looking is expensive, so it is done only when it can tell something new. Doorbells come from here: if
    /// none was rung, none is pending. And whoever takes one drains afterwards: as long as nothing has been
    /// read since one was pending, that drain is still to come and finds what is queued now. Doorbells forged
    /// by others change neither, because every doorbell means the same.
    pub(crate) fn is_pending(&mut self) -> bool {
        if self.maybe_pending && !self.known_pending {
            let signals = self.target.as_ref().and_then(|t| t.signals().ok());
            self.known_pending =
                signals.is_some_and(|s| s.is_pending(self.signo) || s.is_pending(SIGURG));
            self.maybe_pending = self.known_pending;
        }
        self.maybe_pending
    }

    /// Waits for a moment in which the target can be seen, before sending; for who has not got the broker's lock.
    pub(crate) fn settle(&self) {
        if let Some(target) = self.target.as_ref().filter(|_| !self.dispatcher) {
            target.settle(self.signo);
        }
    }

    /// Sends one signal; also says whether the target turned out to have exited.
    pub(crate) fn send(&mut self, signal: Signal) -> (Outcome, bool) {
        let Some(target) = &self.target else {
            return (Outcome::NoTarget, false);
        };
        if !self.dispatcher {
            match target.accepts(self.signo) {
                Err(_) => return (Outcome::NoTarget, true),
                Ok(false) => {
                    self.unhandled = true;
                    return (Outcome::NoTarget, false);
                }
                Ok(true) => self.unhandled = false,
            }
        }
        let sent = match signal {
            Signal::Queued { handle } => sys::queue_signal(target.tid, self.signo, handle),
            Signal::Fallback => sys::signal_thread(target.tid, SIGURG),
        };
        match sent {
            Ok(()) => {
                self.maybe_pending = true;
                self.known_pending = true;
                (Outcome::Sent, false)
            }
            Err(Errno::ESRCH) => (Outcome::NoTarget, true),
            Err(_) => (Outcome::Refused, false),
        }
    }

    /// Puts the failover thread in the target's place; whether there is one.
    pub(crate) fn replace_target(&mut self) -> bool {
        self.target = self.failover.take().filter(Target::is_alive);
        self.dispatcher = false;
        self.maybe_pending = false;
        self.known_pending = false;
        self.target.is_some()
    }

    /// Whether the target has exited, as one of these descriptors says or as can be seen.
    pub(crate) fn has_exited(&self, exited: &[&Arc<OwnedFd>]) -> bool {
        match &self.target {
            None => false,
            Some(target) => match &target.exit {
                Some(fd) => exited.iter().any(|e| Arc::ptr_eq(e, fd)),
                None => !target.is_alive(),
            },
        }
    }

    /// The descriptor that tells of the target's exit.
    pub(crate) fn exit_descriptor(&self) -> Option<&Arc<OwnedFd>> {
        self.target.as_ref()?.exit.as_ref()
    }

    /// Whether the target's exit has to be looked for.
    pub(crate) fn needs_probing(&self) -> bool {
        self.target.as_ref().is_some_and(|t| t.exit.is_none())
    }

    /// Whether there is nobody left to ring for.
    pub(crate) fn is_alone(&self) -> bool {
        self.target.is_none()
    }

    /// Whether the last signal was not sent because the target would have died of it.
    pub(crate) fn is_unhandled(&self) -> bool {
        self.unhandled
    }
}
