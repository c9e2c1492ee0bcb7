// SPDX-License-Identifier: MIT OR Apache-2.0

//! Semaphores: binary, counting, mutual exclusion.

use std::sync::Arc;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::objects::{Id, Object};
use crate::tasks::State;

/// What kind of semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SemKind {
    /// Full or empty.
    Binary,
    /// A number.
    Counting,
    /// Owned by a task, recursive, passing on priority.
    Mutex,
}

impl SemKind {
    /// All, in the order of their numbers in the C interface.
    pub(crate) const ALL: [Self; 3] = [Self::Binary, Self::Counting, Self::Mutex];
}

#[derive(Debug)]
pub(crate) struct Semaphore {
    kind: SemKind,
    by_priority: bool,
    count: u32,
    owner: Option<usize>,
    /// How often the owner has taken it.
    depth: u32,
}

impl Object for Semaphore {
    const KIND: u8 = 1;
}

impl Semaphore {
    pub(crate) fn owner(&self) -> Option<usize> {
        self.owner
    }
}

impl Core {
    pub(crate) fn sem_create(&self, kind: SemKind, initial: u32, by_priority: bool) -> Result<Id> {
        self.no_isr()?;
        let count = match kind {
            SemKind::Binary if initial > 1 => return Err(Error::Invalid),
            SemKind::Mutex => 1,
            _ => initial,
        };
        self.enter().semaphores.insert(Semaphore {
            kind,
            by_priority,
            count,
            owner: None,
            depth: 0,
        })
    }

    pub(crate) fn sem_delete(&self, id: Id) -> Result<()> {
        self.no_isr()?;
        let mut kernel = self.enter();
        let gone = kernel.semaphores.remove(id)?;
        self.wake_all(&mut kernel, id, Err(Error::Deleted));
        if let Some(owner) = gone.owner {
            kernel.inherit(owner);
        }
        Ok(())
    }

    pub(crate) fn sem_give(self: &Arc<Self>, id: Id) -> Result<()> {
        let in_isr = self.in_isr();
        let mut kernel = self.enter();
        let semaphore = kernel.semaphores.get(id)?;
        let by_priority = semaphore.by_priority;
        if semaphore.kind == SemKind::Mutex {
            if in_isr {
                return Err(Error::InIsr);
            }
            let me = self.me(&mut kernel)?;
            let semaphore = kernel.semaphores.get(id)?;
            if semaphore.owner != Some(me) {
                return Err(Error::NotOwner);
            }
            semaphore.depth -= 1;
            if semaphore.depth > 0 {
                return Ok(());
            }
            let next = kernel.tasks.first_waiter(id, by_priority);
            let semaphore = kernel.semaphores.get(id)?;
            semaphore.owner = next;
            semaphore.depth = u32::from(next.is_some());
            semaphore.count = u32::from(next.is_none());
            if let Some(next) = next {
                self.make_ready(&mut kernel, next, Ok(()));
                kernel.inherit(next);
            }
            kernel.inherit(me);
            // What it had inherited is gone: a better one may be ready.
            self.reschedule
                .store(true, std::sync::atomic::Ordering::SeqCst);
            return Ok(());
        }
        if let Some(waiter) = kernel.tasks.first_waiter(id, by_priority) {
            self.make_ready(&mut kernel, waiter, Ok(()));
            return Ok(());
        }
        let semaphore = kernel.semaphores.get(id)?;
        match semaphore.kind {
            SemKind::Counting => {
                semaphore.count = semaphore.count.checked_add(1).ok_or(Error::Full)?;
            }
            _ => semaphore.count = 1,
        }
        Ok(())
    }

    pub(crate) fn sem_take(self: &Arc<Self>, id: Id, timeout: Timeout) -> Result<()> {
        let in_isr = self.in_isr();
        if in_isr && timeout != Timeout::None {
            return Err(Error::InIsr);
        }
        let mut kernel = self.enter();
        let semaphore = kernel.semaphores.get(id)?;
        if semaphore.kind == SemKind::Mutex {
            if in_isr {
                return Err(Error::InIsr);
            }
            let me = self.me(&mut kernel)?;
            let semaphore = kernel.semaphores.get(id)?;
            match semaphore.owner {
                None => {
                    semaphore.owner = Some(me);
                    semaphore.depth = 1;
                    semaphore.count = 0;
                    return Ok(());
                }
                Some(owner) if owner == me => {
                    semaphore.depth = semaphore.depth.checked_add(1).ok_or(Error::Full)?;
                    return Ok(());
                }
                Some(owner) => {
                    let deadline = timeout.deadline()?;
                    // Waiting makes the owner's priority at least ours, which block() cannot do: it sleeps.
                    let ours = kernel.tasks.get(me)?.priority;
                    let task = kernel.tasks.get(owner)?;
                    task.priority = task.priority.min(ours);
                    let result = self.block(kernel.quietly(), me, State::Waiting(id), deadline);
                    if result.is_err() {
                        self.enter().inherit(owner);
                    }
                    return result;
                }
            }
        }
        if semaphore.count > 0 {
            semaphore.count -= 1;
            return Ok(());
        }
        let deadline = timeout.deadline()?;
        let me = self.me(&mut kernel)?;
        self.block(kernel.quietly(), me, State::Waiting(id), deadline)
    }

    pub(crate) fn sem_flush(&self, id: Id) -> Result<()> {
        let mut kernel = self.enter();
        if kernel.semaphores.get(id)?.kind == SemKind::Mutex {
            return Err(Error::Invalid);
        }
        self.wake_all(&mut kernel, id, Ok(()));
        Ok(())
    }

    pub(crate) fn sem_count(&self, id: Id) -> Result<u32> {
        Ok(self.enter().semaphores.get(id)?.count)
    }
}

/// How long a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Not at all.
    None,
    /// For ever.
    Forever,
    /// So many nanoseconds.
    Nanos(u64),
}

impl Timeout {
    /// The moment until which to wait; [`Error::Unavailable`] for [`Timeout::None`].
    pub(crate) fn deadline(self) -> Result<Option<u64>> {
        match self {
            Self::None => Err(Error::Unavailable),
            Self::Forever => Ok(None),
            Self::Nanos(ns) => Ok(Some(crate::handler::thread::monotonic().saturating_add(ns))),
        }
    }
}
