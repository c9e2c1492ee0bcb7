// SPDX-License-Identifier: MIT OR Apache-2.0

//! Semaphores, message queues, byte rings, watchdogs, the log.

use std::ffi::{c_char, c_long, c_void};

use super::controller::put_if_wanted;
use super::types::{BY_PRIORITY, Handler, URGENT};
use super::{Code, buffer, bytes, controller, guarded, numbered, output, timeout};
use crate::error::{Error, Result};
use crate::handler::routine::Routine;
use crate::log::Message;
use crate::objects::Id;
use crate::sem::SemKind;

fn by_priority(options: u32) -> Result<bool> {
    if options & !BY_PRIORITY != 0 {
        return Err(Error::Invalid);
    }
    Ok(options & BY_PRIORITY != 0)
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_sem_create(kind: u32, initial: u32, options: u32, id: *mut Id) -> Code {
    guarded(|| {
        let id = output(id)?;
        let kind = numbered(&SemKind::ALL, kind)?;
        let order = by_priority(options)?;
        id.put(controller()?.core().sem_create(kind, initial, order)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_sem_delete(id: Id) -> Code {
    guarded(|| controller()?.core().sem_delete(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_sem_give(id: Id) -> Code {
    guarded(|| controller()?.core().sem_give(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_sem_take(id: Id, timeout_ns: i64) -> Code {
    guarded(|| controller()?.core().sem_take(id, timeout(timeout_ns)))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_sem_flush(id: Id) -> Code {
    guarded(|| controller()?.core().sem_flush(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_sem_count(id: Id, count: *mut u32) -> Code {
    guarded(|| {
        let count = output(count)?;
        count.put(controller()?.core().sem_count(id)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_msgq_create(messages: u32, max_len: u32, options: u32, id: *mut Id) -> Code {
    guarded(|| {
        let id = output(id)?;
        let order = by_priority(options)?;
        id.put(
            controller()?
                .core()
                .queue_create(messages, max_len, order)?,
        );
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_msgq_delete(id: Id) -> Code {
    guarded(|| controller()?.core().queue_delete(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_msgq_send(
    id: Id,
    message: *const c_void,
    len: u32,
    timeout_ns: i64,
    options: u32,
) -> Code {
    guarded(|| {
        if options & !URGENT != 0 {
            return Err(Error::Invalid);
        }
        let message = bytes(message.cast(), len as usize)?;
        controller()?
            .core()
            .queue_send(id, message, timeout(timeout_ns), options & URGENT != 0)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_msgq_receive(
    id: Id,
    buffer: *mut c_void,
    size: u32,
    timeout_ns: i64,
    len: *mut u32,
) -> Code {
    guarded(|| {
        let len = output(len)?;
        let buffer = super::buffer(buffer.cast(), size as usize)?;
        let got = controller()?
            .core()
            .queue_receive(id, buffer, timeout(timeout_ns))?;
        len.put(got as u32);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_msgq_count(id: Id, count: *mut u32) -> Code {
    guarded(|| {
        let count = output(count)?;
        count.put(controller()?.core().queue_count(id)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ring_create(bytes: u32, id: *mut Id) -> Code {
    guarded(|| {
        let id = output(id)?;
        id.put(controller()?.core().ring_create(bytes)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ring_delete(id: Id) -> Code {
    guarded(|| controller()?.core().ring_delete(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ring_put(id: Id, bytes: *const c_void, len: u32, put: *mut u32) -> Code {
    guarded(|| {
        let put = output(put)?;
        let bytes = super::bytes(bytes.cast(), len as usize)?;
        put.put(controller()?.core().ring_put(id, bytes)? as u32);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ring_get(id: Id, buffer: *mut c_void, size: u32, got: *mut u32) -> Code {
    guarded(|| {
        let got = output(got)?;
        let buffer = self::buffer(buffer.cast(), size as usize)?;
        got.put(controller()?.core().ring_get(id, buffer)? as u32);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ring_put_ahead(id: Id, byte: u8, offset: u32) -> Code {
    guarded(|| controller()?.core().ring_put_ahead(id, byte, offset))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ring_move_ahead(id: Id, bytes: u32) -> Code {
    guarded(|| controller()?.core().ring_move_ahead(id, bytes))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ring_room(id: Id, used: *mut u32, room: *mut u32) -> Code {
    guarded(|| {
        let (in_it, free) = controller()?.core().ring_room(id)?;
        put_if_wanted(used, in_it);
        put_if_wanted(room, free);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ring_flush(id: Id) -> Code {
    guarded(|| controller()?.core().ring_flush(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_wd_create(id: *mut Id) -> Code {
    guarded(|| {
        let id = output(id)?;
        id.put(controller()?.core().watchdog_create()?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_wd_delete(id: Id) -> Code {
    guarded(|| controller()?.core().watchdog_delete(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_wd_start(
    id: Id,
    ns: u64,
    routine: Option<Handler>,
    argument: *mut c_void,
) -> Code {
    guarded(|| {
        let entry = routine.ok_or(Error::Null)?;
        let routine = Routine { entry, argument };
        controller()?.core().watchdog_start(id, ns, routine)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_wd_cancel(id: Id) -> Code {
    guarded(|| controller()?.core().watchdog_cancel(id))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_log(
    format: *const c_char,
    a1: c_long,
    a2: c_long,
    a3: c_long,
    a4: c_long,
    a5: c_long,
    a6: c_long,
) -> Code {
    guarded(|| {
        if format.is_null() {
            return Err(Error::Null);
        }
        let format = format.expose_provenance();
        controller()?
            .core()
            .log(Message::Format(format, [a1, a2, a3, a4, a5, a6]))
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_log_text(text: *const c_char, len: usize) -> Code {
    guarded(|| {
        let text = bytes(text.cast(), len)?;
        controller()?.core().log_text(text)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_log_flush() -> Code {
    guarded(|| controller()?.core().log_flush())
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_log_fd(fd: i32) -> Code {
    guarded(|| {
        controller()?.core().log_fd(fd);
        Ok(())
    })
}
