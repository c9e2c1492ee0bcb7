// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can go wrong, and its number in the C interface.

use std::fmt;

/// Why a call of the controller was not carried out.
///
/// The numbers are those of `app_shim.h`; none is ever given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[repr(i32)]
pub enum Error {
    /// A pointer that must not be null is.
    #[error("a pointer that must not be NULL is")]
    Null = 1,
    /// An argument is out of range.
    #[error("an argument is out of range")]
    Invalid = 2,
    /// It is there already.
    #[error("it is there already")]
    Busy = 3,
    /// The vector or pin has no handler.
    #[error("nothing is connected")]
    NotConnected = 4,
    /// An interrupt service routine may not do that.
    #[error("not from an interrupt service routine")]
    InIsr = 5,
    /// There is no room.
    #[error("there is no room")]
    Full = 6,
    /// The time is up.
    #[error("the time is up")]
    Timeout = 7,
    /// The identifier names nothing (any more).
    #[error("no such object")]
    NoSuch = 8,
    /// It would have to wait.
    #[error("it would have to wait")]
    Unavailable = 9,
    /// The mutex belongs to another task.
    #[error("the mutex belongs to another task")]
    NotOwner = 10,
    /// There is no controller, or it has not been started.
    #[error("not started")]
    NotStarted = 11,
    /// No memory, or a table is full.
    #[error("no memory, or a table is full")]
    NoMemory = 12,
    /// A payload, message or buffer is too large.
    #[error("too large")]
    TooLarge = 13,
    /// The system refused.
    #[error("the system refused")]
    Os = 14,
    /// The map is wrong.
    #[error("the map is wrong")]
    Map = 15,
    /// A defect was caught at the C interface.
    #[error("a defect in the shim")]
    Panic = 16,
    /// The object was deleted while the caller waited for it.
    #[error("deleted while it was waited for")]
    Deleted = 17,
    /// Not in this mode, or not on this system.
    #[error("not in this mode, or not on this system")]
    Unsupported = 18,
    /// The caller is no task.
    #[error("the caller is no task")]
    NotTask = 19,
}

/// What calls of the controller give.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 19] = [
        Self::Null,
        Self::Invalid,
        Self::Busy,
        Self::NotConnected,
        Self::InIsr,
        Self::Full,
        Self::Timeout,
        Self::NoSuch,
        Self::Unavailable,
        Self::NotOwner,
        Self::NotStarted,
        Self::NoMemory,
        Self::TooLarge,
        Self::Os,
        Self::Map,
        Self::Panic,
        Self::Deleted,
        Self::Unsupported,
        Self::NotTask,
    ];

    /// The number in the C interface, from 1.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The name in the C interface.
    #[must_use]
    pub const fn c_name(self) -> &'static std::ffi::CStr {
        match self {
            Self::Null => c"APP_SHIM_NULL",
            Self::Invalid => c"APP_SHIM_INVALID",
            Self::Busy => c"APP_SHIM_BUSY",
            Self::NotConnected => c"APP_SHIM_NOT_CONNECTED",
            Self::InIsr => c"APP_SHIM_IN_ISR",
            Self::Full => c"APP_SHIM_FULL",
            Self::Timeout => c"APP_SHIM_TIMEOUT",
            Self::NoSuch => c"APP_SHIM_NO_SUCH",
            Self::Unavailable => c"APP_SHIM_UNAVAILABLE",
            Self::NotOwner => c"APP_SHIM_NOT_OWNER",
            Self::NotStarted => c"APP_SHIM_NOT_STARTED",
            Self::NoMemory => c"APP_SHIM_NO_MEMORY",
            Self::TooLarge => c"APP_SHIM_TOO_LARGE",
            Self::Os => c"APP_SHIM_OS",
            Self::Map => c"APP_SHIM_MAP",
            Self::Panic => c"APP_SHIM_PANIC",
            Self::Deleted => c"APP_SHIM_DELETED",
            Self::Unsupported => c"APP_SHIM_UNSUPPORTED",
            Self::NotTask => c"APP_SHIM_NOT_TASK",
        }
    }
}

/// Why a controller could not be made, started or given a map: with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub error: Error,
    /// What exactly, for people.
    pub text: String,
}

impl Failure {
    pub(crate) fn new(error: Error, text: impl Into<String>) -> Self {
        Self {
            error,
            text: text.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error, error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
