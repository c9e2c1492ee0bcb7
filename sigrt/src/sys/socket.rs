// SPDX-License-Identifier: MIT OR Apache-2.0

//! Messages with descriptors over Unix sockets, and who is at the other end.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, accept4, recvmsg, sendmsg,
};

/// `asm-generic/socket.h`; not in the `libc` crate for every C library.
const SO_PEERGROUPS: libc::c_int = 59;

/// Descriptors that a message can bring; more are closed by the kernel, and the message is cut off.
const DESCRIPTORS: usize = 4;

/// Sends one message, whole or not at all, without `SIGPIPE`.
///
/// # Errors
///
/// `EAGAIN` (there is no room, and `wait` is not set), `EPIPE`, `ECONNRESET`, `EINTR`.
pub(crate) fn send_message(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    descriptor: Option<BorrowedFd<'_>>,
    wait: bool,
) -> Result<(), Errno> {
    let mut flags = MsgFlags::MSG_NOSIGNAL;
    if !wait {
        flags |= MsgFlags::MSG_DONTWAIT;
    }
    let raw = descriptor.map(|fd| [fd.as_raw_fd()]);
    let rights = raw.as_ref().map(|fds| [ControlMessage::ScmRights(fds)]);
    let control = rights.as_ref().map_or(&[][..], |rights| &rights[..]);
    sendmsg::<()>(socket.as_raw_fd(), parts, control, flags, None).map(drop)
}

/// A message that was received.
#[derive(Debug)]
pub(crate) struct Received {
    /// How much of the buffer it fills; 0: the other end has closed.
    pub(crate) len: usize,
    /// It was longer than the buffer, or brought too many descriptors.
    pub(crate) cut: bool,
    /// What it brought.
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// Receives one message.
///
/// # Errors
///
/// `EAGAIN` (there is none, and `wait` is not set), `ECONNRESET`, `EINTR`.
pub(crate) fn receive_message(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: bool,
) -> Result<Received, Errno> {
    // Of `cmsg_space!`, but on the stack: a header of 16 bytes, then the descriptors.
    let mut control = [0_u64; 2 + DESCRIPTORS.div_ceil(2)];
    // SAFETY: the array is as long as that, and bytes have no alignment and no bad values.
    let control = unsafe {
        std::slice::from_raw_parts_mut(control.as_mut_ptr().cast::<u8>(), size_of_val(&control))
    };
    let mut flags = MsgFlags::MSG_CMSG_CLOEXEC;
    if !wait {
        flags |= MsgFlags::MSG_DONTWAIT;
    }
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(control), flags)?;
    let mut cut = message
        .flags
        .intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
    let mut descriptors = Vec::new();
    match message.cmsgs() {
        Ok(all) => {
            for part in all {
                if let ControlMessageOwned::ScmRights(fds) = part {
                    // SAFETY: the kernel has just made these for us alone.
                    descriptors.extend(fds.into_iter().map(|fd| unsafe { own(fd) }));
                }
            }
        }
        Err(_) => cut = true,
    }
    Ok(Received {
        len: message.bytes,
        cut,
        descriptors,
    })
}

/// Accepts one connection, which does not block.
///
/// # Errors
///
/// `EAGAIN` (there is none), `EMFILE`, `ENFILE`, `ENOMEM`, `ECONNABORTED`.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = accept4(listener.as_raw_fd(), flags)?;
    // SAFETY: the kernel has just made it for us alone.
    Ok(unsafe { own(fd) })
}

/// # Safety
///
/// Nobody else owns it.
unsafe fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller says so.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The supplementary groups of the process that made the connection (`SO_PEERGROUPS`, `socket(7)`).
///
/// # Errors
///
/// What the system says.
pub(crate) fn peer_groups(socket: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    // As many as a process can have, NGROUPS_MAX.
    const MOST: usize = 1 << 16;
    let mut groups = vec![0_u32; 64];
    loop {
        let mut len = size_of_val(&groups[..]) as libc::socklen_t;
        // SAFETY: the buffer is as long as the call is told, and the length is written back to live memory.
        let done = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        match Errno::result(done) {
            Ok(_) => {
                groups.truncate(len as usize / size_of::<u32>());
                return Ok(groups);
            }
            Err(Errno::ERANGE) if groups.len() < MOST => groups.resize(MOST, 0),
            Err(errno) => return Err(errno),
        }
    }
}

/// A descriptor that becomes readable when the process `pid` exits.
///
/// # Errors
///
/// `ESRCH` for no such process, `EINVAL` for 0.
pub(crate) fn process_descriptor(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { own(fd as RawFd) })
}

/// Takes the first socket that systemd has passed to this process (`sd_listen_fds(3)`), once: the environment that
/// says so is only read, so the caller must not ask twice.
///
/// # Errors
///
/// `EBADF`: it is not open.
pub(crate) fn inherited_socket() -> Result<OwnedFd, Errno> {
    /// `SD_LISTEN_FDS_START`.
    const FIRST: RawFd = 3;
    // SAFETY: no memory is involved; a bad descriptor is only refused.
    let flags = unsafe { libc::fcntl(FIRST, libc::F_SETFD, libc::FD_CLOEXEC) };
    Errno::result(flags)?;
    // SAFETY: it is open, and the protocol says that it is this process's to take.
    Ok(unsafe { own(FIRST) })
}
