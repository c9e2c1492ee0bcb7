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
/// Most bytes that a memfd may have beyond its end: the system may give it a huge page.
const BEYOND: u64 = 512 << 20;

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

    /// One that somebody else has made, if it is what it should be and has at least `len` bytes. Closing it takes no
    /// longer than giving back the memory of a long transfer.
    ///
    /// # Errors
    ///
    /// It is not, and is given back: it may be something that is slow to close.
    pub(crate) fn check(fd: OwnedFd, len: usize) -> Result<Self, OwnedFd> {
        if is_fit(&fd, len as u64) {
            Ok(Self {
                file: File::from(fd),
                len,
            })
        } else {
            Err(fd)
        }
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

fn is_fit(fd: &OwnedFd, len: u64) -> bool {
    // Only a memfd has these seals, so it is no pipe and no file of a network.
    let (Ok(seals), Ok(status)) = (fcntl(fd.as_fd(), FcntlArg::F_GET_SEALS), fstat(fd.as_fd()))
    else {
        return false;
    };
    let fixed = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
    let has = (status.st_blocks as u64).saturating_mul(BLOCK);
    SealFlag::from_bits_retain(seals).contains(fixed)
        && (len..=MOST as u64).contains(&(status.st_size as u64))
        && (len..=MOST as u64 + BEYOND).contains(&has)
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
        assert!(Bulk::check(copy, 20_000).is_err());
        let growing = memfd(10_000, SealFlag::F_SEAL_SHRINK);
        fallocate(growing.as_fd(), FallocateFlags::empty(), 0, 10_000).unwrap();
        for fd in [
            memfd(10_000, SealFlag::empty()),
            // Nothing has ever been written there.
            memfd(10_000, SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW),
            growing,
            OwnedFd::from(Bulk::new(MOST + 1).unwrap().file),
            OwnedFd::from(File::open("/dev/zero").unwrap()),
            nix::unistd::pipe().unwrap().0,
        ] {
            assert!(Bulk::check(fd, 10_000).is_err());
        }
    }
}
