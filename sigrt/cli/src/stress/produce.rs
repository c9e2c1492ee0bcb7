// SPDX-License-Identifier: MIT OR Apache-2.0

//! Threads that post.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use sigrt::{Batch, Error, Source};

use super::Plan;

/// Waits a moment, longer when there have been many.
fn pause(spins: &mut u32) {
    *spins += 1;
    if *spins < 100 {
        thread::yield_now();
    } else {
        thread::sleep(Duration::from_micros(50));
    }
}

/// Posts one producer's share; how many were posted.
pub(super) fn produce(plan: &Plan<'_>, number: usize, source: &Source) -> sigrt::Result<u64> {
    let share = plan.goals[number].load(Ordering::Relaxed);
    let posted = post(plan, number, source, share);
    // Subscribers wait for no more than this.
    let made = match &posted {
        Ok(made) => *made,
        Err(_) => 0,
    };
    plan.goals[number].store(made, Ordering::Release);
    posted
}

fn post(plan: &Plan<'_>, number: usize, source: &Source, share: u64) -> sigrt::Result<u64> {
    let flood = plan.arguments.flood;
    let mut batch = source.batch();
    let mut n = 0;
    // All subscribers have handled so many, as far as is known.
    let mut slowest = 0;
    while n < share {
        let mut spins = 0;
        while !flood && n - slowest >= plan.ahead {
            slowest = plan.slowest(number);
            if n - slowest < plan.ahead {
                break;
            }
            if plan.enough.load(Ordering::Relaxed) {
                return Ok(n);
            }
            pause(&mut spins);
        }
        if plan.enough.load(Ordering::Relaxed) {
            return Ok(n);
        }
        let room = if flood {
            u64::MAX
        } else {
            plan.ahead - (n - slowest)
        };
        let until = n + plan.arguments.batch.min(room).min(share - n);
        if plan.arguments.batch == 1 {
            if !single(plan, number, source, n)? {
                return Ok(n);
            }
            n += 1;
            continue;
        }
        for n in n..until {
            batch.push(0, Some(n), plan.payloads.of(number, n))?;
        }
        let made = send(plan, &mut batch)?;
        n += made;
        if n < until {
            return Ok(n);
        }
    }
    Ok(n)
}

/// Posts one event; false if there was no room until it was enough.
fn single(plan: &Plan<'_>, number: usize, source: &Source, n: u64) -> sigrt::Result<bool> {
    let mut spins = 0;
    loop {
        match source.post(Some(n), plan.payloads.of(number, n)) {
            Ok(()) => return Ok(true),
            Err(Error::Busy { .. }) if !plan.enough.load(Ordering::Relaxed) => pause(&mut spins),
            Err(Error::Busy { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Posts a batch; how many of it, which is all unless it was enough.
fn send(plan: &Plan<'_>, batch: &mut Batch) -> sigrt::Result<u64> {
    let all = batch.len() as u64;
    let mut spins = 0;
    loop {
        match batch.send() {
            Ok(()) => return Ok(all),
            Err(Error::Busy { .. }) if !plan.enough.load(Ordering::Relaxed) => pause(&mut spins),
            Err(Error::Busy { .. }) => return Ok(all - batch.len() as u64),
            Err(error) => return Err(error),
        }
    }
}
