// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pins, time, clocks and timers.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use super::types::{Handler, PinHook};
use super::{Code, controller, guarded, guarded_or, numbered, the_controller};
use crate::clock::Clock;
use crate::handler::routine::Routine;
use crate::handler::thread;
use crate::pins::{Edge, Image, PINS, PinMode};

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_attach(pin: u32, vector: u32, edge: u32) -> Code {
    guarded(|| controller()?.pin_attach(pin, vector, numbered(&Edge::ALL, edge)?))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_detach(pin: u32) -> Code {
    guarded(|| controller()?.pin_detach(pin))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_raise(pin: u32, level: u32, time_ns: u64) -> Code {
    guarded(|| controller()?.pin_raise(pin, level != 0, (time_ns > 0).then_some(time_ns)))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_read(pin: u32) -> i32 {
    guarded_or(-1, || {
        the_controller().map_or(-1, |c| c.pin_read(pin).map_or(-1, i32::from))
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_write(pin: u32, level: u32) -> Code {
    guarded(|| controller()?.pin_write(pin, level != 0))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_mode(pin: u32, mode: u32) -> Code {
    guarded(|| controller()?.set_pin_mode(pin, numbered(&PinMode::ALL, mode)?))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_get_mode(pin: u32) -> i32 {
    guarded_or(-1, || {
        the_controller().map_or(-1, |c| c.pin_mode(pin).map_or(-1, |mode| mode as i32))
    })
}

/// Levels of the pins of the process's controller.
pub(super) static IMAGE: Image = [const { AtomicU8::new(0) }; PINS / 8];

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_image() -> *mut u8 {
    IMAGE.as_ptr().cast_mut().cast()
}

/// A hook's argument, as it was given.
struct Argument(*mut c_void);

// SAFETY: it is only handed back to its owner's hook, who is told in which contexts that runs.
unsafe impl Send for Argument {}
// SAFETY: as above.
unsafe impl Sync for Argument {}

impl Argument {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_pin_on_write(hook: Option<PinHook>, argument: *mut c_void) -> Code {
    guarded(|| {
        let controller = controller()?;
        controller.core().no_isr()?;
        let argument = Argument(argument);
        controller.on_pin_write(hook.map(|hook| {
            Arc::new(move |pin, level, time| hook(argument.get(), pin, u32::from(level), time))
                as crate::PinHook
        }));
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_now_ns() -> u64 {
    guarded_or(0, || {
        the_controller().map_or_else(thread::monotonic, super::Controller::now)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_uptime_ns() -> u64 {
    guarded_or(0, || {
        the_controller().map_or(0, |c| c.now().saturating_sub(c.epoch()))
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clock_ns() -> u64 {
    thread::monotonic()
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clock_advance(ns: u64) -> Code {
    guarded(|| controller()?.advance(ns))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clock_next(ns: *mut u64) -> Code {
    guarded(|| {
        let ns = super::output(ns)?;
        ns.put(controller()?.next_expiry()?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_delay(ns: u64) -> Code {
    guarded(|| controller()?.delay(ns))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_delay_busy(ns: u64) -> Code {
    guarded(|| {
        controller()?.delay_busy(ns);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_tick_get() -> u64 {
    guarded_or(0, || the_controller().map_or(0, |c| c.core().ticks()))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_tick_set(ticks: u64) -> Code {
    guarded(|| {
        controller()?.core().set_ticks(ticks);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clock_rate_get(clock: u32) -> u32 {
    guarded_or(0, || {
        match (the_controller(), numbered(&Clock::ALL, clock)) {
            (Some(controller), Ok(clock)) => controller.core().rate(clock),
            _ => 0,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clock_rate_set(clock: u32, rate: u32) -> Code {
    guarded(|| {
        let clock = numbered(&Clock::ALL, clock)?;
        controller()?.core().set_rate(clock, rate)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clock_connect(
    clock: u32,
    handler: Option<Handler>,
    argument: *mut c_void,
) -> Code {
    guarded(|| {
        let clock = numbered(&Clock::ALL, clock)?;
        let routine = handler.map(|entry| Routine { entry, argument });
        controller()?.clock_connect(clock, routine)
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clock_enable(clock: u32) -> Code {
    guarded(|| {
        let clock = numbered(&Clock::ALL, clock)?;
        controller()?.core().enable_clock(clock, true);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_clock_disable(clock: u32) -> Code {
    guarded(|| {
        let clock = numbered(&Clock::ALL, clock)?;
        controller()?.core().enable_clock(clock, false);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_timer_set(vector: u32, first_ns: u64, period_ns: u64) -> Code {
    guarded(|| controller()?.timer_set(vector, first_ns, period_ns))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_timer_cancel(vector: u32) -> Code {
    guarded(|| controller()?.timer_cancel(vector))
}
