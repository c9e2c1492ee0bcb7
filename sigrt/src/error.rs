// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one error type of the crate's upper layers.
//!
//! The layer below ([`crate::client`]) speaks the device's own language, `errno`; here every number that a
//! program can do something about has become a variant that says what.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

/// What went wrong, and where possible what to do about it.
///
/// # Examples
///
/// ```
/// use sigrt::{Device, Error, SourceOptions};
///
/// let device = Device::loopback();
/// let error = device.source("door").unwrap_err();
/// assert!(matches!(&error, Error::NoSuchSource { name } if name == "door"));
/// assert_eq!(error.to_string(), "there is no source \"door\"");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no device at that path.
    #[error("{path} is not there: load the module (`modprobe rtnotify`), or use the loopback", path = path.display())]
    NoDevice {
        /// The path that was tried.
        path: PathBuf,
    },
    /// Nobody serves a device at that path.
    #[error("no broker serves {path}: start one (`rtnotify serve`) or use Device::loopback()", path = path.display())]
    NoBroker {
        /// The path that was tried.
        path: PathBuf,
    },
    /// The device is there, but this user may not do that with it.
    #[error("no permission to {action}: {hint}")]
    Permission {
        /// What was attempted.
        action: &'static str,
        /// What would help.
        hint: &'static str,
    },
    /// The device has gone away, or the registration has ended, while it was in use.
    #[error("the device or the registration is gone")]
    DeviceGone,
    /// The broker that served this handle has vanished, and with it all that was registered and created there.
    #[error("the broker is gone; connect anew")]
    BrokerGone,
    /// This is the copy of a handle to the device that `fork` made: only the parent's works.
    #[error("this handle was made before fork(); open the device anew in the child")]
    Forked,
    /// The event named by a handle has been consumed already, or never was this registration's.
    #[error("the handle names no queued event")]
    StaleHandle,
    /// There is no source of that name or number.
    #[error("there is no source {name:?}")]
    NoSuchSource {
        /// Name, or number in decimal digits.
        name: String,
    },
    /// A source of that name exists.
    #[error("a source named {name:?} exists already")]
    SourceExists {
        /// The name.
        name: String,
    },
    /// The same source was asked for twice.
    #[error("subscribed to source {source_number} already")]
    SubscribedTwice {
        /// Number of the source.
        source_number: u32,
    },
    /// The source takes no posts: it is a timer, or a driver that only sends.
    #[error("the source takes no posts")]
    NotWritable,
    /// The payload is longer than the source allows.
    #[error("payload of {len} bytes: the source allows {max}")]
    PayloadTooLarge {
        /// Length that was asked for.
        len: usize,
        /// Longest that the source allows.
        max: usize,
    },
    /// The payload is not a value of the type that was asked for.
    #[error("payload of {len} bytes: {why}")]
    PayloadShape {
        /// Its length.
        len: usize,
        /// Why not.
        why: &'static str,
    },
    /// The program's own function that deliveries were handed to has panicked; it is not called any more.
    #[error("the function that takes deliveries has panicked")]
    CallbackPanicked,
    /// The driver behind the source cannot take more now.
    #[error("the driver is busy: {accepted} posts taken, the rest is the caller's again")]
    Busy {
        /// How many posts of the batch were taken.
        accepted: usize,
    },
    /// No realtime signal number is free, or the one that was asked for cannot be used.
    #[error("signal {signo}: {why}")]
    Signal {
        /// The number, or 0 if none was free.
        signo: i32,
        /// Why not.
        why: &'static str,
    },
    /// The user to whom a signal was sent has as many queued as is allowed (`RLIMIT_SIGPENDING`); this one was not
    /// sent. It can be again, once the receiver has taken some.
    #[error(
        "signal {signo}: the receiving user has as many signals queued as RLIMIT_SIGPENDING allows"
    )]
    SignalQueueFull {
        /// The number.
        signo: i32,
    },
    /// There is no such process, or no such thread in it.
    #[error("there is no such process or thread")]
    NoSuchProcess,
    /// A setting is out of range.
    #[error("{setting} is out of range: {limits}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What is allowed.
        limits: &'static str,
    },
    /// A limit of the device, of the registration or of this user has been reached.
    #[error("too many {what}")]
    Limit {
        /// Of what.
        what: &'static str,
    },
    /// Another failure of the operating system.
    #[error("{operation}: {source}")]
    Os {
        /// What was attempted.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Shorthand for results of this crate.
///
/// # Examples
///
/// ```
/// fn knock(door: &sigrt::Source) -> sigrt::Result<()> {
///     door.post(None, b"knock")
/// }
/// # let device = sigrt::Device::loopback();
/// # knock(&device.create_source(sigrt::SourceOptions::new("door"))?)?;
/// # Ok::<(), sigrt::Error>(())
/// ```
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// Errors that mean the same whatever was attempted.
    pub(crate) fn from_errno(operation: &'static str, errno: Errno) -> Self {
        match errno {
            Errno::EOWNERDEAD => Self::Forked,
            Errno::ECONNRESET => Self::BrokerGone,
            Errno::ESTALE => Self::StaleHandle,
            Errno::ENODEV | Errno::ENOTCONN => Self::DeviceGone,
            Errno::EACCES | Errno::EPERM => Self::Permission {
                action: operation,
                hint: "ask for membership in the group that owns the device (see `rtnotify doctor`)",
            },
            other => Self::os(operation, other.into()),
        }
    }

    pub(crate) fn os(operation: &'static str, source: io::Error) -> Self {
        Self::Os { operation, source }
    }
}
