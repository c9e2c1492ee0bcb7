// SPDX-License-Identifier: GPL-2.0

//! Timer sources: a high-resolution timer that posts from its interrupt.
//!
//! Each event's value is the number of periods that it stands for: 1, or more if the timer was late. Periods
//! without a subscriber are not events and do not count towards the timer's end, so a one-shot timer cannot be
//! missed by subscribing to it after it was created.

use super::{
    abi,
    source::{self, Description, Source},
};
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, ArcBorrow,
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle, HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerPointer,
            HrTimerRestart, RelativeMode,
        },
        Delta, Monotonic,
    },
};

/// A running timer source; dropping it stops the timer but leaves the source listed, so use
/// [`Timer::stop`].
pub(crate) struct Timer {
    handle: ArcHrTimerHandle<Ticker>,
    source: Arc<Source>,
}

#[pin_data]
struct Ticker {
    #[pin]
    timer: HrTimer<Self>,
    source: Arc<Source>,
    period: Delta,
    /// Expirations left; `None`: no end.
    remaining: Option<Atomic<u64>>,
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Ticker {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl HrTimerCallback for Ticker {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: ArcBorrow<'_, Self>,
        mut context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        let now = source::now();
        let mut periods = context.forward_now(this.period);
        if !this.source.has_subscribers() {
            return HrTimerRestart::Restart;
        }
        let mut restart = HrTimerRestart::Restart;
        if let Some(remaining) = &this.remaining {
            // Only this callback changes it, and it does not run concurrently with itself.
            let left = remaining.load(Relaxed);
            periods = periods.min(left);
            remaining.store(left - periods, Relaxed);
            if left == periods {
                restart = HrTimerRestart::NoRestart;
            }
        }
        // A source that is being removed takes no more events; the timer is about to be stopped.
        let _ = this.source.post(abi::KIND_EVENT, Some(periods), &[], now);
        restart
    }
}

impl Timer {
    /// Creates the source and starts its timer: first after `first_ns`, 0 for a whole period; `count`
    /// expirations, 0 for no end.
    ///
    /// # Errors
    ///
    /// Those of [`Source::register`].
    pub(crate) fn start(description: Description, first_ns: u64, count: u64) -> Result<Self> {
        let period = Delta::from_nanos(description.period_ns as i64);
        let first = match first_ns {
            0 => period,
            first_ns => Delta::from_nanos(first_ns as i64),
        };
        let source = Source::register(description)?;
        let posted_to = source.clone();
        let ticker = Arc::pin_init(
            pin_init!(Ticker {
                timer <- HrTimer::new(),
                source: posted_to,
                period,
                remaining: (count > 0).then(|| Atomic::new(count)),
            }),
            GFP_KERNEL_ACCOUNT,
        )
        .inspect_err(|_| source.unregister())?;
        Ok(Self {
            handle: ticker.start(first),
            source,
        })
    }

    /// The source.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Stops the timer, waits for its interrupt, and ends the source.
    pub(crate) fn stop(self) {
        drop(self.handle);
        self.source.unregister();
    }
}
