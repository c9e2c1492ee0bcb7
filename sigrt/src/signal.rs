// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which realtime signal numbers this process's subscriptions use.
//!
//! Signals are directed at dispatcher threads, so two subscriptions could share a number; distinct ones are
//! only kinder to whoever reads a trace. One mutex, held for a few instructions and under nothing else.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rtnotify_core::abi;

use crate::error::{Error, Result};
use crate::sys;

const NUMBERS: usize = abi::LAST_SIGNAL as usize + 1;

static IN_USE: Mutex<[u32; NUMBERS]> = Mutex::new([0; NUMBERS]);

fn in_use() -> MutexGuard<'static, [u32; NUMBERS]> {
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to use a number, until dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    signo: i32,
}

impl Lease {
    /// The number asked for, or the least used one with the default action.
    pub(crate) fn new(wanted: Option<i32>) -> Result<Self> {
        let first = sys::sigrtmin().max(abi::FIRST_SIGNAL as i32);
        let last = sys::sigrtmax().min(abi::LAST_SIGNAL as i32);
        let mut counts = in_use();
        let signo = match wanted {
            Some(signo) if (first..=last).contains(&signo) => signo,
            Some(signo) => {
                return Err(Error::Signal {
                    signo,
                    why: "not a realtime signal, SIGRTMIN to SIGRTMAX",
                });
            }
            None => (first..=last)
                .filter(|&s| sys::has_default_action(s))
                .min_by_key(|&s| counts[s as usize])
                .ok_or(Error::Signal {
                    signo: 0,
                    why: "the program uses every realtime signal itself",
                })?,
        };
        counts[signo as usize] += 1;
        Ok(Self { signo })
    }

    pub(crate) fn signo(&self) -> i32 {
        self.signo
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        in_use()[self.signo as usize] -= 1;
    }
}
