// SPDX-License-Identifier: GPL-2.0

//! Reading a source as a stream of bytes: registrations with `RTNOTIFY_REG_STREAM`.
//!
//! The events of the one source are joined; where one ends and the next begins cannot be seen. An event of
//! which a part has been read stays at the head of the queue, and `offset` says how much of it is gone. A loss
//! interrupts the stream: a `read` stops before it, and the next one reports it.
//!
//! Same locks as the rest of the client: the reader mutex is held throughout, the state lock is not while
//! bytes are copied.

use super::{payload, Client};
use crate::{
    abi, error,
    machine::{Claim, Consumer},
    registration::Registration,
};
use kernel::{prelude::*, uaccess::UserSliceWriter};

/// How far a registration has read its stream.
pub(crate) struct Stream {
    /// Bytes of the oldest event that have been read.
    offset: usize,
    /// Whether a source has ever been subscribed to: only then can the stream have ended.
    pub(super) started: bool,
    gap: abi::StreamGap,
}

impl Stream {
    /// A stream of which nothing has been read.
    pub(crate) fn new() -> Self {
        Self {
            offset: 0,
            started: false,
            gap: abi::StreamGap::zeroed(),
        }
    }

    fn note_gap(&mut self, claim: &Claim) {
        let record = &claim.record;
        self.gap = abi::StreamGap {
            size: abi::StreamGap::BYTES as u32,
            gaps: self.gap.gaps + 1,
            source: record.source,
            reason: record.reason.into(),
            first: record.source_seq,
            last: record.value,
            time_ns: record.time_ns,
            count: record.payload_len,
            ..abi::StreamGap::zeroed()
        };
    }
}

impl Registration {
    /// Whether this is a stream whose source is gone and of which everything has been read.
    pub(super) fn has_ended(&self) -> bool {
        let started = self.stream.as_ref().is_some_and(|stream| stream.started);
        started && self.machine.subscription_count() == 0 && self.machine.is_empty()
    }
}

impl Client {
    /// Reads what is there of the stream; the caller holds `reader`. `None`: nothing now; 0: the end.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`, `EFAULT`, `ENOBUFS`.
    pub(super) fn read_stream(
        &self,
        out: &mut UserSliceWriter,
        lane: Option<usize>,
    ) -> Result<Option<usize>> {
        let mut done = 0;
        while !out.is_empty() {
            let (claim, offset, arena) = {
                let mut state = self.state.lock();
                let registration = state
                    .registration
                    .as_mut()
                    .ok_or_else(error::not_registered)?;
                let Some(claim) = registration.claim(lane) else {
                    if done == 0 && !registration.has_ended() {
                        registration.machine.counters_mut().spurious += 1;
                        return Ok(None);
                    }
                    break;
                };
                let stream = registration.stream.as_ref().ok_or(EINVAL)?;
                (claim, stream.offset, registration.arena().clone())
            };
            if claim.record.is_gap() {
                let mut state = self.state.lock();
                let registration = state
                    .registration
                    .as_mut()
                    .ok_or_else(error::not_registered)?;
                if done > 0 {
                    registration.machine.unclaim(claim);
                    break;
                }
                if let Some(stream) = &mut registration.stream {
                    stream.note_gap(&claim);
                }
                registration.machine.consume(claim, Consumer::Read);
                registration.ring_all();
                self.changed(&mut state);
                return Err(error::lost());
            }
            if !claim.record.is_event() {
                // The end of the source, which is told by there being nothing more.
                if let Some(registration) = &mut self.state.lock().registration {
                    registration.machine.consume(claim, Consumer::Read);
                }
                continue;
            }
            let inline = claim.record.value.to_ne_bytes();
            let bytes = if claim.record.flags & abi::RECORD_INLINE != 0 {
                &inline[..claim.record.payload_len as usize]
            } else {
                // SAFETY: The place is claimed, and `reader` keeps the registration.
                unsafe { payload(&claim, &arena) }
            };
            let len = bytes.len();
            let rest = bytes.get(offset..).unwrap_or(&[]);
            let part = &rest[..rest.len().min(out.len())];
            let copied = out.write_slice(part);

            let mut state = self.state.lock();
            let registration = state
                .registration
                .as_mut()
                .ok_or_else(error::not_registered)?;
            if copied.is_err() {
                registration.machine.unclaim(claim);
                if done == 0 {
                    return Err(EFAULT);
                }
                break;
            }
            done += part.len();
            let next = offset + part.len();
            let complete = next >= len;
            if let Some(stream) = &mut registration.stream {
                stream.offset = if complete { 0 } else { next };
            }
            if complete {
                registration.machine.consume(claim, Consumer::Read);
            } else {
                registration.machine.unclaim(claim);
            }
        }
        let mut state = self.state.lock();
        if let Some(registration) = &mut state.registration {
            registration.ring_all();
        }
        self.changed(&mut state);
        Ok(Some(done))
    }

    /// The gap that a `read` has stopped at last.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`; `EINVAL`: not registered for a stream; `ENODATA`: there has been none.
    pub(crate) fn stream_gap(&self) -> Result<abi::StreamGap> {
        let state = self.state.lock();
        let registration = state
            .registration
            .as_ref()
            .ok_or_else(error::not_registered)?;
        let gap = registration.stream.as_ref().ok_or(EINVAL)?.gap;
        if gap.gaps == 0 {
            return Err(error::no_payload());
        }
        Ok(gap)
    }
}
