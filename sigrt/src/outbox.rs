// SPDX-License-Identifier: MIT OR Apache-2.0

//! Data for drivers and subscribers that is passed by reference: it lies in memory shared with the kernel, and what
//! is sent is where.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use rtnotify_core::abi;

use crate::client::{Client, post_head};
use crate::sys::{self, Written};

/// The outbox of a client; see [`Client::outbox`].
#[derive(Debug)]
pub struct Outbox<'a> {
    client: &'a Client,
    memory: Written,
}

impl<'a> Outbox<'a> {
    pub(crate) fn new(client: &'a Client, fd: BorrowedFd<'_>, len: usize) -> Result<Self, Errno> {
        let mut request = abi::Outbox {
            size: abi::Outbox::BYTES as u32,
            len: len as u64,
            ..abi::Outbox::zeroed()
        };
        sys::device_ioctl(fd, abi::IOC_MAP_OUTBOX, &mut request)?;
        Ok(Self {
            client,
            memory: Written::new(fd, request.offset, request.len as usize)?,
        })
    }

    /// Its length in bytes: what was asked for, in whole pages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// Whether there is nothing in it, which is never so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes, zero at first. The kernel reads them only during a call of [`Outbox::post`] or [`Outbox::call`].
    #[must_use]
    pub fn bytes(&mut self) -> &mut [u8] {
        self.memory.bytes()
    }

    /// Posts an event whose payload lies at `offset`. It is taken when this returns, and may be overwritten.
    ///
    /// # Errors
    ///
    /// As [`Client::post`]; `EINVAL` (not in the outbox).
    pub fn post(
        &mut self,
        source: u32,
        kind: u16,
        value: Option<u64>,
        offset: usize,
        len: usize,
    ) -> Result<(), Errno> {
        let head = abi::Post {
            payload_len: u32::try_from(len).map_err(|_| Errno::EMSGSIZE)?,
            ..post_head(source, kind, value, 0)
        };
        let head = abi::Post {
            flags: head.flags | abi::POST_REFERENCE,
            ..head
        };
        let mut frame = [0; abi::Post::BYTES + 8];
        frame[..abi::Post::BYTES].copy_from_slice(&head.to_bytes());
        frame[abi::Post::BYTES..].copy_from_slice(&(offset as u64).to_ne_bytes());
        self.client.write(&frame).map(drop)
    }

    /// Calls the driver behind a source with the message of `message.1` bytes at `message.0`, as [`Client::call`];
    /// the answer of at most `answer.1` bytes is put at `answer.0`. Returns its length.
    ///
    /// # Errors
    ///
    /// As [`Client::call`]; `EINVAL` (not in the outbox).
    pub fn call(
        &mut self,
        source: u32,
        kind: u16,
        message: (usize, usize),
        answer: (usize, usize),
        timeout: Option<Duration>,
    ) -> Result<usize, Errno> {
        self.client
            .call_by_reference(source, kind, message, answer, timeout)
    }
}
