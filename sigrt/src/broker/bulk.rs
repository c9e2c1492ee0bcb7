// SPDX-License-Identifier: MIT OR Apache-2.0

//! Memory that a client lends for what is too long for a message.
//!
//! A memfd of a fixed size, with all its pages there: so neither can the broker be made to read or write beyond its end,
//! nor is anything charged to the broker for what the client keeps.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use rtnotify_core::abi;

/// Most bytes that one request or reply has: a `write`, or a frame with the longest payload.
pub(crate) const MOST: usize = abi::MAX_WRITE;

/// Blocks that `stat` counts in.
const BLOCK: u64 = 512;

/// Such a memfd.
#[derive(Debug)]
pub(crate) struct Bulk {
    file: File,
    len: usize,
}

impl Bulk {
    /// One with room for `len` bytes.
    pub(crate) fn new(len: usize) -> Result<Self, Errno> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let fd = memfd_create(c"rtnotify", flags)?;
        // What it is grown to, it is also filled to.
        fallocate(fd.as_fd(), FallocateFlags::empty(), 0, len as i64)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(fd.as_fd(), FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Self {
            file: File::from(fd),
            len,
        })
    }

    /// One that somebody else has made, if it is what it should be and has at least `len` bytes.
    ///
    /// # Errors
    ///
    /// `EPROTO`: it is not.
    pub(crate) fn check(fd: OwnedFd, len: usize) -> Result<Self, Errno> {
        // Only a memfd has seals, so this is no pipe and no file of a network.
        let seals = fcntl(fd.as_fd(), FcntlArg::F_GET_SEALS).map_err(|_| Errno::EPROTO)?;
        let status = fstat(fd.as_fd())?;
        let has = (status.st_blocks as u64).saturating_mul(BLOCK);
        if !SealFlag::from_bits_retain(seals).contains(SealFlag::F_SEAL_SHRINK)
            || (status.st_size as u64) < len as u64
            || has < len as u64
        {
            return Err(Errno::EPROTO);
        }
        Ok(Self {
            file: File::from(fd),
            len,
        })
    }

    /// How many bytes there is room for.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The descriptor to send.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Puts bytes at the start.
    ///
    /// # Errors
    ///
    /// `EFAULT`: whoever lent it has made that impossible.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<(), Errno> {
        self.file.write_all_at(bytes, 0).map_err(|_| Errno::EFAULT)
    }

    /// Gets bytes from the start.
    ///
    /// # Errors
    ///
    /// `EFAULT`: they are not there.
    pub(crate) fn get(&self, bytes: &mut [u8]) -> Result<(), Errno> {
        self.file.read_exact_at(bytes, 0).map_err(|_| Errno::EFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memfd(len: i64, seals: SealFlag) -> OwnedFd {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let fd = memfd_create(c"test", flags).unwrap();
        nix::unistd::ftruncate(fd.as_fd(), len).unwrap();
        fcntl(fd.as_fd(), FcntlArg::F_ADD_SEALS(seals)).unwrap();
        fd
    }

    #[test]
    fn only_what_cannot_shrink_and_is_there_is_taken() {
        let good = Bulk::new(10_000).unwrap();
        let copy = OwnedFd::from(good.file().try_clone().unwrap());
        let taken = Bulk::check(copy, 10_000).unwrap();
        good.put(b"hello").unwrap();
        let mut bytes = [0; 5];
        taken.get(&mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
        let copy = OwnedFd::from(good.file().try_clone().unwrap());
        assert_eq!(Bulk::check(copy, 20_000).unwrap_err(), Errno::EPROTO);
        for fd in [
            memfd(10_000, SealFlag::empty()),
            // Nothing has ever been written there.
            memfd(10_000, SealFlag::F_SEAL_SHRINK),
            OwnedFd::from(File::open("/dev/zero").unwrap()),
            nix::unistd::pipe().unwrap().0,
        ] {
            assert_eq!(Bulk::check(fd, 10_000).unwrap_err(), Errno::EPROTO);
        }
    }
}
