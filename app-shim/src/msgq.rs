// SPDX-License-Identifier: MIT OR Apache-2.0

//! Message queues: messages of bounded length, in order, urgent ones in front.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::objects::{Id, Object};
use crate::sem::Timeout;
use crate::tasks::State;

/// All memory is there from the beginning, so that service routines can send.
#[derive(Debug)]
pub(crate) struct Queue {
    by_priority: bool,
    max_len: usize,
    /// One place for each message.
    bytes: Vec<u8>,
    free: Vec<usize>,
    /// Place and length of the messages that wait.
    waiting: VecDeque<(usize, usize)>,
}

impl Object for Queue {
    const KIND: u8 = 2;
}

/// Bytes of a queue at most.
const MOST: u64 = 1 << 30;

/// Who waits for room waits for the queue's identifier with this in it, who waits for messages for itself.
const ROOM: Id = 1 << 63;

impl Core {
    pub(crate) fn queue_create(
        &self,
        messages: u32,
        max_len: u32,
        by_priority: bool,
    ) -> Result<Id> {
        self.no_isr()?;
        if messages == 0 {
            return Err(Error::Invalid);
        }
        let bytes = u64::from(messages) * u64::from(max_len);
        if bytes > MOST || messages > 1 << 24 {
            return Err(Error::NoMemory);
        }
        let queue = Queue {
            by_priority,
            max_len: max_len as usize,
            bytes: vec![0; bytes as usize],
            free: (0..messages as usize).collect(),
            waiting: VecDeque::with_capacity(messages as usize),
        };
        self.enter().queues.insert(queue)
    }

    pub(crate) fn queue_delete(&self, id: Id) -> Result<()> {
        self.no_isr()?;
        let mut kernel = self.enter();
        let gone = kernel.queues.remove(id)?;
        self.wake_all(&mut kernel, id, Err(Error::Deleted));
        self.wake_all(&mut kernel, id | ROOM, Err(Error::Deleted));
        drop(kernel);
        drop(gone);
        Ok(())
    }

    pub(crate) fn queue_send(
        self: &Arc<Self>,
        id: Id,
        message: &[u8],
        timeout: Timeout,
        urgent: bool,
    ) -> Result<()> {
        if timeout != Timeout::None {
            self.no_isr()?;
        }
        let mut deadline = None;
        loop {
            let mut kernel = self.enter();
            let queue = kernel.queues.get(id)?;
            if message.len() > queue.max_len {
                return Err(Error::TooLarge);
            }
            let by_priority = queue.by_priority;
            if let Some(place) = queue.free.pop() {
                let start = place * queue.max_len;
                if let Some(bytes) = queue.bytes.get_mut(start..start + message.len()) {
                    bytes.copy_from_slice(message);
                }
                if urgent {
                    queue.waiting.push_front((place, message.len()));
                } else {
                    queue.waiting.push_back((place, message.len()));
                }
                if let Some(waiter) = kernel.tasks.first_waiter(id, by_priority) {
                    self.make_ready(&mut kernel, waiter, Ok(()));
                }
                return Ok(());
            }
            let until = match deadline {
                Some(until) => until,
                None => *deadline.insert(timeout.deadline()?),
            };
            let me = self.me(&mut kernel)?;
            self.block(kernel.quietly(), me, State::Waiting(id | ROOM), until)?;
        }
    }

    /// Receives into `buffer`; the message's length there.
    pub(crate) fn queue_receive(
        self: &Arc<Self>,
        id: Id,
        buffer: &mut [u8],
        timeout: Timeout,
    ) -> Result<usize> {
        if timeout != Timeout::None {
            self.no_isr()?;
        }
        let mut deadline = None;
        loop {
            let mut kernel = self.enter();
            let queue = kernel.queues.get(id)?;
            let by_priority = queue.by_priority;
            if let Some((place, len)) = queue.waiting.pop_front() {
                let len = len.min(buffer.len());
                let start = place * queue.max_len;
                if let (Some(from), Some(to)) =
                    (queue.bytes.get(start..start + len), buffer.get_mut(..len))
                {
                    to.copy_from_slice(from);
                }
                queue.free.push(place);
                if let Some(waiter) = kernel.tasks.first_waiter(id | ROOM, by_priority) {
                    self.make_ready(&mut kernel, waiter, Ok(()));
                }
                return Ok(len);
            }
            let until = match deadline {
                Some(until) => until,
                None => *deadline.insert(timeout.deadline()?),
            };
            let me = self.me(&mut kernel)?;
            self.block(kernel.quietly(), me, State::Waiting(id), until)?;
        }
    }

    pub(crate) fn queue_count(&self, id: Id) -> Result<u32> {
        Ok(self.enter().queues.get(id)?.waiting.len() as u32)
    }
}
