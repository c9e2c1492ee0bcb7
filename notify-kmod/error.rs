// SPDX-License-Identifier: GPL-2.0

//! The one place where the state machine's errors become errnos; `docs/abi.md` lists them per call.

use super::{
    lane::LaneError, machine::SubscribeError, published::PublishError, slots::HandleError,
};
use kernel::{bindings, prelude::*};

fn error(errno: u32) -> Error {
    Error::from_errno(-(errno as i32))
}

/// No registration is in force.
pub(crate) fn not_registered() -> Error {
    error(bindings::ENOTCONN)
}

/// The handle names an event that is gone, or another client's.
pub(crate) fn stale() -> Error {
    error(bindings::ESTALE)
}

/// There is no payload: the handle names a note, which must be read as a record, or an empty event.
pub(crate) fn no_payload() -> Error {
    error(bindings::ENODATA)
}

/// The user holds as much as one user may.
pub(crate) fn quota_exceeded() -> Error {
    error(bindings::EDQUOT)
}

/// Bytes of a stream were lost.
pub(crate) fn lost() -> Error {
    error(bindings::ENOBUFS)
}

/// Not for 32-bit programs, or not by this source.
pub(crate) fn not_supported() -> Error {
    error(bindings::EOPNOTSUPP)
}

/// The errno of a handle that does not resolve.
pub(crate) fn from_handle(e: HandleError) -> Error {
    match e {
        HandleError::Invalid => EINVAL,
        HandleError::Stale | HandleError::Busy => stale(),
        HandleError::Published => EBUSY,
    }
}

/// The errno of a subscription that cannot be made or ended.
pub(crate) fn from_subscribe(e: SubscribeError) -> Error {
    match e {
        SubscribeError::Exists => EEXIST,
        SubscribeError::Full => ENOSPC,
        SubscribeError::NotFound => ENOENT,
    }
}

/// The errno of a lane that cannot be added.
pub(crate) fn from_lane(e: LaneError) -> Error {
    match e {
        LaneError::Exists => EEXIST,
        LaneError::TooMany | LaneError::Capacity => ENOSPC,
    }
}

/// The errno of a lane that cannot have a ring.
pub(crate) fn from_publish(e: PublishError) -> Error {
    match e {
        PublishError::Busy => EBUSY,
        PublishError::Impossible => EINVAL,
    }
}
