// SPDX-License-Identifier: MIT OR Apache-2.0

//! The bell of a lane: rung here, or by an agent in another process, which answers later.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::errno::Errno;
use rtnotify_core::machine::{Outcome, Signal};

use super::ringer::Ringer;
use crate::broker::remote::{Answer, Asked, Remote};

/// Who rings for a lane.
#[derive(Debug)]
pub(crate) enum Bell {
    /// This process, for one of its threads.
    Here(Ringer),
    /// The agent in the subscriber's process.
    There(Remote),
}

impl Bell {
    /// Whether an answer has to come first; it will be asked again then.
    pub(crate) fn is_busy(&mut self) -> bool {
        match self {
            Self::Here(_) => false,
            Self::There(remote) => remote.is_busy(),
        }
    }

    /// Whether an answer is still to come.
    pub(crate) fn is_owed(&self) -> bool {
        match self {
            Self::Here(_) => false,
            Self::There(remote) => remote.is_owed(),
        }
    }

    /// Somebody reads: a doorbell may have been taken.
    pub(crate) fn reads(&mut self) {
        match self {
            Self::Here(ringer) => ringer.reads(),
            Self::There(remote) => remote.reads(),
        }
    }

    /// Whether a doorbell is still on its way; `None`: that has to be asked, and has been.
    pub(crate) fn is_pending(&mut self) -> Option<bool> {
        match self {
            Self::Here(ringer) => Some(ringer.is_pending()),
            Self::There(remote) => remote.is_pending(),
        }
    }

    /// Sends one signal; says what became of it, and whether the target turned out to have exited. `None`: the
    /// answer comes later.
    pub(crate) fn send(&mut self, signal: Signal) -> Option<(Outcome, bool)> {
        match self {
            Self::Here(ringer) => Some(ringer.send(signal)),
            Self::There(remote) => remote.send(signal).map(|outcome| (outcome, false)),
        }
    }

    /// Takes an answer; gives what it answers, and whether the bell was wanted meanwhile.
    pub(crate) fn answered(&mut self, answer: Answer) -> Result<(Asked, bool), Errno> {
        match self {
            Self::Here(_) => Err(Errno::EPROTO),
            Self::There(remote) => remote.answered(answer),
        }
    }

    /// Puts the failover thread in the target's place; whether there is one.
    pub(crate) fn replace_target(&mut self) -> bool {
        match self {
            Self::Here(ringer) => ringer.replace_target(),
            // The agent does that, and says so.
            Self::There(_) => false,
        }
    }

    /// Whether the target has exited, as one of these descriptors says or as can be seen.
    pub(crate) fn has_exited(&self, exited: &[&Arc<OwnedFd>]) -> bool {
        match self {
            Self::Here(ringer) => ringer.has_exited(exited),
            Self::There(_) => false,
        }
    }

    /// The descriptor that tells of the target's exit.
    pub(crate) fn exit_descriptor(&self) -> Option<&Arc<OwnedFd>> {
        match self {
            Self::Here(ringer) => ringer.exit_descriptor(),
            Self::There(_) => None,
        }
    }

    /// Whether the target's exit has to be looked for.
    pub(crate) fn needs_probing(&self) -> bool {
        match self {
            Self::Here(ringer) => ringer.needs_probing(),
            Self::There(_) => false,
        }
    }

    /// Whether there is nobody left to ring for.
    pub(crate) fn is_alone(&self) -> bool {
        match self {
            Self::Here(ringer) => ringer.is_alone(),
            Self::There(remote) => remote.is_alone(),
        }
    }

    /// Whether the last signal was not sent because the target would have died of it.
    pub(crate) fn is_unhandled(&self) -> bool {
        match self {
            Self::Here(ringer) => ringer.is_unhandled(),
            Self::There(remote) => remote.is_unhandled(),
        }
    }
}
