// SPDX-License-Identifier: GPL-2.0

//! Synchronous calls: a process asks the driver behind a source and sleeps until the answer is there.
//!
//! The driver is handed a token and returns; whoever has the answer, an interrupt handler perhaps, completes
//! the call by that token. A caller that gives up takes its token along, so a late answer finds nothing and
//! does no harm. The table has a lock of its own, [`Calls::table`], the innermost but for the wait queue:
//! a call can be completed wherever an event can be posted.

use super::{
    abi,
    client::Client,
    error,
    irq_lock::{new_irq_lock, IrqLock},
    source::{self, now, Given},
};
use kernel::{
    new_condvar,
    prelude::*,
    sync::{CondVar, CondVarTimeoutResult},
    time::{msecs_to_jiffies, NSEC_PER_MSEC},
    uaccess::{UserPtr, UserSlice},
};

/// Callers of one source at once.
const MAX_CALLS: usize = 64;
/// Longest single sleep: what is longer is slept in several.
const MAX_SLEEP_MS: u64 = 1000 * 3600;

/// The calls of one source that wait for their answers.
#[pin_data]
pub(crate) struct Calls {
    #[pin]
    table: IrqLock<Table>,
    #[pin]
    answered: CondVar,
}

struct Table {
    next: u64,
    gone: bool,
    /// Never grows: completing must find a place, and joining must not allocate under the lock.
    pending: KVec<Pending>,
}

struct Pending {
    token: u64,
    answer: KVVec<u8>,
    result: Option<Result<usize>>,
}

/// A place in the table, given up when dropped.
pub(crate) struct Ticket<'a> {
    calls: &'a Calls,
    /// Names the call to the driver; never 0 and never used again for this source.
    pub(crate) token: u64,
}

impl Calls {
    /// A table without calls.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            table <- new_irq_lock!(
                Table {
                    next: 1,
                    gone: false,
                    pending: KVec::new(),
                },
                "rtnotify_calls"
            ),
            answered <- new_condvar!("rtnotify_answered"),
        })
    }

    /// Makes place for the calls, before the first of them. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn prepare(&self) -> Result {
        let pending = KVec::with_capacity(MAX_CALLS, GFP_KERNEL_ACCOUNT)?;
        self.table.lock().pending = pending;
        Ok(())
    }

    /// Joins the table with room for an answer.
    ///
    /// # Errors
    ///
    /// `EAGAIN`: too many callers. `ENODEV`: the source is gone.
    pub(crate) fn join(&self, answer: KVVec<u8>) -> Result<Ticket<'_>> {
        let mut call = Pending {
            token: 0,
            answer,
            result: None,
        };
        let mut table = self.table.lock();
        if table.gone {
            drop(table);
            return Err(ENODEV);
        }
        let token = table.next;
        call.token = token;
        match table.pending.push_within_capacity(call) {
            Ok(()) => {
                table.next += 1;
                drop(table);
                Ok(Ticket { calls: self, token })
            }
            Err(refused) => {
                // In this order: freeing may sleep.
                drop(table);
                drop(refused);
                Err(EAGAIN)
            }
        }
    }

    /// Answers the call `token`: any context but NMI.
    ///
    /// # Errors
    ///
    /// `ESTALE`: the caller is gone, or has been answered. `EMSGSIZE`: the caller has less room, and is told so
    /// with the same errno.
    pub(crate) fn complete(&self, token: u64, answer: Result<&[u8]>) -> Result {
        let mut table = self.table.lock();
        let call = table
            .pending
            .iter_mut()
            .find(|call| call.token == token && call.result.is_none())
            .ok_or_else(error::stale)?;
        let result = call.complete(answer);
        drop(table);
        self.answered.notify_all();
        result
    }

    /// Answers every call that waits: any context but NMI.
    pub(crate) fn complete_all(&self, answer: &[u8]) {
        let mut waited = false;
        for call in self.table.lock().pending.iter_mut() {
            if call.result.is_none() {
                waited = true;
                // Who has less room is told.
                let _ = call.complete(Ok(answer));
            }
        }
        if waited {
            self.answered.notify_all();
        }
    }

    /// The source is gone: every caller that has no answer gets `ENODEV`.
    pub(crate) fn end(&self) {
        self.table.lock().gone = true;
        self.answered.notify_all();
    }
}

impl Pending {
    /// Notes the answer, or why there is none.
    fn complete(&mut self, answer: Result<&[u8]>) -> Result {
        let told = answer.and_then(|bytes| {
            let place = self.answer.get_mut(..bytes.len()).ok_or(EMSGSIZE)?;
            place.copy_from_slice(bytes);
            Ok(bytes.len())
        });
        self.result = Some(told);
        match answer {
            Ok(_) => told.map(drop),
            // That it is an error is what the producer wanted.
            Err(_) => Ok(()),
        }
    }
}

impl Ticket<'_> {
    /// Waits for the answer until `deadline` on `CLOCK_MONOTONIC`; returns the buffer and how much of it is the
    /// answer.
    ///
    /// # Errors
    ///
    /// The driver's, `EMSGSIZE`, `ENODEV`, `ETIMEDOUT`, `EINTR`.
    pub(crate) fn wait(self, deadline: Option<u64>) -> Result<(KVVec<u8>, usize)> {
        let mut table = self.calls.table.lock();
        loop {
            let gone = table.gone;
            let call = table
                .pending
                .iter_mut()
                .find(|call| call.token == self.token)
                .ok_or(ENODEV)?;
            if let Some(result) = call.result.take() {
                let answer = core::mem::replace(&mut call.answer, KVVec::new());
                drop(table);
                return result.map(|len| (answer, len));
            }
            if gone {
                return Err(ENODEV);
            }
            if sleep(&self.calls.answered, &mut table, deadline)? {
                // The driver may have done its part, so the call must not be started again by itself.
                return Err(EINTR);
            }
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut table = self.calls.table.lock();
        let index = table
            .pending
            .iter()
            .position(|call| call.token == self.token);
        let call = index.and_then(|index| table.pending.remove(index).ok());
        drop(table);
        // Only now: freeing the buffer may sleep.
        drop(call);
    }
}

/// Sleeps until `condvar` is notified or `deadline` has come, if there is one; true: a signal came. It may wake
/// for nothing, so the caller looks again.
///
/// # Errors
///
/// `ETIMEDOUT`: the deadline had passed already.
pub(crate) fn sleep<T>(
    condvar: &CondVar,
    guard: &mut kernel::sync::lock::Guard<'_, T, super::irq_lock::IrqSpin>,
    deadline: Option<u64>,
) -> Result<bool> {
    let Some(deadline) = deadline else {
        return Ok(condvar.wait_interruptible(guard));
    };
    let left = deadline.saturating_sub(now());
    if left == 0 {
        return Err(ETIMEDOUT);
    }
    let ms = left.div_ceil(NSEC_PER_MSEC as u64).min(MAX_SLEEP_MS);
    let result = condvar.wait_interruptible_timeout(guard, msecs_to_jiffies(ms as u32));
    Ok(matches!(result, CondVarTimeoutResult::Signal { .. }))
}

/// The time `timeout_ns` from now; `None` for 0.
pub(crate) fn deadline(timeout_ns: u64) -> Option<u64> {
    (timeout_ns != 0).then(|| now().saturating_add(timeout_ns))
}

/// `RTNOTIFY_IOC_CALL`; see `docs/abi.md`. May sleep.
///
/// # Errors
///
/// Those of `docs/abi.md`.
pub(crate) fn call(client: &Client, request: &mut abi::Call) -> Result {
    if request.flags & !abi::CALL_REFERENCE != 0 || request.reserved0 != 0 || request.reserved != 0
    {
        return Err(EINVAL);
    }
    let source = source::find(request.source)?;
    let room = source.check_call(request.message_len as usize, request.answer_len as usize)?;
    let len = if request.flags & abi::CALL_REFERENCE != 0 {
        let outbox = client.outbox()?;
        let message = outbox.part(request.message, request.message_len as usize)?;
        let place = outbox.part(request.answer, room)?;
        let (answer, len) = source.call(request, Given::Shared(&message), room)?;
        place.put(answer.get(..len).ok_or(EINVAL)?);
        len
    } else {
        let mut message = KVVec::new();
        UserSlice::new(
            UserPtr::from_addr(request.message as usize),
            request.message_len as usize,
        )
        .read_all(&mut message, GFP_KERNEL_ACCOUNT)?;
        // A caller that cannot take the answer must not have the driver do anything.
        let place = UserPtr::from_addr(request.answer as usize);
        let mut nothing = KVVec::new();
        nothing.resize(room, 0, GFP_KERNEL_ACCOUNT)?;
        UserSlice::new(place, room).writer().write_slice(&nothing)?;
        let (answer, len) = source.call(request, Given::Own(&message), room)?;
        UserSlice::new(place, len)
            .writer()
            .write_slice(answer.get(..len).ok_or(EINVAL)?)?;
        len
    };
    request.answer_len = len as u32;
    Ok(())
}
