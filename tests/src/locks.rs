// SPDX-License-Identifier: MIT OR Apache-2.0

//! What it costs to keep service routines away for a moment, and its peers.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use app_shim::{Config, Controller, Mode};
use sigrt::sys::{self, SignalSet};

/// In one run; the shortest of several counts.
const PAIRS: u32 = 100_000;
const RUNS: usize = 7;

/// Names, and what locking and unlocking once costs in the unit of `clock`, which measures one run.
pub fn costs(clock: impl Fn(&mut dyn FnMut()) -> u64) -> Vec<(&'static str, f64)> {
    let measure = |pair: &mut dyn FnMut()| {
        let run = || {
            clock(&mut || {
                for _ in 0..PAIRS {
                    pair();
                }
            })
        };
        let best = std::iter::repeat_with(run).take(RUNS).min();
        best.unwrap_or_default() as f64 / f64::from(PAIRS)
    };
    let set = SignalSet::of(&[sys::sigrtmax() - 1]);
    let mutex = Mutex::new(0_u64);
    let mut costs = vec![
        (
            "signal blocked and unblocked",
            measure(&mut || drop(sys::block(&set))),
        ),
        (
            "free mutex",
            measure(&mut || {
                let mut guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
                **black_box(&mut guard) += 1;
            }),
        ),
    ];
    for (name, mode) in [
        ("int_lock, preempt mode", Mode::Preempt),
        ("int_lock, thread mode", Mode::Thread),
    ] {
        let controller = Controller::new(Config {
            mode,
            ..Config::default()
        })
        .unwrap();
        controller.start().unwrap();
        let cost = measure(&mut || {
            let key = black_box(&controller).int_lock();
            controller.int_unlock(key);
        });
        controller.stop().unwrap();
        costs.push((name, cost));
    }
    costs
}
