// SPDX-License-Identifier: MIT OR Apache-2.0

//! Recorded deliveries: a file that says what arrived, from which source, and when.
//!
//! A trace is what a subscription delivered, in its order: events with their payloads, gaps, ends of sources.
//! It is written by [`Writer`] (`rtnotify record`) and read by [`Reader`] (`rtnotify replay`, and whoever wants
//! to feed a program with what really happened). Both only need [`std::io::Write`] and [`std::io::Read`].
//!
//! Every frame has checksums of its own. A trace whose writer was killed ends early, and the reader says where;
//! all that was written before is there. A frame with a damaged body is reported and stepped over. The format is
//! described in `docs/trace-format.md`; numbers are little-endian, whatever the machine.
//!
//! # Examples
//!
//! ```
//! use sigrt::trace::{Entry, Reader, Source, Writer};
//! use sigrt::{Device, SourceOptions};
//!
//! let device = Device::loopback();
//! let door = device.create_source(SourceOptions::new("door"))?;
//! let subscription = device.subscription().subscribe(&door).start()?;
//! door.post(Some(1), b"open")?;
//!
//! let mut writer = Writer::new(Vec::new())?;
//! writer.meta("place", "hall")?;
//! writer.source(&Source::from(&device.sources()?[0]))?;
//! writer.delivery(&subscription.recv()?)?;
//! let bytes = writer.finish()?;
//!
//! let entries = Reader::new(&bytes[..])?.collect::<Result<Vec<_>, _>>()?;
//! let Entry::Delivery(delivery) = &entries[2] else { panic!("not a delivery") };
//! assert_eq!(delivery.clone().event().unwrap().payload, "open");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod frame;
mod reader;
mod writer;

use std::io;
use std::time::Duration;

pub use reader::Reader;
pub use writer::Writer;

use crate::delivery::Delivery;
use crate::device::{SourceInfo, SourceType};

/// The version of the format that [`Writer`] writes, and the newest that [`Reader`] understands.
pub const VERSION: u16 = 1;

/// One thing that a trace says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// Something about the recording as a whole; keys are the recorder's choice.
    Meta {
        /// What it is about, such as `recorded`.
        key: String,
        /// What is said.
        value: String,
    },
    /// A source; comes before the first delivery from it.
    Source(Source),
    /// What arrived.
    Delivery(Delivery),
    /// The recording was ended properly, after this much. It is the last entry.
    End(Totals),
}

/// A source as it was when the recording was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The number by which deliveries name it.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Who ran it.
    pub source_type: SourceType,
    /// Longest payload in bytes.
    pub max_payload: usize,
    /// Of a timer.
    pub period: Option<Duration>,
}

impl From<&SourceInfo> for Source {
    fn from(info: &SourceInfo) -> Self {
        Self {
            number: info.number,
            name: info.name.clone(),
            source_type: info.source_type,
            max_payload: info.max_payload,
            period: info.period,
        }
    }
}

/// How much a trace holds.
///
/// # Examples
///
/// ```
/// # use sigrt::trace::Totals;
/// assert_eq!(Totals::default().deliveries(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events.
    pub events: u64,
    /// Gaps.
    pub gaps: u64,
    /// Events that the gaps say were lost.
    pub lost: u64,
    /// Ends of sources.
    pub gone: u64,
}

impl Totals {
    /// Entries of kind [`Entry::Delivery`].
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.events + self.gaps + self.gone
    }

    /// Counts one more.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions, trace::Totals};
    /// # let device = Device::loopback();
    /// # let source = device.create_source(SourceOptions::new("adc"))?;
    /// # let subscription = device.subscription().subscribe("adc").start()?;
    /// # source.post(None, b"")?;
    /// let mut totals = Totals::default();
    /// totals.count(&subscription.recv()?);
    /// assert_eq!(totals.events, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&mut self, delivery: &Delivery) {
        match delivery {
            Delivery::Event(_) => self.events += 1,
            Delivery::Gap(gap) => {
                self.gaps += 1;
                self.lost = self.lost.saturating_add(gap.count.into());
            }
            Delivery::Gone(_) => self.gone += 1,
        }
    }
}

/// What is wrong with a trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// Reading failed.
    #[error("cannot read the trace: {0}")]
    Io(#[from] io::Error),
    /// The file does not start as a trace does.
    #[error("this is not a trace (it does not start with the mark of one)")]
    NotATrace,
    /// It starts as a trace does, but the rest of its head is damaged.
    #[error("the head of the trace is damaged")]
    Head,
    /// It was written by a newer version.
    #[error(
        "the trace has version {found}, this program reads up to {VERSION}: use the one that recorded it"
    )]
    Version {
        /// The version.
        found: u16,
    },
    /// The file ends within a frame, or without the mark of a proper end: the recorder was killed, the disk was
    /// full, or the file was cut. Everything before `offset` is intact and has been returned.
    #[error("the trace ends early, at byte {offset}: what came before is intact")]
    Truncated {
        /// First byte of the frame that is missing or incomplete.
        offset: u64,
    },
    /// A frame is damaged. If only its body is, the reader goes on with the next frame; otherwise there is no
    /// telling where that is, and this was the last entry.
    #[error("the frame at byte {offset} is damaged: {what}")]
    Corrupt {
        /// First byte of the frame.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// All frames are intact, but not all are there.
    #[error("frames are missing: {found} deliveries were found, {expected} written")]
    Missing {
        /// Deliveries that the reader has seen.
        found: u64,
        /// Deliveries that the writer has counted.
        expected: u64,
    },
}
