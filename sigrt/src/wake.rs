// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who is to be woken when a channel that a thread fills has something: the bridge from threads to `Stream`.
//!
//! One mutex, held for a few instructions and under nothing else.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crossbeam_channel::TryRecvError;

/// Room for the one task that polls.
#[derive(Debug, Default)]
pub(crate) struct WakerSlot(Mutex<Option<Waker>>);

impl WakerSlot {
    /// What `receive` gives; where that is nothing, the task is woken when there may be something.
    pub(crate) fn poll<T>(
        &self,
        context: &Context<'_>,
        receive: impl Fn() -> Result<T, TryRecvError>,
    ) -> Poll<Option<T>> {
        for registered in [false, true] {
            match receive() {
                Ok(item) => return Poll::Ready(Some(item)),
                Err(TryRecvError::Disconnected) => return Poll::Ready(None),
                // Looked at once more: what came before the waker was there has woken nobody.
                Err(TryRecvError::Empty) if !registered => {
                    let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                    match &mut *slot {
                        Some(waker) => waker.clone_from(context.waker()),
                        none => *none = Some(context.waker().clone()),
                    }
                }
                Err(TryRecvError::Empty) => {}
            }
        }
        Poll::Pending
    }

    /// Wakes the task that polled last, if it has not been since.
    pub(crate) fn wake(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
