// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a controller is to be, from the program and from its environment.

use std::path::PathBuf;

use crate::error::{Error, Failure};

/// Where service routines run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// On a thread of the controller, one at a time.
    #[default]
    Thread,
    /// In a signal handler on the thread that has the CPU, which they interrupt.
    Preempt,
}

/// What clocks say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Time {
    /// The system's clock; a service routine sees its event's time exactly.
    #[default]
    Real,
    /// The same, but no read gives less than an earlier one.
    Clamped,
    /// Time stands still but for events and [`advance`](crate::Controller::advance).
    Virtual,
}

/// How a controller is to be.
///
/// # Examples
///
/// ```
/// use app_shim::{Config, Controller, Mode};
///
/// let controller = Controller::new(Config {
///     mode: Mode::Thread,
///     tick_rate: 100,
///     ..Config::default()
/// })?;
/// # drop(controller);
/// # Ok::<(), app_shim::Failure>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where service routines run.
    pub mode: Mode,
    /// What clocks say.
    pub time: Time,
    /// Preempt: handlers run on a stack of their own.
    pub alternate_stack: bool,
    /// A service routine starts with everything masked, as on an AVR.
    pub mask_all: bool,
    /// Ask for a realtime priority for the dispatcher.
    pub realtime: bool,
    /// Report what service routines must not do.
    pub check: bool,
    /// Preempt: the signal; `None`: `SIGURG`, which no limit can refuse.
    pub signal: Option<i32>,
    /// Priority of the dispatcher (`SCHED_FIFO`), 1 to 99.
    pub realtime_priority: i32,
    /// Events that wait per vector at most, 1 to 2^20.
    pub queue_len: u32,
    /// Bytes of the alternate stack, 16 KiB to 1 GiB.
    pub alternate_stack_size: u32,
    /// Ticks per second, 1 to 100000.
    pub tick_rate: u32,
    /// Priority of clocks and watchdogs, 1 to 63.
    pub clock_priority: u32,
    /// The checker reports service routines longer than this, in nanoseconds.
    pub isr_limit: u64,
    /// Descriptor that the log is written to.
    pub log_fd: i32,
    /// Priority of the task that calls [`start`](crate::Controller::start), 0 (first) to 255.
    pub main_priority: i32,
    /// A map: see [`Controller::map`](crate::Controller::map).
    pub map: Option<String>,
    /// Where a map's `device:` sources are: the module's device or the socket of a broker (`rtnotify serve`); `None`:
    /// [`sigrt::DEFAULT_PATH`].
    pub device: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Thread,
            time: Time::Real,
            alternate_stack: false,
            mask_all: false,
            realtime: true,
            check: false,
            signal: None,
            realtime_priority: 50,
            queue_len: 1024,
            alternate_stack_size: 256 * 1024,
            tick_rate: 60,
            clock_priority: 32,
            isr_limit: 1_000_000,
            log_fd: 1,
            main_priority: 100,
            map: None,
            device: None,
        }
    }
}

/// Most ticks per second.
pub(crate) const MAX_RATE: u32 = 100_000;

impl Config {
    /// This configuration with what the environment says: `APP_SHIM_MODE` (`thread`, `preempt`),
    /// `APP_SHIM_TIME` (`real`, `clamped`, `virtual`), `APP_SHIM_CHECK` (`1`), `APP_SHIM_ISR_LIMIT_US`.
    /// `APP_SHIM_DEVICE` (a path).
    /// `APP_SHIM_MAP` is added to the map: a file's name, or the text itself where it has a colon.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for words that mean nothing, [`Error::Map`] for a file that cannot be read.
    pub fn with_environment(self) -> Result<Self, Failure> {
        self.with(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn with(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let bad = |name: &str, value: &str| {
            Failure::new(Error::Invalid, format!("{name}={value} means nothing"))
        };
        if let Some(value) = variable("APP_SHIM_MODE") {
            self.mode = match value.as_str() {
                "thread" => Mode::Thread,
                "preempt" => Mode::Preempt,
                _ => return Err(bad("APP_SHIM_MODE", &value)),
            };
        }
        if let Some(value) = variable("APP_SHIM_TIME") {
            self.time = match value.as_str() {
                "real" => Time::Real,
                "clamped" => Time::Clamped,
                "virtual" => Time::Virtual,
                _ => return Err(bad("APP_SHIM_TIME", &value)),
            };
        }
        if let Some(value) = variable("APP_SHIM_CHECK") {
            self.check = match value.as_str() {
                "0" => false,
                "1" => true,
                _ => return Err(bad("APP_SHIM_CHECK", &value)),
            };
        }
        if let Some(value) = variable("APP_SHIM_ISR_LIMIT_US") {
            self.isr_limit = value
                .parse::<u64>()
                .ok()
                .and_then(|us| us.checked_mul(1000))
                .ok_or_else(|| bad("APP_SHIM_ISR_LIMIT_US", &value))?;
        }
        if let Some(value) = variable("APP_SHIM_DEVICE") {
            self.device = Some(value.into());
        }
        if let Some(value) = variable("APP_SHIM_MAP") {
            let text = if value.contains(':') {
                value
            } else {
                std::fs::read_to_string(&value)
                    .map_err(|e| Failure::new(Error::Map, format!("{value}: {e}")))?
            };
            let map = self.map.get_or_insert_default();
            map.push('\n');
            map.push_str(&text);
        }
        Ok(self)
    }

    /// Checks what is in it.
    pub(crate) fn check_ranges(&self) -> Result<(), Failure> {
        let ranges = [
            ("queue_len", u64::from(self.queue_len), 1, 1 << 20),
            ("tick_rate", self.tick_rate.into(), 1, MAX_RATE.into()),
            ("clock_priority", self.clock_priority.into(), 1, 63),
            (
                "alternate_stack_size",
                self.alternate_stack_size.into(),
                16 * 1024,
                1 << 30,
            ),
            ("realtime_priority", self.realtime_priority as u64, 1, 99),
            ("main_priority", self.main_priority as u64, 0, 255),
        ];
        for (name, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(Failure::new(
                    Error::Invalid,
                    format!("{name} must be {least} to {most}"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_and_nonsense_refused() {
        let set = |name: &'static str, value: &'static str| {
            Config::default().with(move |n| (n == name).then(|| value.to_owned()))
        };
        assert_eq!(set("APP_SHIM_MODE", "preempt").unwrap().mode, Mode::Preempt);
        assert_eq!(set("APP_SHIM_TIME", "clamped").unwrap().time, Time::Clamped);
        assert!(set("APP_SHIM_CHECK", "1").unwrap().check);
        assert_eq!(set("APP_SHIM_ISR_LIMIT_US", "5").unwrap().isr_limit, 5000);
        let device = set("APP_SHIM_DEVICE", "/run/rtnotify.sock").unwrap().device;
        assert_eq!(device, Some("/run/rtnotify.sock".into()));
        let map = set("APP_SHIM_MAP", "timer:1ms vector 3").unwrap().map;
        assert_eq!(map.as_deref(), Some("\ntimer:1ms vector 3"));
        for (name, value) in [
            ("APP_SHIM_MODE", "fast"),
            ("APP_SHIM_TIME", "1"),
            ("APP_SHIM_CHECK", "yes"),
            ("APP_SHIM_ISR_LIMIT_US", "-1"),
        ] {
            assert_eq!(set(name, value).unwrap_err().error, Error::Invalid);
        }
        let missing = set("APP_SHIM_MAP", "/no/such/file").unwrap_err();
        assert_eq!(missing.error, Error::Map);
    }

    #[test]
    fn ranges_are_checked() {
        assert!(Config::default().check_ranges().is_ok());
        let bad = Config {
            clock_priority: 64,
            ..Config::default()
        };
        assert_eq!(bad.check_ranges().unwrap_err().error, Error::Invalid);
    }
}
