// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which realtime signal numbers this process's subscriptions and receivers use.
//!
//! Signals are directed at dispatcher threads, so two subscriptions could share a number; distinct ones are
//! only kinder to whoever reads a trace. A receiver of [`crate::realtime`] has its number for itself: it takes
//! whatever comes. One mutex, held for a few instructions and under nothing else.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rtnotify_core::abi;

use crate::error::{Error, Result};
use crate::sys;

const NUMBERS: usize = abi::LAST_SIGNAL as usize + 1;

#[derive(Clone, Copy)]
struct Number {
    users: u32,
    exclusive: bool,
    /// The handler is one that this crate has left there.
    handled: bool,
}

const UNUSED: Number = Number {
    users: 0,
    exclusive: false,
    handled: false,
};

static NUMBERS_IN_USE: Mutex<[Number; NUMBERS]> = Mutex::new([UNUSED; NUMBERS]);

fn numbers() -> MutexGuard<'static, [Number; NUMBERS]> {
    NUMBERS_IN_USE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn range() -> std::ops::RangeInclusive<i32> {
    sys::sigrtmin().max(abi::FIRST_SIGNAL as i32)..=sys::sigrtmax().min(abi::LAST_SIGNAL as i32)
}

/// The right to use a number, until dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    signo: i32,
}

impl Lease {
    /// `count` numbers in ascending order: the one asked for and some above it, or the least used ones that nobody
    /// handles.
    pub(crate) fn ascending(wanted: Option<i32>, count: usize) -> Result<Vec<Self>> {
        let mut numbers = numbers();
        let mut chosen = Vec::new();
        if let Some(signo) = wanted {
            chosen.push(check(signo, numbers[index(signo)?], false)?);
        }
        let mut free: Vec<i32> = range()
            .filter(|&s| wanted.is_none_or(|first| s > first))
            .filter(|&s| numbers[s as usize].handled || sys::has_default_action(s))
            .filter(|&s| !numbers[s as usize].exclusive)
            .collect();
        free.sort_by_key(|&s| numbers[s as usize].users);
        chosen.extend(free.into_iter().take(count - chosen.len()));
        if chosen.len() < count {
            return Err(Error::Signal {
                signo: 0,
                why: "the program uses every realtime signal itself",
            });
        }
        chosen.sort_unstable();
        Ok(chosen
            .into_iter()
            .map(|signo| {
                numbers[signo as usize].users += 1;
                Self { signo }
            })
            .collect())
    }

    /// The number asked for, for nobody else.
    pub(crate) fn exclusive(signo: i32) -> Result<Self> {
        let mut numbers = numbers();
        let number = &mut numbers[index(signo)?];
        check(signo, *number, true)?;
        number.users += 1;
        number.exclusive = true;
        Ok(Self { signo })
    }

    pub(crate) fn signo(&self) -> i32 {
        self.signo
    }

    /// A handler is about to be installed that does nothing once nobody needs it.
    pub(crate) fn will_be_handled(&self) {
        if sys::has_default_action(self.signo) {
            numbers()[self.signo as usize].handled = true;
        }
    }
}

fn index(signo: i32) -> Result<usize> {
    if range().contains(&signo) {
        Ok(signo as usize)
    } else {
        Err(Error::Signal {
            signo,
            why: "not a realtime signal, SIGRTMIN to SIGRTMAX",
        })
    }
}

fn check(signo: i32, number: Number, alone: bool) -> Result<i32> {
    if number.exclusive || (alone && number.users > 0) {
        return Err(Error::Signal {
            signo,
            why: "in use in this process already",
        });
    }
    Ok(signo)
}

impl Drop for Lease {
    fn drop(&mut self) {
        let number = &mut numbers()[self.signo as usize];
        number.users -= 1;
        number.exclusive = false;
    }
}
