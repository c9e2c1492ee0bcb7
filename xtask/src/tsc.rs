//! The rate of the time-stamp counter, which an emulated guest shares.
//!
//! Without ACPI the guest has no second clock to compare the counter with, and
//! under emulation its calibration against the old timer chip fails: it would
//! fall back to a clock of 4 ms steps. So it is told the rate.

use std::arch::x86_64::_rdtsc;
use std::thread;
use std::time::{Duration, Instant};

/// Ticks per millisecond.
pub(crate) fn kilohertz() -> u64 {
    // The shortest of several windows is the least disturbed one; the error of
    // a window is what passes between its two readings of both clocks.
    let (mut best_error, mut best) = (Duration::MAX, 0);
    for _ in 0..5 {
        let (start, first, before) = reading();
        thread::sleep(Duration::from_millis(10));
        let (end, last, after) = reading();
        let error = before + after;
        let nanoseconds = (end - start).as_nanos();
        if error < best_error && nanoseconds > 0 {
            best_error = error;
            best = u128::from(last.wrapping_sub(first)) * 1_000_000 / nanoseconds;
        }
    }
    best as u64
}

/// Both clocks, and how far apart they may have been read.
fn reading() -> (Instant, u64, Duration) {
    let before = Instant::now();
    // SAFETY: every x86-64 processor has the instruction, and Linux lets user
    // programs execute it unless they ask for the contrary (PR_SET_TSC).
    let ticks = unsafe { _rdtsc() };
    let after = Instant::now();
    (before + (after - before) / 2, ticks, after - before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_a_real_machine() {
        let rate = kilohertz();
        assert!((100_000..20_000_000).contains(&rate), "{rate} kHz");
    }
}
