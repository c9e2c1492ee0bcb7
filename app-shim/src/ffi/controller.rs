// SPDX-License-Identifier: MIT OR Apache-2.0

//! Making and starting the controller, maps, results, statistics, checks.

use std::ffi::c_char;

use super::types::{ABI_VERSION, AppShimConfig, AppShimStats, AppShimVectorStats, check_size};
use super::{
    Code, LAST, Output, controller, guarded, guarded_or, input, install, output, put_text, tell,
    text, the_controller,
};
use crate::config::{Config, Mode};
use crate::controller::Controller;
use crate::error::{Error, Failure, Result};

#[unsafe(no_mangle)]
extern "C" fn app_shim_result_name(result: Code) -> *const c_char {
    let error = Error::ALL.iter().find(|e| e.code() == result);
    match (result, error) {
        (0, _) => c"APP_SHIM_OK",
        (_, Some(error)) => error.c_name(),
        (_, None) => c"unknown result",
    }
    .as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_abi_version() -> u32 {
    ABI_VERSION
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_last_error(buffer: *mut c_char, size: usize) -> Code {
    guarded(|| {
        if buffer.is_null() {
            return Err(Error::Null);
        }
        LAST.with_borrow(|last| put_text(last, buffer, size))
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_config_init(config: *mut AppShimConfig) -> Code {
    guarded(|| {
        output(config)?.put(AppShimConfig::defaults());
        Ok(())
    })
}

fn make(config: *const AppShimConfig) -> Result<&'static Controller> {
    if the_controller().is_some() {
        return Err(Error::Busy);
    }
    let given = if config.is_null() {
        AppShimConfig::defaults()
    } else {
        input(config)?
    };
    let made = || -> Result<Controller, Failure> {
        let mut config: Config = given.config()?;
        if given.reads_environment() {
            config = config.with_environment()?;
        }
        Controller::new(config)
    };
    let mut new = None;
    tell(made().map(|controller| new = Some(controller)))?;
    let controller = install(new.ok_or(Error::Busy)?)?;
    controller.core().enter().pins.show_in(&super::pins::IMAGE);
    Ok(controller)
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_init(config: *const AppShimConfig) -> Code {
    guarded(|| make(config).map(drop))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_start() -> Code {
    guarded(|| {
        let controller = match the_controller() {
            Some(controller) => controller,
            None => make(std::ptr::null())?,
        };
        tell(controller.start())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_ensure(config: *const AppShimConfig) -> Code {
    guarded(|| {
        let controller = match the_controller() {
            Some(controller) if controller.core().has_threads() => return Ok(()),
            Some(controller) => controller,
            None => match make(config) {
                Err(Error::Busy) => controller()?,
                made => made?,
            },
        };
        match controller.start() {
            // Another thread was faster.
            Err(failure) if failure.error == Error::Busy && controller.core().has_threads() => {
                Ok(())
            }
            done => tell(done),
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_stop() -> Code {
    guarded(|| controller()?.stop())
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_mode() -> i32 {
    the_controller().map_or(-1, |c| match c.core().config.mode {
        Mode::Thread => 0,
        Mode::Preempt => 1,
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_map(map: *const c_char) -> Code {
    guarded(|| {
        let map = text(map)?.to_str().map_err(|_| Error::Map)?;
        tell(controller()?.map(map))
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_map_file(path: *const c_char) -> Code {
    guarded(|| {
        let path = text(path)?.to_str().map_err(|_| Error::Map)?;
        let controller = controller()?;
        let map = std::fs::read_to_string(path)
            .map_err(|e| Failure::new(Error::Map, format!("{path}: {e}")));
        tell(map.and_then(|map| controller.map(&map)))
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_get_stats(stats: *mut AppShimStats) -> Code {
    guarded(|| {
        check_size::<AppShimStats>(input(stats.cast())?)?;
        let s = controller()?.stats();
        output(stats)?.put(AppShimStats {
            size: size_of::<AppShimStats>() as u32,
            realtime: s.realtime.into(),
            raised: s.raised,
            served: s.served,
            filtered: s.filtered,
            missed: s.missed,
            cleared: s.cleared,
            spurious: s.spurious,
            unhandled: s.unhandled,
            pending: s.pending,
            source_lost: s.source_lost,
            signals_sent: s.signals_sent,
            signals_handled: s.signals_handled,
            signals_passed: s.signals_passed,
            deepest: s.deepest,
            log_lost: s.log_lost,
            findings: s.findings,
            switches: s.switches,
        });
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_get_vector_stats(vector: u32, stats: *mut AppShimVectorStats) -> Code {
    guarded(|| {
        check_size::<AppShimVectorStats>(input(stats.cast())?)?;
        let s = controller()?.vector_stats(vector)?;
        output(stats)?.put(AppShimVectorStats {
            size: size_of::<AppShimVectorStats>() as u32,
            priority: s.priority,
            raised: s.raised,
            served: s.served,
            missed: s.missed,
            unhandled: s.unhandled,
            pending: s.pending,
            source_lost: s.source_lost,
            longest_ns: s.longest,
        });
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_check_enabled() -> i32 {
    the_controller().map_or(0, |c| i32::from(c.core().config.check))
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_check_unsafe(function: *const c_char) -> i32 {
    reported(function, crate::check::unsafe_call)
}

#[unsafe(no_mangle)]
extern "C" fn app_shim_check_blocking(function: *const c_char) -> i32 {
    reported(function, crate::check::blocking_call)
}

fn reported(function: *const c_char, check: fn(&crate::core::Core, &str) -> bool) -> i32 {
    guarded_or(0, || {
        let Some(controller) = the_controller() else {
            return 0;
        };
        let name = text(function).map(std::ffi::CStr::to_str);
        let name = name.ok().and_then(std::result::Result::ok);
        i32::from(check(controller.core(), name.unwrap_or("?")))
    })
}

/// For outputs that may be null.
pub(super) fn put_if_wanted<T>(pointer: *mut T, value: T) {
    Output::put_if_wanted(pointer, value);
}
