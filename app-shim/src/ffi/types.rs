// SPDX-License-Identifier: MIT OR Apache-2.0

//! Structures and constants of the C interface. `tests/abi.rs` compares them with `app_shim.h`.

use std::ffi::{c_char, c_void};

use crate::config::{Config, Mode, Time};
use crate::error::{Error, Result};

pub(super) const ABI_VERSION: u32 = 1;

pub(super) const FLAG_ALT_STACK: u32 = 0x1;
pub(super) const FLAG_MASK_ALL: u32 = 0x2;
pub(super) const FLAG_NO_REALTIME: u32 = 0x4;
pub(super) const FLAG_NO_ENV: u32 = 0x8;
pub(super) const FLAG_CHECK: u32 = 0x10;
const FLAGS: u32 = 0x1f;

pub(super) const EVENT_PIN: u32 = 0x1;
pub(super) const EVENT_MISSED: u32 = 0x2;
pub(super) const EVENT_VALUE: u32 = 0x4;

pub(super) const BY_PRIORITY: u32 = 0x1;
pub(super) const URGENT: u32 = 0x2;

pub(super) const TASK_SUSPENDED: u32 = 0x1;
pub(super) const TASK_READY: u32 = 0;
pub(super) const TASK_WAITING: u32 = 1;
pub(super) const TASK_DELAYED: u32 = 2;
pub(super) const TASK_STOPPED: u32 = 0x10;

pub(super) type Handler = extern "C" fn(*mut c_void);
pub(super) type PinHook = extern "C" fn(*mut c_void, u32, u32, u64);

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct AppShimConfig {
    pub(super) size: u32,
    pub(super) mode: u32,
    pub(super) flags: u32,
    pub(super) time_mode: u32,
    pub(super) signal: i32,
    pub(super) realtime_priority: i32,
    pub(super) queue_len: u32,
    pub(super) alt_stack_size: u32,
    pub(super) tick_rate: u32,
    pub(super) clock_priority: u32,
    pub(super) isr_limit_ns: u64,
    pub(super) log_fd: i32,
    pub(super) main_priority: i32,
    pub(super) map: *const c_char,
    pub(super) device: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct AppShimEvent {
    pub(super) size: u32,
    pub(super) flags: u32,
    pub(super) vector: u32,
    pub(super) priority: u32,
    pub(super) source: u32,
    pub(super) kind: u32,
    pub(super) pin: u32,
    pub(super) payload_len: u32,
    pub(super) payload: *const c_void,
    pub(super) time_ns: u64,
    pub(super) value: u64,
    pub(super) missed: u64,
    pub(super) sequence: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct AppShimRaiseArgs {
    pub(super) size: u32,
    pub(super) flags: u32,
    pub(super) vector: u32,
    pub(super) kind: u32,
    pub(super) payload: *const c_void,
    pub(super) payload_len: u32,
    pub(super) source: u32,
    pub(super) time_ns: u64,
    pub(super) value: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct AppShimTaskArgs {
    pub(super) size: u32,
    pub(super) priority: i32,
    pub(super) name: *const c_char,
    pub(super) stack_size: u64,
    pub(super) entry: Option<Handler>,
    pub(super) argument: *mut c_void,
    pub(super) flags: u32,
    pub(super) reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct AppShimStats {
    pub(super) size: u32,
    pub(super) realtime: u32,
    pub(super) raised: u64,
    pub(super) served: u64,
    pub(super) filtered: u64,
    pub(super) missed: u64,
    pub(super) cleared: u64,
    pub(super) spurious: u64,
    pub(super) unhandled: u64,
    pub(super) pending: u64,
    pub(super) source_lost: u64,
    pub(super) signals_sent: u64,
    pub(super) signals_handled: u64,
    pub(super) signals_passed: u64,
    pub(super) deepest: u64,
    pub(super) log_lost: u64,
    pub(super) findings: u64,
    pub(super) switches: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct AppShimVectorStats {
    pub(super) size: u32,
    pub(super) priority: u32,
    pub(super) raised: u64,
    pub(super) served: u64,
    pub(super) missed: u64,
    pub(super) unhandled: u64,
    pub(super) pending: u64,
    pub(super) source_lost: u64,
    pub(super) longest_ns: u64,
}

/// The size that a structure claims to have must be the one that is known.
pub(super) fn check_size<T>(claimed: u32) -> Result<()> {
    if claimed as usize == size_of::<T>() {
        Ok(())
    } else {
        Err(Error::Invalid)
    }
}

impl AppShimConfig {
    pub(super) fn defaults() -> Self {
        let config = Config::default();
        Self {
            size: size_of::<Self>() as u32,
            mode: config.mode as u32,
            flags: 0,
            time_mode: config.time as u32,
            signal: 0,
            realtime_priority: 0,
            queue_len: 0,
            alt_stack_size: 0,
            tick_rate: 0,
            clock_priority: 0,
            isr_limit_ns: 0,
            log_fd: -1,
            main_priority: config.main_priority,
            map: std::ptr::null(),
            device: std::ptr::null(),
        }
    }

    /// The configuration, without the environment.
    pub(super) fn config(&self) -> Result<Config> {
        check_size::<Self>(self.size)?;
        if self.flags & !FLAGS != 0 {
            return Err(Error::Invalid);
        }
        let wanted = |text: *const c_char, otherwise: Error| {
            if text.is_null() {
                return Ok(None);
            }
            let text = super::text(text)?.to_str().map_err(|_| otherwise)?;
            Ok(Some(text.to_owned()))
        };
        let map = wanted(self.map, Error::Map)?;
        let device = wanted(self.device, Error::Invalid)?;
        let default = Config::default();
        let or = |value: u32, default: u32| if value == 0 { default } else { value };
        Ok(Config {
            mode: super::numbered(&[Mode::Thread, Mode::Preempt], self.mode)?,
            time: super::numbered(&[Time::Real, Time::Clamped, Time::Virtual], self.time_mode)?,
            alternate_stack: self.flags & FLAG_ALT_STACK != 0,
            mask_all: self.flags & FLAG_MASK_ALL != 0,
            realtime: self.flags & FLAG_NO_REALTIME == 0,
            check: self.flags & FLAG_CHECK != 0,
            signal: match self.signal {
                0 => None,
                signo if (1..=sigrt::sys::sigrtmax()).contains(&signo) => Some(signo),
                _ => return Err(Error::Invalid),
            },
            realtime_priority: match self.realtime_priority {
                0 => default.realtime_priority,
                some => some,
            },
            queue_len: or(self.queue_len, default.queue_len),
            alternate_stack_size: or(self.alt_stack_size, default.alternate_stack_size),
            tick_rate: or(self.tick_rate, default.tick_rate),
            clock_priority: or(self.clock_priority, default.clock_priority),
            isr_limit: match self.isr_limit_ns {
                0 => default.isr_limit,
                some => some,
            },
            log_fd: if self.log_fd < 0 {
                default.log_fd
            } else {
                self.log_fd
            },
            main_priority: self.main_priority,
            map,
            device: device.map(Into::into),
        })
    }

    pub(super) fn reads_environment(&self) -> bool {
        self.flags & FLAG_NO_ENV == 0
    }
}
