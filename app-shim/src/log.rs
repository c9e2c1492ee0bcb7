// SPDX-License-Identifier: MIT OR Apache-2.0

//! The log: service routines note messages, a thread formats and writes them.

use std::collections::VecDeque;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::handler::{futex, thread};

/// Messages that wait at most.
const ROOM: usize = 1024;
/// Bytes of text in one at most.
pub(crate) const TEXT: usize = 200;
/// Bytes of a formatted message at most.
const LINE: usize = 1024;

/// A message as it was noted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    /// Address of a format for `printf`, and its arguments.
    Format(usize, [libc::c_long; 6]),
    Text(u8, [u8; TEXT]),
}

#[derive(Debug)]
pub(crate) struct Log {
    waiting: VecDeque<Message>,
    fd: i32,
    /// Messages that found no room: all, and since the last one that was written.
    pub(crate) lost: u64,
    lost_lately: u64,
    /// One is being written.
    busy: bool,
}

impl Log {
    pub(crate) fn new(fd: i32) -> Self {
        Self {
            waiting: VecDeque::with_capacity(ROOM),
            fd,
            lost: 0,
            lost_lately: 0,
            busy: false,
        }
    }
}

impl Core {
    pub(crate) fn log(&self, message: Message) -> Result<()> {
        let mut kernel = self.enter();
        if kernel.log.waiting.len() >= ROOM {
            kernel.log.lost += 1;
            kernel.log.lost_lately += 1;
            return Err(Error::Full);
        }
        kernel.log.waiting.push_back(message);
        drop(kernel);
        self.log_bell
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        futex::wake(&self.log_bell, 1);
        Ok(())
    }

    pub(crate) fn log_text(&self, text: &[u8]) -> Result<()> {
        let len = text.len().min(TEXT);
        let mut bytes = [0; TEXT];
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = *from;
        }
        self.log(Message::Text(len as u8, bytes))
    }

    pub(crate) fn log_fd(&self, fd: i32) {
        self.enter().log.fd = fd;
    }

    pub(crate) fn log_flush(&self) -> Result<()> {
        self.no_isr()?;
        if !self.has_threads() {
            while self.write_one() {}
            return Ok(());
        }
        self.wait_until(None, |k| k.log.waiting.is_empty() && !k.log.busy)
    }

    /// What the log's thread does until the end; what waits then is still written.
    pub(crate) fn run_log(&self) {
        use std::sync::atomic::Ordering::SeqCst;
        loop {
            let seen = self.log_bell.load(SeqCst);
            while self.write_one() {}
            self.note_progress();
            if self.ending.load(SeqCst) {
                return;
            }
            futex::wait(&self.log_bell, seen, None);
        }
    }

    /// Writes the next message, if there is one.
    fn write_one(&self) -> bool {
        let mut kernel = self.enter();
        let Some(message) = kernel.log.waiting.pop_front() else {
            return false;
        };
        kernel.log.busy = true;
        let lost = std::mem::take(&mut kernel.log.lost_lately);
        let fd = kernel.log.fd;
        drop(kernel);
        match message {
            Message::Format(format, arguments) => {
                let mut line = [0; LINE];
                let len = thread::format(&mut line, format, arguments);
                thread::write_all(fd, line.get(..len).unwrap_or_default());
            }
            Message::Text(len, bytes) => {
                thread::write_all(fd, bytes.get(..usize::from(len)).unwrap_or_default());
            }
        }
        if lost > 0 {
            thread::write_all(fd, format!("log: {lost} messages lost\n").as_bytes());
        }
        self.enter().log.busy = false;
        true
    }
}
