// SPDX-License-Identifier: MIT OR Apache-2.0

//! A bell as the broker sees it: orders to the agent in the subscriber's process, and its answers.
//!
//! At most one order per lane is on its way. While it is, the broker reads nothing from that registration, neither
//! for the subscriber nor otherwise: so what the agent found or did is still so when its answer comes. A doorbell
//! that was pending then leads to a drain that comes after it, and so does one that the agent rang. Events may be
//! posted meanwhile; that drain finds them.
//!
//! What has been asked before is not asked again: a doorbell that was pending counts as pending until something is
//! read, and none is pending that was not rung.

use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use rtnotify_core::machine::{Outcome, Signal};

/// What an agent is to do for a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Number of the client.
    pub(crate) client: u64,
    /// Index of the lane.
    pub(crate) lane: u8,
    /// What.
    pub(crate) task: Task,
}

/// See [`Order`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// See whether a doorbell is pending.
    Look,
    /// Send a signal.
    Ring(Signal),
    /// There is nothing more to do.
    End,
}

/// What an agent found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// After [`Task::Look`]: whether a doorbell is pending.
    Pending(bool),
    /// The system took the signal.
    Sent,
    /// The system refused to queue it.
    Refused,
    /// The target neither blocks nor handles it, so it was not sent.
    Unhandled,
    /// The target had exited before; whether its failover thread has taken over. Nothing was sent.
    Exited(bool),
    /// The target has exited by itself; nothing was asked. Whether its failover thread has taken over.
    Left(bool),
}

/// What an agent says about a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Index of the lane.
    pub(crate) lane: u8,
    /// What it found.
    pub(crate) found: Found,
}

impl Answer {
    /// What became of the signal.
    pub(crate) fn outcome(self) -> Outcome {
        match self.found {
            Found::Sent => Outcome::Sent,
            Found::Refused => Outcome::Refused,
            Found::Pending(_) | Found::Unhandled | Found::Exited(_) | Found::Left(_) => {
                Outcome::NoTarget
            }
        }
    }

    /// Whether another thread has taken over, if the target has exited.
    pub(crate) fn exited(self) -> Option<bool> {
        match self.found {
            Found::Exited(replaced) | Found::Left(replaced) => Some(replaced),
            _ => None,
        }
    }
}

/// What an answer is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To nothing: the agent speaks of itself.
    Nothing,
    /// To a look.
    Look,
    /// To a signal.
    Signal(Signal),
}

/// Where orders lie until the broker sends them, and whose bells were wanted.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// At most one per lane.
    pub(crate) orders: Vec<Order>,
    /// Clients whose bells were wanted while they were busy, or have been asked for.
    pub(crate) wanted: Vec<u64>,
}

/// The broker's only thread is the only one that uses it; a mutex costs next to nothing then, and registrations stay
/// the same type for the loopback, whose threads share them.
pub(crate) type SharedDesk = Arc<Mutex<Desk>>;

/// The bell of one lane.
#[derive(Debug)]
pub(crate) struct Remote {
    client: u64,
    lane: u8,
    desk: SharedDesk,
    /// What the agent owes an answer to.
    asked: Option<Asked>,
    /// The bell was wanted since.
    wanted: bool,
    /// The target has exited and nobody has taken over.
    alone: bool,
    /// The last signal was not sent because the target would have died of it.
    unhandled: bool,
    /// A signal was sent since the target was last seen without one pending.
    maybe_pending: bool,
    /// A doorbell was pending, and nothing has been read since.
    known_pending: bool,
}

impl Remote {
    /// For that lane of a client.
    pub(crate) fn new(client: u64, lane: usize, desk: SharedDesk) -> Self {
        Self {
            client,
            lane: lane as u8,
            desk,
            asked: None,
            wanted: false,
            alone: false,
            unhandled: false,
            maybe_pending: false,
            known_pending: false,
        }
    }

    fn ask(&mut self, asked: Asked, task: Task) {
        self.asked = Some(asked);
        self.wanted = false;
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.orders.push(Order {
            client: self.client,
            lane: self.lane,
            task,
        });
        desk.wanted.push(self.client);
    }

    /// Whether an answer has to come first; notes that the bell is wanted.
    pub(crate) fn is_busy(&mut self) -> bool {
        if self.asked.is_none() {
            return false;
        }
        self.wanted = true;
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if desk.wanted.last() != Some(&self.client) {
            desk.wanted.push(self.client);
        }
        true
    }

    /// Whether an answer is still to come.
    pub(crate) fn is_owed(&self) -> bool {
        self.asked.is_some()
    }

    /// Somebody reads: a doorbell may have been taken.
    pub(crate) fn reads(&mut self) {
        self.known_pending = false;
    }

    /// Whether a doorbell is still on its way; `None`: the agent has been asked.
    pub(crate) fn is_pending(&mut self) -> Option<bool> {
        if !self.maybe_pending || self.alone {
            return Some(false);
        }
        if self.known_pending {
            return Some(true);
        }
        self.ask(Asked::Look, Task::Look);
        None
    }

    /// Has a signal sent; what became of it if that is known already.
    pub(crate) fn send(&mut self, signal: Signal) -> Option<Outcome> {
        if self.alone {
            return Some(Outcome::NoTarget);
        }
        self.ask(Asked::Signal(signal), Task::Ring(signal));
        None
    }

    /// Takes an answer; gives what it answers, and whether the bell was wanted meanwhile.
    ///
    /// # Errors
    ///
    /// `EPROTO`: that was not asked.
    pub(crate) fn answered(&mut self, answer: Answer) -> Result<(Asked, bool), Errno> {
        if let Found::Left(replaced) = answer.found {
            self.replaced(replaced);
            return Ok((Asked::Nothing, false));
        }
        let asked = self.asked.take().ok_or(Errno::EPROTO)?;
        match (asked, answer.found) {
            (Asked::Look, Found::Pending(pending)) => {
                self.maybe_pending = pending;
                self.known_pending = pending;
            }
            (Asked::Signal(_), Found::Sent) => {
                self.unhandled = false;
                self.maybe_pending = true;
                self.known_pending = true;
            }
            (Asked::Signal(_), Found::Refused) => self.unhandled = false,
            (Asked::Signal(_), Found::Unhandled) => self.unhandled = true,
            (Asked::Signal(_), Found::Exited(replaced)) => self.replaced(replaced),
            _ => return Err(Errno::EPROTO),
        }
        Ok((asked, std::mem::take(&mut self.wanted)))
    }

    fn replaced(&mut self, replaced: bool) {
        self.alone = !replaced;
        self.maybe_pending = false;
        self.known_pending = false;
    }

    /// Whether there is nobody left to ring for.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Whether the last signal was not sent because the target would have died of it.
    pub(crate) fn is_unhandled(&self) -> bool {
        self.unhandled
    }
}
