// SPDX-License-Identifier: MIT OR Apache-2.0

//! Vectors, lock and level, events.

use std::ffi::c_void;

use super::controller::put_if_wanted;
use super::types::{
    AppShimEvent, AppShimRaiseArgs, EVENT_MISSED, EVENT_PIN, EVENT_VALUE, Handler, check_size,
};
use super::{
    Code, bytes, caught_or, controller, guarded, guarded_or, input, output, the_controller, timeout,
};
use crate::error::{Error, Result};
use crate::event::Raise;
use crate::handler::local;
use crate::handler::routine::Routine;

#[unsafe(no_mangle)]
extern "C" fn app_shim_connect(
    vector: u32,
    handler: Option<Handler>,
    argument: *mut c_void,
) -> Code {
    guarded(|| {
        let entry = handler.ok_or(Error::Null)?;
        controller()?.connect_routine(vector, entry, argument)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_disconnect(vector: u32) -> Code {
    guarded(|| controller()?.disconnect(vector))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_vector_get(
    vector: u32,
    handler: *mut Option<Handler>,
    argument: *mut *mut c_void,
) -> Code {
    guarded(|| {
        let (handler, argument) = (output(handler)?, output(argument)?);
        let routine = controller()?.routine(vector)?;
        handler.put(routine.map(|r| r.entry));
        argument.put(routine.map_or(std::ptr::null_mut(), |r| r.argument));
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_vector_set(
    vector: u32,
    handler: Option<Handler>,
    argument: *mut c_void,
    old_handler: *mut Option<Handler>,
    old_argument: *mut *mut c_void,
) -> Code {
    guarded(|| {
        let routine = handler.map(|entry| Routine { entry, argument });
        let old = controller()?.replace(vector, routine)?;
        put_if_wanted(old_handler, old.map(|r| r.entry));
        put_if_wanted(
            old_argument,
            old.map_or(std::ptr::null_mut(), |r| r.argument),
        );
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_call(vector: u32) -> Code {
    guarded(|| controller()?.call(vector))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_set_priority(vector: u32, priority: u32) -> Code {
    guarded(|| controller()?.set_priority(vector, priority))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_get_priority(vector: u32, priority: *mut u32) -> Code {
    guarded(|| {
        let priority = output(priority)?;
        priority.put(controller()?.vector_stats(vector)?.priority);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_enable(vector: u32) -> Code {
    guarded(|| controller()?.set_enabled(vector, true))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_disable(vector: u32) -> Code {
    guarded(|| controller()?.set_enabled(vector, false))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_is_enabled(vector: u32, enabled: *mut i32) -> Code {
    guarded(|| {
        let enabled = output(enabled)?;
        enabled.put(controller()?.is_enabled(vector)?.into());
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_pending(vector: u32, count: *mut u32) -> Code {
    guarded(|| {
        let count = output(count)?;
        count.put(controller()?.vector_stats(vector)?.pending as u32);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clear_pending(vector: u32, count: *mut u32) -> Code {
    guarded(|| {
        let cleared = controller()?.clear_pending(vector)?;
        put_if_wanted(count, cleared);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_count(vector: u32, count: *mut u64) -> Code {
    guarded(|| {
        let count = output(count)?;
        count.put(controller()?.count(vector)?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_wait(vector: u32, timeout_ns: i64, count: *mut u64) -> Code {
    guarded(|| {
        let now = controller()?.wait(vector, timeout(timeout_ns))?;
        put_if_wanted(count, now);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_wait_any(timeout_ns: i64) -> Code {
    guarded(|| controller()?.wait_any(timeout(timeout_ns)))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_int_lock() -> i32 {
    caught_or(0, || {
        the_controller().map_or(0, |c| c.int_lock().cast_signed())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_int_unlock(key: i32) {
    caught_or((), || {
        if let Some(controller) = the_controller() {
            controller.int_unlock(key.max(0).cast_unsigned());
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_level_get() -> i32 {
    guarded_or(0, || {
        the_controller().map_or(0, |c| c.level().cast_signed())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_level_set(level: i32) -> i32 {
    guarded_or(0, || {
        the_controller().map_or(0, |c| {
            c.set_level(level.max(0).cast_unsigned()).cast_signed()
        })
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_in_isr() -> i32 {
    i32::from(crate::in_isr())
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_isr_depth() -> i32 {
    local::with(|l| l.depth.get()).cast_signed()
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_current(event: *mut AppShimEvent) -> Code {
    guarded(|| {
        check_size::<AppShimEvent>(input(event.cast())?)?;
        let event = output(event)?;
        let now = local::current(|frame| {
            frame.map(|frame| {
                let e = frame.event();
                let flag = |set: bool, bit: u32| if set { bit } else { 0 };
                AppShimEvent {
                    size: size_of::<AppShimEvent>() as u32,
                    flags: flag(e.pin.is_some(), EVENT_PIN)
                        | flag(e.missed > 0, EVENT_MISSED)
                        | flag(e.value.is_some(), EVENT_VALUE),
                    vector: e.vector,
                    priority: e.priority,
                    source: e.source,
                    kind: e.kind,
                    pin: e.pin.unwrap_or(0),
                    payload_len: e.payload.len() as u32,
                    payload: e.payload.as_ptr().cast(),
                    time_ns: e.time,
                    value: e.value.unwrap_or(0),
                    missed: e.missed,
                    sequence: e.sequence,
                }
            })
        });
        event.put(now.ok_or(Error::Unavailable)?);
        Ok(())
    })
}

fn raise_of<'a>(event: *const AppShimRaiseArgs) -> Result<Raise<'a>> {
    check_size::<AppShimRaiseArgs>(input(event.cast())?)?;
    let event = input(event)?;
    if event.flags & !EVENT_VALUE != 0 {
        return Err(Error::Invalid);
    }
    Ok(Raise {
        vector: event.vector,
        kind: event.kind,
        source: event.source,
        pin: None,
        payload: bytes(event.payload.cast(), event.payload_len as usize)?,
        time: (event.time_ns > 0).then_some(event.time_ns),
        value: (event.flags & EVENT_VALUE != 0).then_some(event.value),
        missed: 0,
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_raise_event(event: *const AppShimRaiseArgs) -> Code {
    guarded(|| {
        let event = raise_of(event)?;
        controller()?.raise(&event)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_raise(vector: u32, value: u64) -> Code {
    guarded(|| controller()?.raise(&Raise::new(vector).value(value)))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_raise_wait(event: *const AppShimRaiseArgs, timeout_ns: i64) -> Code {
    guarded(|| {
        let event = raise_of(event)?;
        controller()?.raise_wait(&event, timeout(timeout_ns))
    })
}
