// SPDX-License-Identifier: MIT OR Apache-2.0

//! Byte rings, such as between a service routine and a task.

use crate::core::Core;
use crate::error::{Error, Result};
use crate::objects::{Id, Object};

#[derive(Debug)]
pub(crate) struct ByteRing {
    bytes: Vec<u8>,
    /// Where the first byte is, and how many there are.
    start: usize,
    used: usize,
}

impl Object for ByteRing {
    const KIND: u8 = 3;
}

/// Bytes of a ring at most.
const MOST: u32 = 1 << 30;

impl ByteRing {
    fn place(&mut self, offset: usize) -> Option<&mut u8> {
        let index = (self.start + offset) % self.bytes.len();
        self.bytes.get_mut(index)
    }

    fn room(&self) -> usize {
        self.bytes.len() - self.used
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        for &byte in bytes.iter().take(count) {
            let used = self.used;
            if let Some(place) = self.place(used) {
                *place = byte;
            }
            self.used += 1;
        }
        count
    }

    fn get(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.used);
        for to in buffer.iter_mut().take(count) {
            if let Some(place) = self.place(0) {
                *to = *place;
            }
            self.start = (self.start + 1) % self.bytes.len();
            self.used -= 1;
        }
        count
    }
}

impl Core {
    pub(crate) fn ring_create(&self, bytes: u32) -> Result<Id> {
        self.no_isr()?;
        if bytes == 0 || bytes > MOST {
            return Err(Error::Invalid);
        }
        let ring = ByteRing {
            bytes: vec![0; bytes as usize],
            start: 0,
            used: 0,
        };
        self.enter().rings.insert(ring)
    }

    pub(crate) fn ring_delete(&self, id: Id) -> Result<()> {
        self.no_isr()?;
        let gone = self.enter().rings.remove(id)?;
        drop(gone);
        Ok(())
    }

    pub(crate) fn ring_put(&self, id: Id, bytes: &[u8]) -> Result<usize> {
        Ok(self.enter().rings.get(id)?.put(bytes))
    }

    pub(crate) fn ring_get(&self, id: Id, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.enter().rings.get(id)?.get(buffer))
    }

    pub(crate) fn ring_put_ahead(&self, id: Id, byte: u8, offset: u32) -> Result<()> {
        let mut kernel = self.enter();
        let ring = kernel.rings.get(id)?;
        let offset = offset as usize;
        if offset >= ring.room() {
            return Err(Error::Full);
        }
        let offset = ring.used + offset;
        if let Some(place) = ring.place(offset) {
            *place = byte;
        }
        Ok(())
    }

    pub(crate) fn ring_move_ahead(&self, id: Id, bytes: u32) -> Result<()> {
        let mut kernel = self.enter();
        let ring = kernel.rings.get(id)?;
        if bytes as usize > ring.room() {
            return Err(Error::Invalid);
        }
        ring.used += bytes as usize;
        Ok(())
    }

    /// Bytes that are in it, and for which there is room.
    pub(crate) fn ring_room(&self, id: Id) -> Result<(u32, u32)> {
        let mut kernel = self.enter();
        let ring = kernel.rings.get(id)?;
        Ok((ring.used as u32, ring.room() as u32))
    }

    pub(crate) fn ring_flush(&self, id: Id) -> Result<()> {
        let mut kernel = self.enter();
        let ring = kernel.rings.get(id)?;
        ring.start = (ring.start + ring.used) % ring.bytes.len();
        ring.used = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_around_the_end() {
        let mut ring = ByteRing {
            bytes: vec![0; 5],
            start: 0,
            used: 0,
        };
        let mut buffer = [0; 8];
        for _ in 0..7 {
            assert_eq!(ring.put(b"abc"), 3);
            assert_eq!(ring.put(b"defg"), 2);
            assert_eq!(ring.get(&mut buffer[..2]), 2);
            assert_eq!(&buffer[..2], b"ab");
            assert_eq!(ring.get(&mut buffer), 3);
            assert_eq!(&buffer[..3], b"cde");
        }
    }
}
