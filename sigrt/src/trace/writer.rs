// SPDX-License-Identifier: MIT OR Apache-2.0

//! Writing traces.

use std::io::{self, Write};

use super::{Source, Totals, frame};
use crate::delivery::Delivery;

/// Writes a trace; each frame is one `write_all`, so what is written through a [`std::io::BufWriter`] and flushed
/// is intact up to there, whatever happens to the writer.
///
/// A writer that is dropped rather than finished leaves a trace whose end is missing, which readers report.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    totals: Totals,
    /// Reused for every frame.
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a trace.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&frame::head())?;
        Ok(Self {
            out,
            totals: Totals::default(),
            buffer: Vec::new(),
        })
    }

    /// Notes something about the recording as a whole.
    ///
    /// # Errors
    ///
    /// Those of what is written to; [`io::ErrorKind::InvalidInput`] for a key of more than 65535 bytes or a value
    /// of more than 2 MiB.
    pub fn meta(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.frame(frame::META, frame::meta(key, value))
    }

    /// Describes a source; to be done before the first delivery from it.
    ///
    /// # Errors
    ///
    /// Those of what is written to; [`io::ErrorKind::InvalidInput`] for a name of more than 2 MiB.
    pub fn source(&mut self, source: &Source) -> io::Result<()> {
        self.frame(frame::SOURCE, frame::source(source))
    }

    /// Adds a delivery.
    ///
    /// # Errors
    ///
    /// Those of what is written to; [`io::ErrorKind::InvalidInput`] for a payload longer than any source's.
    pub fn delivery(&mut self, delivery: &Delivery) -> io::Result<()> {
        let mut body = std::mem::take(&mut self.buffer);
        // The head goes before what is not known yet.
        body.clear();
        body.resize(frame::FRAME_HEAD, 0);
        frame::delivery(delivery, &mut body);
        let written = self.put(frame::DELIVERY, &mut body);
        self.buffer = body;
        written?;
        self.totals.count(delivery);
        Ok(())
    }

    fn frame(&mut self, frame_type: u16, body: Option<Vec<u8>>) -> io::Result<()> {
        let body = body.ok_or(io::ErrorKind::InvalidInput)?;
        let mut all = vec![0; frame::FRAME_HEAD];
        all.extend_from_slice(&body);
        self.put(frame_type, &mut all)
    }

    /// Writes a frame: room for its head, then its body.
    fn put(&mut self, frame_type: u16, all: &mut Vec<u8>) -> io::Result<()> {
        let (head, body) = all.split_at_mut(frame::FRAME_HEAD);
        if body.len() > frame::MAX_BODY {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        head.copy_from_slice(&frame::frame_head(frame_type, body.len()));
        let check = crc32fast::hash(body);
        all.extend_from_slice(&check.to_le_bytes());
        self.out.write_all(all)
    }

    /// What has been written so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Hands on what is buffered.
    ///
    /// # Errors
    ///
    /// Those of what is written to.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Marks the proper end, and gives back what was written to.
    ///
    /// # Errors
    ///
    /// Those of what is written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.frame(frame::END, Some(frame::end(&self.totals)))?;
        self.out.flush()?;
        Ok(self.out)
    }
}
