// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tasks.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use super::types::{
    AppShimTaskArgs, Handler, TASK_DELAYED, TASK_READY, TASK_STOPPED, TASK_SUSPENDED, TASK_WAITING,
    check_size,
};
use super::{Code, controller, guarded, guarded_or, input, output, put_text, text, the_controller};
use crate::error::Error;
use crate::objects::Id;
use crate::tasks::{State, TaskOptions};

/// A task's entry and argument on their way to its thread.
struct Start {
    entry: Handler,
    argument: *mut c_void,
}

// SAFETY: the argument is only handed to its owner's entry, who is told on which thread that runs.
unsafe impl Send for Start {}

impl Start {
    fn run(self) {
        (self.entry)(self.argument);
    }
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_spawn(task: *const AppShimTaskArgs, id: *mut Id) -> Code {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    guarded(|| {
        check_size::<AppShimTaskArgs>(input(task.cast())?)?;
        let task = input(task)?;
        let id = output(id)?;
        let start = Start {
            entry: task.entry.ok_or(Error::Null)?,
            argument: task.argument,
        };
        if task.flags & !TASK_SUSPENDED != 0 || task.reserved != 0 {
            return Err(Error::Invalid);
        }
        let name = if task.name.is_null() {
            format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
        } else {
            text(task.name)?.to_string_lossy().into_owned()
        };
        let options = TaskOptions {
            name,
            priority: task.priority,
            stack_size: usize::try_from(task.stack_size).map_err(|_| Error::Invalid)?,
            suspended: task.flags & TASK_SUSPENDED != 0,
        };
        let core = controller()?.core();
        id.put(core.spawn(&options, move || start.run())?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_delete(id: Id) -> Code {
    guarded(|| controller()?.core().task_delete(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_self() -> Id {
    guarded_or(0, || the_controller().map_or(0, |c| c.core().task_self()))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_suspend(id: Id) -> Code {
    guarded(|| controller()?.core().task_suspend(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_resume(id: Id) -> Code {
    guarded(|| controller()?.core().task_resume(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_lock() -> Code {
    guarded(|| controller()?.core().task_lock(1))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_unlock() -> Code {
    guarded(|| controller()?.core().task_lock(-1))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_yield() -> Code {
    guarded(|| controller()?.core().task_yield())
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_get_priority(id: Id, priority: *mut i32) -> Code {
    guarded(|| {
        let priority = output(priority)?;
        priority.put(controller()?.core().task_priority(id)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_set_priority(id: Id, priority: i32) -> Code {
    guarded(|| controller()?.core().task_set_priority(id, priority))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_state(id: Id, state: *mut u32) -> Code {
    guarded(|| {
        let output = output(state)?;
        let (state, stopped) = controller()?.core().task_state(id)?;
        let state = match state {
            State::Free => return Err(Error::NoSuch),
            State::Starting | State::Ready => TASK_READY,
            State::Waiting(_) => TASK_WAITING,
            State::Delayed => TASK_DELAYED,
        };
        output.put(state | if stopped { TASK_STOPPED } else { 0 });
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_name(id: Id, buffer: *mut c_char, size: usize) -> Code {
    guarded(|| {
        let name = controller()?.core().task_name(id)?;
        put_text(&name, buffer, size)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_task_find(name: *const c_char, id: *mut Id) -> Code {
    guarded(|| {
        let id = output(id)?;
        let name = text(name)?.to_string_lossy();
        id.put(controller()?.core().task_find(&name)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_cpu_release() -> Code {
    guarded(|| {
        let core = controller()?.core();
        core.no_isr()?;
        if core.release_cpu() {
            Ok(())
        } else {
            Err(Error::NotTask)
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_cpu_acquire() -> Code {
    guarded(|| {
        let core = controller()?.core();
        core.no_isr()?;
        core.acquire_cpu();
        Ok(())
    })
}
