// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reading traces, from whatever they have become.

use std::io::{self, Read};

use super::frame::{self, Fields};
use super::{Entry, Totals, TraceError, VERSION};

/// Reads a trace, entry by entry; reads in small pieces, so give it a [`std::io::BufReader`].
///
/// As an iterator it ends after [`Entry::End`], or after an error that leaves nothing to go on with. After
/// [`TraceError::Corrupt`] it may go on: `collect` into a `Result` stops at the first error, a loop sees all that
/// is intact.
///
/// # Examples
///
/// ```
/// use sigrt::trace::{Reader, TraceError, Writer};
///
/// let mut writer = Writer::new(Vec::new())?;
/// writer.meta("place", "hall")?;
/// let bytes = writer.finish()?;
///
/// let cut = &bytes[..bytes.len() - 1];
/// let entries: Vec<_> = Reader::new(cut)?.collect();
/// assert!(entries[0].is_ok(), "what was intact is there");
/// assert!(matches!(entries[1], Err(TraceError::Truncated { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader<R: Read> {
    from: R,
    version: u16,
    /// Bytes read so far.
    offset: u64,
    totals: Totals,
    /// A damaged frame was stepped over, so counts need not agree.
    damaged: bool,
    ended: bool,
    /// Reused for every frame.
    body: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads the head of a trace.
    ///
    /// # Errors
    ///
    /// [`TraceError::NotATrace`], [`TraceError::Head`], [`TraceError::Version`], [`TraceError::Truncated`],
    /// [`TraceError::Io`].
    pub fn new(mut from: R) -> Result<Self, TraceError> {
        let mut head = [0; frame::HEAD];
        let got = fill(&mut from, &mut head)?;
        let mark = got.min(frame::MAGIC.len());
        if head[..mark] != frame::MAGIC[..mark] || got == 0 {
            return Err(TraceError::NotATrace);
        }
        if got < head.len() {
            return Err(TraceError::Truncated { offset: 0 });
        }
        let mut fields = Fields(&head[frame::MAGIC.len()..]);
        let (version, flags) = (fields.u16(), fields.u16());
        if fields.u32() != Some(crc32fast::hash(&head[..12])) {
            return Err(TraceError::Head);
        }
        match (version, flags) {
            (Some(version @ 1..=VERSION), Some(0)) => Ok(Self {
                from,
                version,
                offset: frame::HEAD as u64,
                totals: Totals::default(),
                damaged: false,
                ended: false,
                body: Vec::new(),
            }),
            (version, _) => Err(TraceError::Version {
                found: version.unwrap_or(0),
            }),
        }
    }

    /// The version of the format that the trace was written in.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// What has been read so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Reads to the next entry; frames of unknown types that say they may be stepped over are.
    fn step(&mut self) -> Result<Entry, TraceError> {
        loop {
            if let Some(entry) = self.frame()? {
                return Ok(entry);
            }
        }
    }

    /// The next frame, `None` if it means nothing to this version. `ended` stays set where there is nothing to
    /// go on with.
    fn frame(&mut self) -> Result<Option<Entry>, TraceError> {
        let offset = self.offset;
        let truncated = TraceError::Truncated { offset };
        let corrupt = |what| TraceError::Corrupt { offset, what };
        self.ended = true;
        let mut head = [0; frame::FRAME_HEAD];
        if fill(&mut self.from, &mut head)? < head.len() {
            return Err(truncated);
        }
        let mut fields = Fields(&head);
        let (Some(frame_type), Some(flags), Some(len)) = (fields.u16(), fields.u16(), fields.u32())
        else {
            return Err(truncated);
        };
        let len = len as usize;
        if fields.u32() != Some(crc32fast::hash(&head[..8])) || len > frame::MAX_BODY {
            return Err(corrupt("its head, so the rest cannot be found"));
        }
        self.body.resize(len + frame::CHECK, 0);
        if fill(&mut self.from, &mut self.body)? < self.body.len() {
            return Err(truncated);
        }
        self.offset += (head.len() + self.body.len()) as u64;
        self.ended = false;
        let (body, check) = self.body.split_at(len);
        if Fields(check).u32() != Some(crc32fast::hash(body)) {
            self.damaged = true;
            return Err(corrupt("its content"));
        }
        if frame_type & frame::OPTIONAL != 0 {
            return Ok(None);
        }
        if let Some(entry) = frame::parse(frame_type, body).filter(|_| flags == 0) {
            return Ok(Some(entry));
        }
        self.damaged = true;
        Err(corrupt("it is of a kind that this version does not know"))
    }

    /// Checks what the end says, and that nothing follows it.
    fn end(&mut self, totals: Totals) -> Result<Entry, TraceError> {
        self.ended = true;
        if fill(&mut self.from, &mut [0])? > 0 {
            return Err(TraceError::Corrupt {
                offset: self.offset,
                what: "it follows the end",
            });
        }
        if totals != self.totals && !self.damaged {
            return Err(TraceError::Missing {
                found: self.totals.deliveries(),
                expected: totals.deliveries(),
            });
        }
        Ok(Entry::End(totals))
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Entry, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        Some(match self.step() {
            Ok(Entry::End(totals)) => self.end(totals),
            Ok(entry) => {
                if let Entry::Delivery(delivery) = &entry {
                    self.totals.count(delivery);
                }
                Ok(entry)
            }
            Err(error) => Err(error),
        })
    }
}

/// Reads until `buffer` is full or there is no more; how much that was.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut used = 0;
    while used < buffer.len() {
        match from.read(&mut buffer[used..]) {
            Ok(0) => break,
            Ok(got) => used += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(used)
}
