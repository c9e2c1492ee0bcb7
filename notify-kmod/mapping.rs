// SPDX-License-Identifier: GPL-2.0

//! A payload mapped by its handle: what keeps its memory as it is until the last area that shows it is gone.
//!
//! A payload that owns whole pages is mapped where it lies, and its block pinned; another is copied to a page of
//! its own. Areas count their mapping (`map.c`): each split, move or fork adds one.
//!
//! All of this runs with the mmap lock held, so nothing here may take a client's reader mutex, under which
//! user memory is accessed; the state lock is a leaf and fine.

use super::{
    arena::{Arena, PAGE},
    client::Client,
    ffi,
    handle::pack,
    pool::Pin,
};
use kernel::{
    bindings,
    error::to_result,
    ffi::c_void,
    prelude::*,
    sync::{Arc, ArcBorrow},
    types::ForeignOwnable,
};

/// A payload that does not own whole pages is copied if its block is smaller than that.
pub(crate) const LARGEST_COPY: usize = PAGE / 2;

/// Where the bytes lie.
pub(crate) enum Memory {
    /// In a page of their own.
    Copy(Arena),
    /// A ring, or the pool of a registration, as a whole.
    Whole(Arc<Arena>),
    /// What the process writes: the index of a ring, or an outbox.
    Written(Arc<Arena>),
    /// In the registration's arena, from that offset on.
    Pinned {
        /// The arena, which may outlive its registration.
        arena: Arc<Arena>,
        /// Start of the block: the start of a page.
        offset: usize,
        /// Keeps the block from being handed out again; given back once.
        pin: Option<Pin>,
        /// Which of the client's registrations it was.
        generation: u64,
    },
}

/// One payload, shown in one or more areas.
pub(crate) struct Mapping {
    client: Arc<Client>,
    memory: Memory,
}

impl Mapping {
    /// Maps what the area's file offset names.
    ///
    /// # Errors
    ///
    /// `EACCES`, `EINVAL`, `ESTALE`, `ENODATA`, `ENOTCONN`, `ENOMEM`; see `docs/abi.md`.
    ///
    /// # Safety
    ///
    /// `vma` is the new area of an `mmap` of the client's file.
    pub(crate) unsafe fn create(
        client: ArcBorrow<'_, Client>,
        vma: *mut bindings::vm_area_struct,
    ) -> Result {
        let (mut handle, mut len) = (0, 0);
        // SAFETY: The area is valid by the caller's promise; the outputs are ours.
        to_result(unsafe { ffi::rtnotify_map_check(vma, &mut handle, &mut len) })?;
        let is_payload = handle >= pack(1);
        if is_payload {
            // Whatever the handle names.
            // SAFETY: The area is valid.
            to_result(unsafe { ffi::rtnotify_map_read_only(vma) })?;
        }
        let mapping = Arc::new(
            Self {
                client: client.into(),
                memory: client.pin(handle, len)?,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let start = match &mapping.memory {
            Memory::Pinned { arena, offset, .. } => arena.address(*offset),
            Memory::Copy(arena) => arena.address(0),
            Memory::Whole(arena) | Memory::Written(arena) => arena.address(0),
        };
        to_result(match &mapping.memory {
            // SAFETY: The area is valid.
            Memory::Written(_) => unsafe { ffi::rtnotify_map_uninherited(vma) },
            // SAFETY: The area is valid.
            _ => unsafe { ffi::rtnotify_map_read_only(vma) },
        })?;
        // SAFETY: The area is valid; the memory is at least as long, which `pin` has checked.
        to_result(unsafe { ffi::rtnotify_map_insert(vma, start) })?;
        if is_payload {
            client.mapped(handle)?;
        }
        // SAFETY: The area is valid and its mmap succeeds now; the count goes with it.
        unsafe { ffi::rtnotify_map_own(vma, mapping.into_foreign()) };
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Memory::Pinned {
            pin, generation, ..
        } = &mut self.memory
        {
            if let Some(pin) = pin.take() {
                self.client.unpin(*generation, pin);
            }
        }
    }
}

/// Counts one more area.
///
/// # Safety
///
/// `mapping` comes from `rtnotify_map_own`, and the area that has it still exists.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_mapping_get(mapping: *mut c_void) {
    // SAFETY: By the caller's promise it is a counted mapping.
    let borrowed: ArcBorrow<'_, Mapping> = unsafe { Arc::<Mapping>::borrow(mapping) };
    // One count more than references are held in Rust: the new area's.
    let _ = Arc::from(borrowed).into_foreign();
}

/// Counts one area less.
///
/// # Safety
///
/// As for [`rtnotify_rs_mapping_get`]; the area's count is given up.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_mapping_put(mapping: *mut c_void) {
    // SAFETY: By the caller's promise the count is given up here.
    drop(unsafe { <Arc<Mapping> as ForeignOwnable>::from_foreign(mapping) });
}
