// SPDX-License-Identifier: MIT OR Apache-2.0

//! What locking and unlocking interrupts costs, against locking and unlocking a free mutex.
//!
//! `cargo run --release -p app-shim --example lock_cost`

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use app_shim::{Config, Controller, Failure, Mode};

const PAIRS: u32 = 1_000_000;

/// The shortest of several runs, for one pair.
fn measure(mut pair: impl FnMut()) -> f64 {
    let run = || {
        let start = Instant::now();
        for _ in 0..PAIRS {
            pair();
        }
        start.elapsed()
    };
    let best: Duration = std::iter::repeat_with(run)
        .take(7)
        .min()
        .unwrap_or_default();
    best.as_secs_f64() * 1e9 / f64::from(PAIRS)
}

fn main() -> Result<(), Failure> {
    let mutex = Mutex::new(0_u64);
    let baseline = measure(|| {
        *black_box(&mutex)
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
    });
    println!("mutex     {baseline:6.2} ns");
    for mode in [Mode::Preempt, Mode::Thread] {
        let controller = Controller::new(Config {
            mode,
            ..Config::default()
        })?;
        controller.start()?;
        let mut count = 0_u64;
        let cost = measure(|| {
            let key = black_box(&controller).int_lock();
            count += 1;
            controller.int_unlock(key);
        });
        black_box(count);
        println!(
            "{:9} {cost:6.2} ns, {:.2} of it",
            format!("{mode:?}"),
            cost / baseline
        );
        controller.stop()?;
    }
    Ok(())
}
