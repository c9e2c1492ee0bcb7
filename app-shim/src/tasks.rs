// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tasks: threads of which one at a time has the CPU.
//!
//! A task keeps the CPU until it makes a call that waits, or any call of the shim while a task of higher priority
//! is ready. It is never parted from it elsewhere: it might hold a lock of the C library. Threads that the
//! program has started by itself may make the same calls; they wait without having had the CPU.
//!
//! Who waits is in the table with what it waits for; there are no lists. All under the kernel lock, but for each
//! task's word of [`Core::wakes`], on which it sleeps: 1 once it may go on.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak, mpsc};

use crate::core::{Core, Entered, Kernel};
use crate::error::{Error, Result};
use crate::handler::{futex, local, thread};
use crate::objects::{self, Id};

/// Tasks at most, and threads that call the shim.
pub(crate) const TASKS: usize = 256;

/// Priorities are 0 (first) to this.
pub(crate) const LAST_PRIORITY: i32 = 255;

const KIND: u8 = 6;
/// What a task waits for that has given its CPU away around a call of the system.
const OUTSIDE: Id = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Free,
    /// Its thread has not come up yet.
    Starting,
    /// Has the CPU or wants it.
    Ready,
    Waiting(Id),
    Delayed,
}

#[derive(Debug)]
pub(crate) struct Task {
    generation: u32,
    pub(crate) state: State,
    tid: i32,
    name: String,
    /// Priority of its own, and with what it has inherited.
    pub(crate) base: i32,
    pub(crate) priority: i32,
    /// Does not need the CPU.
    foreign: bool,
    pub(crate) stopped: bool,
    doomed: bool,
    locks: u32,
    ticket: u64,
    outcome: Result<()>,
}

#[derive(Debug)]
pub(crate) struct Tasks {
    all: Vec<Task>,
    holder: Option<usize>,
    ticket: u64,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self {
            all: (0..TASKS)
                .map(|_| Task {
                    generation: 0,
                    state: State::Free,
                    tid: 0,
                    name: String::new(),
                    base: 0,
                    priority: 0,
                    foreign: true,
                    stopped: false,
                    doomed: false,
                    locks: 0,
                    ticket: 0,
                    outcome: Ok(()),
                })
                .collect(),
            holder: None,
            ticket: 0,
        }
    }

    fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    pub(crate) fn get(&mut self, index: usize) -> Result<&mut Task> {
        self.all.get_mut(index).ok_or(Error::NoSuch)
    }

    fn id(&self, index: usize) -> Id {
        let generation = self.all.get(index).map_or(0, |t| t.generation);
        objects::id(KIND, index as u32, generation)
    }

    /// The place of the task that `id` names.
    fn find(&self, id: Id) -> Result<usize> {
        let index = objects::place_of(id)?;
        match self.all.get(index) {
            Some(task) if task.state != State::Free && self.id(index) == id => Ok(index),
            _ => Err(Error::NoSuch),
        }
    }

    /// Who is to have the CPU next.
    fn best_ready(&self) -> Option<usize> {
        self.all
            .iter()
            .enumerate()
            .filter(|(index, t)| {
                t.state == State::Ready
                    && !t.foreign
                    && (!t.stopped || t.doomed)
                    && self.holder != Some(*index)
            })
            .min_by_key(|(_, t)| (t.priority, t.ticket))
            .map(|(index, _)| index)
    }

    /// Who of those that wait for `object` is first.
    pub(crate) fn first_waiter(&self, object: Id, by_priority: bool) -> Option<usize> {
        self.all
            .iter()
            .enumerate()
            .filter(|(_, t)| t.state == State::Waiting(object))
            .min_by_key(|(_, t)| (if by_priority { t.priority } else { 0 }, t.ticket))
            .map(|(index, _)| index)
    }

    fn allocate(&mut self, name: &str, priority: i32, foreign: bool) -> Result<usize> {
        let index = self
            .all
            .iter()
            .position(|t| t.state == State::Free)
            .ok_or(Error::NoMemory)?;
        let ticket = self.next_ticket();
        let task = self.get(index)?;
        task.state = State::Starting;
        name.clone_into(&mut task.name);
        task.base = priority;
        task.priority = priority;
        task.foreign = foreign;
        task.stopped = false;
        task.doomed = false;
        task.locks = 0;
        task.ticket = ticket;
        task.outcome = Ok(());
        Ok(index)
    }
}

/// Gives a thread's place in the table back when the thread ends.
struct Membership {
    core: Weak<Core>,
    index: usize,
    generation: u32,
}

impl Drop for Membership {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            let mut kernel = core.enter_quietly();
            if kernel
                .tasks
                .get(self.index)
                .is_ok_and(|t| t.generation == self.generation && t.tid == local::tid())
            {
                core.retire(&mut kernel, self.index);
            }
            drop(kernel);
            core.note_progress();
        }
    }
}

thread_local! {
    static MEMBERSHIP: RefCell<Vec<Membership>> = const { RefCell::new(Vec::new()) };
}

/// How a task is to be.
#[derive(Clone, Debug)]
pub struct TaskOptions {
    /// Its name.
    pub name: String,
    /// 0 (first) to 255.
    pub priority: i32,
    /// Bytes of stack; 0: the system's default.
    pub stack_size: usize,
    /// Starts out suspended.
    pub suspended: bool,
}

impl Default for TaskOptions {
    fn default() -> Self {
        Self {
            name: String::new(),
            priority: 100,
            stack_size: 0,
            suspended: false,
        }
    }
}

impl Core {
    /// The calling thread's place in the table; it gets one where it has none.
    pub(crate) fn me(self: &Arc<Self>, kernel: &mut Kernel) -> Result<usize> {
        if !self.bind() {
            return Err(Error::InIsr);
        }
        if let Some(index) = local::with(|l| l.task.get()).checked_sub(1) {
            return Ok(index as usize);
        }
        let index = kernel.tasks.allocate("", self.config.main_priority, true)?;
        self.settle(kernel, index)?;
        kernel.tasks.get(index)?.state = State::Ready;
        Ok(index)
    }

    /// The calling thread takes a place.
    fn settle(self: &Arc<Self>, kernel: &mut Kernel, index: usize) -> Result<()> {
        let task = kernel.tasks.get(index)?;
        task.tid = local::tid();
        let membership = Membership {
            core: Arc::downgrade(self),
            index,
            generation: task.generation,
        };
        self.bind();
        local::with(|l| l.task.set(index as u32 + 1));
        MEMBERSHIP.with_borrow_mut(|all| all.push(membership));
        Ok(())
    }

    /// The calling thread, which has none, becomes a task and waits for the CPU.
    pub(crate) fn become_task(self: &Arc<Self>, name: &str) -> Result<()> {
        let mut kernel = self.enter_quietly();
        let me = self.me(&mut kernel)?;
        let priority = self.config.main_priority;
        let task = kernel.tasks.get(me)?;
        task.foreign = false;
        task.base = priority;
        task.priority = priority;
        name.clone_into(&mut task.name);
        if kernel.tasks.holder != Some(me) {
            self.want_cpu(kernel, me);
        }
        Ok(())
    }

    /// Takes a place out of use, for good.
    fn retire(&self, kernel: &mut Kernel, index: usize) {
        if let Ok(task) = kernel.tasks.get(index) {
            task.generation = task.generation.wrapping_add(1);
            task.state = State::Free;
            task.doomed = false;
        }
        if kernel.tasks.holder == Some(index) {
            self.hand_over(kernel);
        }
    }

    /// Gives the CPU, which nobody has, to a task.
    fn grant(&self, kernel: &mut Kernel, index: usize) {
        let Ok(task) = kernel.tasks.get(index) else {
            return;
        };
        let tid = task.tid;
        kernel.tasks.holder = Some(index);
        kernel.clocks.switches += 1;
        self.holder.store(tid, Ordering::SeqCst);
        self.forget_signal();
        self.wake(index);
    }

    fn wake(&self, index: usize) {
        if let Some(word) = self.wakes.get(index) {
            word.store(1, Ordering::SeqCst);
            futex::wake(word, 1);
        }
    }

    /// The holder lets go of the CPU: the next one gets it, or it is idle.
    fn hand_over(&self, kernel: &mut Kernel) {
        kernel.tasks.holder = None;
        self.holder.store(0, Ordering::SeqCst);
        if let Some(next) = kernel.tasks.best_ready() {
            self.grant(kernel, next);
        } else if kernel.vectors.mask() != 0 {
            self.ring_dispatcher();
        }
    }

    /// Preempt: the dispatcher takes an idle CPU to serve what is ready; false where it is not idle.
    pub(crate) fn take_idle_cpu(&self) -> bool {
        let kernel = self.enter_quietly();
        let idle = kernel.tasks.holder.is_none() && self.holder.load(Ordering::SeqCst) == 0;
        if idle {
            self.holder.store(local::tid(), Ordering::SeqCst);
            self.forget_signal();
        }
        drop(kernel);
        idle
    }

    /// And gives it back.
    pub(crate) fn give_idle_cpu(&self) {
        let mut kernel = self.enter_quietly();
        self.hand_over(&mut kernel);
    }

    /// A task may go on with what it waited for, once it has the CPU.
    pub(crate) fn make_ready(&self, kernel: &mut Kernel, index: usize, outcome: Result<()>) {
        let ticket = kernel.tasks.next_ticket();
        let idle = kernel.tasks.holder.is_none() && self.holder.load(Ordering::SeqCst) == 0;
        let holders = kernel
            .tasks
            .holder
            .and_then(|h| kernel.tasks.all.get(h))
            .map_or(LAST_PRIORITY + 1, |h| h.priority);
        let Ok(task) = kernel.tasks.get(index) else {
            return;
        };
        task.state = State::Ready;
        task.outcome = outcome;
        task.ticket = ticket;
        let (foreign, priority) = (task.foreign, task.priority);
        if foreign {
            self.wake(index);
        } else if idle {
            if let Some(best) = kernel.tasks.best_ready() {
                self.grant(kernel, best);
            }
        } else if priority < holders {
            self.reschedule.store(true, Ordering::SeqCst);
        }
    }

    /// Lets all go on that wait for `object`.
    pub(crate) fn wake_all(&self, kernel: &mut Kernel, object: Id, outcome: Result<()>) {
        while let Some(index) = kernel.tasks.first_waiter(object, true) {
            self.make_ready(kernel, index, outcome);
        }
    }

    /// Waits for `object` to be given, or `deadline`; consumes the kernel lock.
    pub(crate) fn block(
        &self,
        mut kernel: Entered<'_>,
        me: usize,
        state: State,
        deadline: Option<u64>,
    ) -> Result<()> {
        crate::check::blocks(self);
        let ticket = kernel.tasks.next_ticket();
        let task = kernel.tasks.get(me)?;
        task.state = state;
        task.outcome = Ok(());
        task.ticket = ticket;
        self.sleep(kernel, me, deadline);
        let outcome = self.enter_quietly().tasks.get(me)?.outcome;
        self.after_switch(me);
        outcome
    }

    /// The caller has put its task into a state that waits: sleeps until it may go on.
    fn sleep(&self, mut kernel: Entered<'_>, me: usize, deadline: Option<u64>) {
        let Some(word) = self.wakes.get(me) else {
            return;
        };
        word.store(0, Ordering::SeqCst);
        let level = self.suspend_level();
        if kernel.tasks.holder == Some(me) {
            self.hand_over(&mut kernel);
        }
        drop(kernel);
        let mut limit = deadline;
        while word.load(Ordering::SeqCst) == 0 {
            if futex::wait(word, 0, limit) {
                continue;
            }
            limit = None;
            let mut kernel = self.enter_quietly();
            let waits = kernel
                .tasks
                .get(me)
                .is_ok_and(|t| matches!(t.state, State::Waiting(_) | State::Delayed));
            if waits {
                self.make_ready(&mut kernel, me, Err(Error::Timeout));
            }
        }
        self.resume_level(level);
    }

    /// A task that wants the CPU and does not have it waits for it.
    fn want_cpu(&self, mut kernel: Entered<'_>, me: usize) {
        if let Some(word) = self.wakes.get(me) {
            word.store(0, Ordering::SeqCst);
        }
        self.make_ready(&mut kernel, me, Ok(()));
        drop(kernel);
        if let Some(word) = self.wakes.get(me) {
            while word.load(Ordering::SeqCst) == 0 {
                futex::wait(word, 0, None);
            }
        }
        self.after_switch(me);
    }

    /// The calling task has the CPU again.
    fn after_switch(&self, me: usize) {
        let mut kernel = self.enter();
        if kernel.tasks.get(me).is_ok_and(|t| t.doomed) {
            self.end_here(kernel, me);
        }
        drop(kernel);
    }

    /// Ends the calling thread, which is a task.
    fn end_here(&self, mut kernel: Entered<'_>, me: usize) -> ! {
        self.retire(&mut kernel, me);
        drop(kernel);
        self.note_progress();
        thread::end();
    }

    /// The holder, outside of service routines, looks whether somebody else should have the CPU.
    pub(crate) fn part(&self) {
        if local::with(|l| l.level.get()) > 0 {
            return;
        }
        let Some(me) = local::with(|l| l.task.get()).checked_sub(1) else {
            return;
        };
        self.part_as(me as usize, false);
        // What a handler has deferred meanwhile.
        self.serve_visible();
    }

    fn part_as(&self, me: usize, yields: bool) {
        let mut kernel = self.enter_quietly();
        if kernel.tasks.holder != Some(me) {
            return;
        }
        let best = kernel
            .tasks
            .best_ready()
            .and_then(|b| kernel.tasks.all.get(b))
            .map(|t| t.priority);
        let ticket = kernel.tasks.next_ticket();
        let Ok(task) = kernel.tasks.get(me) else {
            return;
        };
        if task.doomed {
            self.end_here(kernel, me);
        }
        if task.locks > 0 && !task.stopped {
            // Unlocking looks again.
            return;
        }
        self.reschedule.store(false, Ordering::SeqCst);
        let better = best.is_some_and(|b| b < task.priority || yields && b == task.priority);
        if !better && !task.stopped {
            return;
        }
        // Parted by a better one it stays the first of its priority; its ticket is older.
        if yields {
            task.ticket = ticket;
        }
        task.state = State::Ready;
        self.sleep(kernel, me, None);
        self.after_switch(me);
    }

    /// Gives the CPU away around something that waits; whether the caller had it.
    pub(crate) fn release_cpu(&self) -> bool {
        crate::check::blocks(self);
        let mut kernel = self.enter_quietly();
        let Some(me) = kernel.tasks.holder else {
            return false;
        };
        if !self.is_holder() {
            return false;
        }
        let Ok(task) = kernel.tasks.get(me) else {
            return false;
        };
        task.state = State::Waiting(OUTSIDE);
        self.suspend_level();
        self.hand_over(&mut kernel);
        true
    }

    /// Gets it back.
    pub(crate) fn acquire_cpu(&self) {
        let Some(me) = local::with(|l| l.task.get()).checked_sub(1) else {
            return;
        };
        let mut kernel = self.enter_quietly();
        let me = me as usize;
        if !kernel
            .tasks
            .get(me)
            .is_ok_and(|t| t.state == State::Waiting(OUTSIDE))
        {
            return;
        }
        self.want_cpu(kernel, me);
        self.resume_level(local::with(|l| l.level.get()));
    }

    // What programs call.

    pub(crate) fn spawn(
        self: &Arc<Self>,
        options: &TaskOptions,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<Id> {
        self.no_isr()?;
        if !(0..=LAST_PRIORITY).contains(&options.priority) {
            return Err(Error::Invalid);
        }
        let mut kernel = self.enter();
        let index = kernel
            .tasks
            .allocate(&options.name, options.priority, false)?;
        let id = kernel.tasks.id(index);
        kernel.tasks.get(index)?.stopped = options.suspended;
        drop(kernel);
        let core = Arc::clone(self);
        let (ready, is_ready) = mpsc::sync_channel::<()>(1);
        let mut builder = std::thread::Builder::new().name(options.name.clone());
        if options.stack_size > 0 {
            const LEAST: usize = 64 * 1024;
            builder = builder.stack_size(options.stack_size.max(LEAST));
        }
        let alternate = core.config.alternate_stack;
        let spawned = builder.spawn(move || {
            if alternate {
                // Without one, service routines run on the task's own stack.
                crate::handler::signal::alternate_stack(core.config.alternate_stack_size as usize)
                    .ok();
            }
            core.preemptible();
            let mut kernel = core.enter_quietly();
            if core.settle(&mut kernel, index).is_err() {
                return;
            }
            if let Some(word) = core.wakes.get(index) {
                word.store(0, Ordering::SeqCst);
            }
            core.make_ready(&mut kernel, index, Ok(()));
            drop(kernel);
            ready.send(()).ok();
            if let Some(word) = core.wakes.get(index) {
                while word.load(Ordering::SeqCst) == 0 {
                    futex::wait(word, 0, None);
                }
            }
            core.after_switch(index);
            body();
            // Membership gives the place and the CPU back.
        });
        if spawned.is_err() {
            self.retire(&mut self.enter(), index);
            return Err(Error::NoMemory);
        }
        // It comes up in any case, needs nothing from us for that, and never waits before.
        is_ready.recv().ok();
        // One of higher priority goes first.
        drop(self.enter());
        Ok(id)
    }

    /// The task that an identifier names; 0: the caller.
    fn task_of(self: &Arc<Self>, kernel: &mut Kernel, id: Id) -> Result<usize> {
        if id != 0 {
            return kernel.tasks.find(id);
        }
        match local::with(|l| (l.core.get() == self.id).then(|| l.task.get())) {
            Some(task) if task > 0 => Ok(task as usize - 1),
            _ => Err(Error::NotTask),
        }
    }

    pub(crate) fn task_self(&self) -> Id {
        let task = local::with(|l| (l.core.get() == self.id).then(|| l.task.get()));
        match task {
            Some(task) if task > 0 => {
                let index = task as usize - 1;
                let mut kernel = self.enter();
                match kernel.tasks.get(index) {
                    Ok(t) if !t.foreign => kernel.tasks.id(index),
                    _ => 0,
                }
            }
            _ => 0,
        }
    }

    pub(crate) fn task_delete(self: &Arc<Self>, id: Id) -> Result<()> {
        self.no_isr()?;
        let mut kernel = self.enter();
        let index = self.task_of(&mut kernel, id)?;
        let id = kernel.tasks.id(index);
        let task = kernel.tasks.get(index)?;
        if task.foreign {
            return Err(Error::NotTask);
        }
        if task.tid == local::tid() {
            self.end_here(kernel, index);
        }
        task.doomed = true;
        if task.state == State::Waiting(OUTSIDE) {
            // It is inside the system, and ends when it wants the CPU back; nobody can wait for that.
            return Ok(());
        }
        if matches!(task.state, State::Waiting(_) | State::Delayed) || task.stopped {
            self.make_ready(&mut kernel, index, Err(Error::Deleted));
        }
        drop(kernel);
        self.wait_until(None, |kernel| kernel.tasks.find(id).is_err())
    }

    pub(crate) fn task_suspend(self: &Arc<Self>, id: Id) -> Result<()> {
        let mut kernel = self.enter();
        let index = self.task_of(&mut kernel, id)?;
        kernel.tasks.get(index)?.stopped = true;
        if kernel.tasks.holder == Some(index) {
            self.reschedule.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    pub(crate) fn task_resume(self: &Arc<Self>, id: Id) -> Result<()> {
        let mut kernel = self.enter();
        let index = self.task_of(&mut kernel, id)?;
        let task = kernel.tasks.get(index)?;
        task.stopped = false;
        if task.state == State::Ready && kernel.tasks.holder != Some(index) {
            let outcome = kernel.tasks.get(index)?.outcome;
            self.make_ready(&mut kernel, index, outcome);
        }
        Ok(())
    }

    pub(crate) fn task_lock(self: &Arc<Self>, change: i32) -> Result<()> {
        self.no_isr()?;
        let mut kernel = self.enter();
        let index = self.task_of(&mut kernel, 0)?;
        let task = kernel.tasks.get(index)?;
        task.locks = task
            .locks
            .checked_add_signed(change)
            .ok_or(Error::Invalid)?;
        if task.locks == 0 {
            self.reschedule.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    pub(crate) fn task_yield(&self) -> Result<()> {
        self.no_isr()?;
        let me = local::with(|l| l.task.get());
        if let Some(me) = me.checked_sub(1)
            && self.is_holder()
        {
            self.part_as(me as usize, true);
        } else {
            std::thread::yield_now();
        }
        Ok(())
    }

    pub(crate) fn delay(self: &Arc<Self>, deadline: u64) -> Result<()> {
        self.no_isr()?;
        let mut kernel = self.enter_quietly();
        let me = self.me(&mut kernel)?;
        match self.block(kernel, me, State::Delayed, Some(deadline)) {
            Err(Error::Timeout) => Ok(()),
            other => other,
        }
    }

    pub(crate) fn task_priority(self: &Arc<Self>, id: Id) -> Result<i32> {
        let mut kernel = self.enter();
        let index = self.task_of(&mut kernel, id)?;
        Ok(kernel.tasks.get(index)?.priority)
    }

    pub(crate) fn task_set_priority(self: &Arc<Self>, id: Id, priority: i32) -> Result<()> {
        if !(0..=LAST_PRIORITY).contains(&priority) {
            return Err(Error::Invalid);
        }
        let mut kernel = self.enter();
        let index = self.task_of(&mut kernel, id)?;
        kernel.tasks.get(index)?.base = priority;
        kernel.inherit(index);
        self.reschedule.store(true, Ordering::SeqCst);
        Ok(())
    }

    pub(crate) fn task_state(self: &Arc<Self>, id: Id) -> Result<(State, bool)> {
        let mut kernel = self.enter();
        let index = self.task_of(&mut kernel, id)?;
        let task = kernel.tasks.get(index)?;
        Ok((task.state, task.stopped))
    }

    pub(crate) fn task_name(self: &Arc<Self>, id: Id) -> Result<String> {
        let mut kernel = self.enter();
        let index = self.task_of(&mut kernel, id)?;
        Ok(kernel.tasks.get(index)?.name.clone())
    }

    pub(crate) fn task_find(&self, name: &str) -> Result<Id> {
        let kernel = self.enter();
        kernel
            .tasks
            .all
            .iter()
            .position(|t| t.state != State::Free && !t.foreign && t.name == name)
            .map(|index| kernel.tasks.id(index))
            .ok_or(Error::NoSuch)
    }
}

impl Kernel {
    /// Recalculates a task's priority from its own and from who waits for mutexes that it owns.
    pub(crate) fn inherit(&mut self, index: usize) {
        let mut best = match self.tasks.get(index) {
            Ok(task) => task.base,
            Err(_) => return,
        };
        for (id, semaphore) in self.semaphores.iter() {
            if semaphore.owner() == Some(index)
                && let Some(waiter) = self.tasks.first_waiter(id, true)
                && let Some(waiter) = self.tasks.all.get(waiter)
            {
                best = best.min(waiter.priority);
            }
        }
        if let Ok(task) = self.tasks.get(index) {
            task.priority = best;
        }
    }
}
