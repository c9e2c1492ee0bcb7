// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long events took, in powers of two.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Columns of a histogram: below 1 µs, below 2 µs, … and what takes longer than the last.
pub(crate) const COLUMNS: usize = 16;

/// Times from the event to its reception; columns are powers of two of a microsecond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    columns: [u64; COLUMNS],
    longest: Duration,
}

/// Now, on the clock of events.
pub(crate) fn now() -> Duration {
    // The clock exists on every Linux, so the call cannot fail.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

impl Histogram {
    pub(crate) fn add(&mut self, time: Duration) {
        let us = time.as_micros().min(u128::from(u64::MAX)) as u64;
        let column = (u64::BITS - us.leading_zeros()) as usize;
        self.columns[column.min(COLUMNS - 1)] += 1;
        self.longest = self.longest.max(time);
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (column, count) in self.columns.iter_mut().zip(other.columns) {
            *column += count;
        }
        self.longest = self.longest.max(other.longest);
    }

    pub(crate) fn count(&self) -> u64 {
        self.columns.iter().sum()
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }

    /// A time that this part (of 1000) of all events did not exceed: the upper bound of a column.
    pub(crate) fn quantile(&self, permille: u64) -> Option<Duration> {
        let rank = (self.count() * permille).div_ceil(1000);
        let mut seen = 0;
        for (column, &count) in self.columns.iter().enumerate() {
            seen += count;
            if count > 0 && seen >= rank {
                let bound = Duration::from_micros(1 << column);
                // The last column has no bound of its own.
                return Some(if column == COLUMNS - 1 {
                    self.longest
                } else {
                    bound.min(self.longest)
                });
            }
        }
        None
    }

    /// A bar for each column, relative to the highest.
    pub(crate) fn bars(&self) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let highest = self.columns.iter().copied().max().unwrap_or(0).max(1);
        self.columns
            .iter()
            .map(|&count| match count {
                0 => '·',
                // Any at all are seen.
                count => BARS[(count * 7).div_ceil(highest).min(7) as usize],
            })
            .collect()
    }

    pub(crate) fn columns(&self) -> &[u64; COLUMNS] {
        &self.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_upper_bounds() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(500), None);
        for us in 0..1000 {
            histogram.add(Duration::from_micros(us));
        }
        assert_eq!(histogram.count(), 1000);
        assert_eq!(histogram.quantile(500), Some(Duration::from_micros(512)));
        assert_eq!(histogram.quantile(1000), Some(Duration::from_micros(999)));
        assert_eq!(histogram.quantile(1), Some(Duration::from_micros(1)));
        histogram.add(Duration::from_secs(100));
        assert_eq!(histogram.quantile(1000), Some(Duration::from_secs(100)));
        assert_eq!(histogram.bars().chars().count(), COLUMNS);
    }
}
