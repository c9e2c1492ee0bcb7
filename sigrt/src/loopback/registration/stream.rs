// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reading a source as a stream of bytes: registrations with `RTNOTIFY_REG_STREAM`.
//!
//! The events of the one source are joined. An event of which a part has been read stays at the head of the
//! queue. A loss interrupts the stream: a `read` stops before it, and the next one reports it.

use nix::errno::Errno;
use rtnotify_core::abi;
use rtnotify_core::machine::Consumer;

use super::Registration;

/// How far a registration has read its stream.
pub(crate) struct Stream {
    /// Bytes of the oldest event that have been read.
    offset: usize,
    /// Whether a source has ever been subscribed to: only then can the stream have ended.
    started: bool,
    gap: abi::StreamGap,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            offset: 0,
            started: false,
            gap: abi::StreamGap::zeroed(),
        }
    }
}

impl Registration {
    /// Whether a source with these flags may be subscribed to: a stream is one source, and of bytes.
    pub(crate) fn check_stream(&self, source_flags: u32, lane: usize) -> Result<(), Errno> {
        if self.stream.is_none() {
            return Ok(());
        }
        // What has been read in part cannot be withdrawn.
        let lane = self.machine.lane_config(lane);
        if source_flags & abi::SOURCE_STREAM == 0 || lane.is_none_or(|l| l.policy.withdraws()) {
            return Err(Errno::EINVAL);
        }
        if self.machine.subscription_count() > 0 {
            return Err(Errno::EBUSY);
        }
        Ok(())
    }

    /// A source has been subscribed to.
    pub(crate) fn start_stream(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.started = true;
        }
    }

    /// Whether this is a stream whose source is gone and of which everything has been read.
    pub(crate) fn has_ended(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.started)
            && self.machine.subscription_count() == 0
            && self.machine.is_empty()
    }

    /// Reads what is there of the stream; 0: the end.
    pub(crate) fn read_stream(
        &mut self,
        buffer: &mut [u8],
        lane: Option<usize>,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < buffer.len() {
            let Some(claim) = self.claim(lane) else {
                if done == 0 && !self.has_ended() {
                    self.machine.counters_mut().spurious += 1;
                    return Err(Errno::EAGAIN);
                }
                break;
            };
            let Some(stream) = &mut self.stream else {
                self.machine.unclaim(claim);
                return Err(Errno::EINVAL);
            };
            let record = claim.record;
            if record.is_gap() {
                if done > 0 {
                    self.machine.unclaim(claim);
                    break;
                }
                stream.gap = abi::StreamGap {
                    size: abi::StreamGap::BYTES as u32,
                    gaps: stream.gap.gaps + 1,
                    source: record.source,
                    reason: record.reason.into(),
                    first: record.source_seq,
                    last: record.value,
                    time_ns: record.time_ns,
                    count: record.payload_len,
                    ..abi::StreamGap::zeroed()
                };
                self.machine.consume(claim, Consumer::Read);
                self.ring_all();
                return Err(Errno::ENOBUFS);
            }
            if !record.is_event() {
                // The end of the source, which is told by there being nothing more.
                self.machine.consume(claim, Consumer::Read);
                continue;
            }
            let inline = record.value.to_ne_bytes();
            let bytes = if record.flags & abi::RECORD_INLINE != 0 {
                &inline[..record.payload_len as usize]
            } else {
                &self.arena[claim.place.clone()]
            };
            let rest = &bytes[stream.offset..];
            let len = rest.len().min(buffer.len() - done);
            buffer[done..done + len].copy_from_slice(&rest[..len]);
            done += len;
            if len == rest.len() {
                stream.offset = 0;
                self.machine.consume(claim, Consumer::Read);
            } else {
                stream.offset += len;
                self.machine.unclaim(claim);
            }
        }
        self.ring_all();
        Ok(done)
    }

    /// The gap that a `read` has stopped at last.
    pub(crate) fn stream_gap(&self) -> Result<abi::StreamGap, Errno> {
        let gap = self.stream.as_ref().ok_or(Errno::EINVAL)?.gap;
        if gap.gaps == 0 {
            return Err(Errno::ENODATA);
        }
        Ok(gap)
    }
}
