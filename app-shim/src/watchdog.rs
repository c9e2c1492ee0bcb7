// SPDX-License-Identifier: MIT OR Apache-2.0

//! Watchdogs: routines that are called once, some time later, as service routines.
//!
//! They have a vector of the controller's own in common. An expiry that waits there counts only if its watchdog
//! has neither been cancelled nor started anew since.

use crate::core::{Core, Kernel};
use crate::error::Result;
use crate::handler::routine::Routine;
use crate::objects::{Id, Object};

#[derive(Debug)]
pub(crate) struct Watchdog {
    routine: Option<Routine>,
    due: u64,
    /// Its event is in the queue.
    expired: bool,
}

impl Object for Watchdog {
    const KIND: u8 = 4;
}

impl Kernel {
    /// The watchdog that expires next.
    pub(crate) fn next_watchdog(&self) -> Option<(u64, Id)> {
        self.watchdogs
            .iter()
            .filter(|(_, w)| w.routine.is_some() && !w.expired)
            .map(|(id, w)| (w.due, id))
            .min()
    }

    pub(crate) fn watchdog_expired(&mut self, id: Id) {
        if let Ok(watchdog) = self.watchdogs.get(id) {
            watchdog.expired = true;
        }
    }

    /// The routine of a watchdog whose expiry at `due` is served.
    pub(crate) fn take_watchdog(&mut self, id: Id, due: u64) -> Option<Routine> {
        let watchdog = self.watchdogs.get(id).ok()?;
        if !watchdog.expired || watchdog.due != due {
            return None;
        }
        watchdog.expired = false;
        watchdog.routine.take()
    }
}

impl Core {
    pub(crate) fn watchdog_create(&self) -> Result<Id> {
        self.no_isr()?;
        self.enter().watchdogs.insert(Watchdog {
            routine: None,
            due: 0,
            expired: false,
        })
    }

    pub(crate) fn watchdog_delete(&self, id: Id) -> Result<()> {
        self.no_isr()?;
        self.enter().watchdogs.remove(id).map(drop)
    }

    pub(crate) fn watchdog_start(&self, id: Id, ns: u64, routine: Routine) -> Result<()> {
        let due = self.now().saturating_add(ns);
        let mut kernel = self.enter();
        let watchdog = kernel.watchdogs.get(id)?;
        // Two expiries of one watchdog differ in their time.
        let due = if watchdog.expired && watchdog.due == due {
            due + 1
        } else {
            due
        };
        *watchdog = Watchdog {
            routine: Some(routine),
            due,
            expired: false,
        };
        self.now.will_expire(due);
        drop(kernel);
        self.ring_clock();
        Ok(())
    }

    pub(crate) fn watchdog_cancel(&self, id: Id) -> Result<()> {
        let mut kernel = self.enter();
        let watchdog = kernel.watchdogs.get(id)?;
        watchdog.routine = None;
        watchdog.expired = false;
        Ok(())
    }
}
