// SPDX-License-Identifier: MIT OR Apache-2.0

//! Messages with descriptors over Unix sockets, and who is at the other end.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, SockFlag, SockType, accept4, getsockopt, recv, recvmsg, sendmsg,
    setsockopt, sockopt,
};

/// `asm-generic/socket.h`; not in the `libc` crate for every C library.
const SO_PEERGROUPS: libc::c_int = 59;

/// Descriptors that a message can bring; of more the rest is not taken, and the message is cut off.
const DESCRIPTORS: usize = 4;
/// Messages that are looked through before a socket is taken for full.
const LEFT: usize = 256;

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

/// What lies at the head of a Unix socket's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The end, or an empty message.
    Nothing,
    Bytes,
    /// A message with descriptors. Taken without a place for them, the kernel would close them at once, and have the
    /// caller wait for that.
    Descriptors,
}

/// Looks at what would be received next, and leaves it there.
///
/// # Errors
///
/// `EAGAIN` (there is nothing yet), `ECONNRESET`, `EINTR`.
pub(crate) fn look(socket: BorrowedFd<'_>) -> Result<Waiting, Errno> {
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, None, flags)?;
    // Control data without a place for it (`scm_recv`, include/net/scm.h).
    Ok(if message.flags.contains(MsgFlags::MSG_CTRUNC) {
        Waiting::Descriptors
    } else if message.bytes == 0 {
        Waiting::Nothing
    } else {
        Waiting::Bytes
    })
}

/// Takes what [`look`] has seen, of a message all, of a stream one byte. Its descriptors, if it has any, must be open
/// elsewhere.
pub(crate) fn take(socket: BorrowedFd<'_>) {
    // What cannot be taken stays to be found again.
    recv(socket.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT).ok();
}

/// Takes what is left in a Unix socket that has been shut down for reading; returns whether all of that was without
/// descriptors, so that closing the socket closes nothing else.
pub(crate) fn is_spent(socket: BorrowedFd<'_>) -> bool {
    for _ in 0..LEFT {
        match look(socket) {
            Ok(Waiting::Bytes) => take(socket),
            Ok(Waiting::Nothing) => return is_at_end(socket),
            // Said once.
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            Ok(Waiting::Descriptors) | Err(_) => return false,
        }
    }
    false
}

/// Whether what reads as nothing is the end, and not an empty message.
fn is_at_end(socket: BorrowedFd<'_>) -> bool {
    if getsockopt(&socket, sockopt::SockType) == Ok(SockType::Stream) {
        return true;
    }
    // Every message has credentials then, but the end has none.
    setsockopt(&socket, sockopt::PassCred, &true).is_ok() && look(socket) == Ok(Waiting::Nothing)
}

/// Receives one message, or with `keep` a copy of it: what it brings is open here then, and lies there as well.
///
/// # Errors
///
/// `EAGAIN` (there is none, and `wait` is not set), `ECONNRESET`, `EINTR`.
pub(crate) fn receive_message(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: bool,
    keep: bool,
) -> Result<Received, Errno> {
    // A header of 16 bytes, then the descriptors; aligned as a header is.
    let mut control = [0_u64; 2 + DESCRIPTORS.div_ceil(2)];
    let mut flags = libc::MSG_CMSG_CLOEXEC;
    if !wait {
        flags |= libc::MSG_DONTWAIT;
    }
    if keep {
        flags |= libc::MSG_PEEK;
    }
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: all zero is a valid header, of a message without anything.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the header names the two buffers, which live and are as long as it says.
    let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let len = Errno::result(len)? as usize;
    Ok(Received {
        len,
        cut: message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0,
        // SAFETY: the kernel has just filled it in, and `control` lives.
        descriptors: unsafe { descriptors_of(&message) },
    })
}

/// The descriptors that a message has brought, also where some of them had no place: `nix` gives none then, and so leaves
/// the others open.
///
/// # Safety
///
/// `recvmsg` has filled in the header, its control data lives, and nobody has taken the descriptors.
unsafe fn descriptors_of(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut all = Vec::new();
    // SAFETY: the header is a filled in one, says the caller.
    let mut part = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !part.is_null() {
        // SAFETY: the macros give headers that lie in the control data whole.
        let head = unsafe { part.read_unaligned() };
        if (head.cmsg_level, head.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: no memory is involved.
            let start = unsafe { libc::CMSG_LEN(0) } as usize;
            let len = (head.cmsg_len as usize).saturating_sub(start);
            // SAFETY: behind that header.
            let data = unsafe { libc::CMSG_DATA(part) };
            // SAFETY: the kernel has put so many bytes there.
            let data = unsafe { std::slice::from_raw_parts(data, len) };
            for fd in data.as_chunks().0 {
                // SAFETY: the kernel has just made it for us alone.
                all.push(unsafe { own(RawFd::from_ne_bytes(*fd)) });
            }
        }
        // SAFETY: as for the first.
        part = unsafe { libc::CMSG_NXTHDR(message, part) };
    }
    all
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
