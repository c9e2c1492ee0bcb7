// SPDX-License-Identifier: MIT OR Apache-2.0

//! What it costs to keep service routines away for a moment, and its peers: as C programs do, whose facades call the C
//! interface, and in Rust.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use app_shim::{Config, Controller, Mode};
use sigrt::sys::{self, SignalSet};

use crate::shim;

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
    // The one controller of a process that can be preemptive is the one of the C interface.
    shim::start_preemptive();
    let preempt = measure(&mut || {
        let key = shim::int_lock();
        shim::int_unlock(black_box(key));
    });
    shim::stop();
    let controller = Controller::new(Config {
        mode: Mode::Thread,
        ..Config::default()
    })
    .unwrap();
    controller.start().unwrap();
    let thread = measure(&mut || {
        let key = black_box(&controller).int_lock();
        controller.int_unlock(key);
    });
    controller.stop().unwrap();
    costs.push(("app_shim_int_lock, preempt mode", preempt));
    costs.push(("Controller::int_lock, thread mode", thread));
    costs
}
