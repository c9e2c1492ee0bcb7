// SPDX-License-Identifier: MIT OR Apache-2.0

//! System calls that tests need and programs do not.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::atomic::AtomicU64;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Sets the limit on queued signals of this process, soft and hard.
///
/// # Panics
///
/// If the limit was lower already.
pub fn limit_queued_signals(limit: u64) {
    nix::sys::resource::setrlimit(
        nix::sys::resource::Resource::RLIMIT_SIGPENDING,
        limit,
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_SIGPENDING)
            .unwrap()
            .1,
    )
    .unwrap();
}

/// Ignores a signal, or gives it its default action back.
pub fn ignore(signo: i32, ignored: bool) {
    let action = if ignored {
        libc::SIG_IGN
    } else {
        libc::SIG_DFL
    };
    // SAFETY: neither action is a function.
    unsafe { libc::signal(signo, action) };
}

extern "C" fn nothing(_signo: i32) {}

/// Installs a handler that does nothing.
pub fn handle(signo: i32) {
    // SAFETY: the handler touches nothing.
    unsafe { libc::signal(signo, nothing as *const () as libc::sighandler_t) };
}

/// Forks; the child runs `child` and exits with what it returns.
///
/// Only for processes in which no other thread holds a lock that the child needs.
///
/// # Panics
///
/// If the system does not fork.
pub fn fork_child(child: impl FnOnce() -> ExitCode) -> Pid {
    // SAFETY: the caller promises that the child needs no lock that another thread may hold; memory
    // allocation is safe after fork with the C library in use.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            let failed = code.is_ok_and(|code| code == ExitCode::SUCCESS);
            // SAFETY: nothing of this process is used any more.
            unsafe { libc::_exit(i32::from(!failed)) }
        }
    }
}

/// Waits for a child.
///
/// # Panics
///
/// If it did not end with success.
#[track_caller]
pub fn expect_success(child: Pid) {
    assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
}

/// Runs `prepare` in the child of `command`, after it has forked and before it executes the program.
///
/// Only for processes in which no other thread holds a lock that `prepare` needs.
pub fn before_exec(
    command: &mut Command,
    prepare: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: as for `fork_child`.
    unsafe { command.pre_exec(prepare) };
}

/// Ends the calling thread and nothing else, even if it is the process's first.
pub fn exit_thread() -> ! {
    // SAFETY: the thread uses nothing any more; what it owns is leaked.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("exit does not return")
}

/// An `ioctl` with any argument at all.
///
/// # Errors
///
/// What the device says.
pub fn ioctl(fd: BorrowedFd<'_>, command: u32, address: u64) -> Result<(), Errno> {
    // SAFETY: the device treats the address as hostile; tests pass only memory of their own, unmapped
    // memory, or structures whose size does not exceed the memory they are in.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::c_ulong::from(command), address) };
    Errno::result(done).map(drop)
}

/// `pread` at any offset and into any memory.
///
/// # Errors
///
/// What the device says.
pub fn pread(fd: BorrowedFd<'_>, address: u64, len: usize, offset: i64) -> Result<usize, Errno> {
    // SAFETY: as for `ioctl`.
    let got = unsafe { libc::pread64(fd.as_raw_fd(), address as *mut libc::c_void, len, offset) };
    Errno::result(got).map(|n| n as usize)
}

/// `pwrite` at any offset.
///
/// # Errors
///
/// What the device says.
pub fn pwrite(fd: BorrowedFd<'_>, bytes: &[u8], offset: i64) -> Result<usize, Errno> {
    // SAFETY: the bytes live across the call.
    let put = unsafe { libc::pwrite64(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), offset) };
    Errno::result(put).map(|n| n as usize)
}

/// `read` into any memory.
///
/// # Errors
///
/// What the device says.
pub fn read(fd: BorrowedFd<'_>, address: u64, len: usize) -> Result<usize, Errno> {
    // SAFETY: as for `ioctl`.
    let got = unsafe { libc::read(fd.as_raw_fd(), address as *mut libc::c_void, len) };
    Errno::result(got).map(|n| n as usize)
}

/// `write` from any memory.
///
/// # Errors
///
/// What the device says.
pub fn write(fd: BorrowedFd<'_>, address: u64, len: usize) -> Result<usize, Errno> {
    // SAFETY: as for `ioctl`.
    let put = unsafe { libc::write(fd.as_raw_fd(), address as *const libc::c_void, len) };
    Errno::result(put).map(|n| n as usize)
}

/// Removes a kernel module, without waiting for it to become unused.
///
/// # Errors
///
/// `EWOULDBLOCK` (in use), `EBUSY`, `ENOENT`.
pub fn delete_module(name: &CStr) -> Result<(), Errno> {
    // SAFETY: the name lives across the call.
    let done = unsafe { libc::syscall(libc::SYS_delete_module, name.as_ptr(), libc::O_NONBLOCK) };
    Errno::result(done).map(drop)
}

/// Loads a kernel module from an open file.
///
/// # Errors
///
/// What the kernel says.
pub fn load_module(file: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the parameters are an empty string that lives for ever.
    let done = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    Errno::result(done).map(drop)
}

/// Maps a page of a file, and unmaps it again.
///
/// # Errors
///
/// What the device says.
pub fn map(fd: BorrowedFd<'_>, protection: i32, offset: i64) -> Result<(), Errno> {
    const LEN: usize = 4096;
    // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            LEN,
            protection,
            libc::MAP_SHARED,
            fd.as_raw_fd(),
            offset,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // SAFETY: nobody has seen the mapping.
    Errno::result(unsafe { libc::munmap(start, LEN) }).map(drop)
}

/// Takes the descriptor that comes with the next message of a Unix socket.
///
/// # Panics
///
/// If none comes.
#[must_use]
pub fn receive_descriptor(socket: BorrowedFd<'_>) -> OwnedFd {
    let mut byte = [0];
    let mut data = [io::IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut data, Some(&mut space), flags).unwrap();
    for part in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(descriptors) = part {
            assert_eq!(descriptors.len(), 1);
            // SAFETY: the kernel has just made it for us.
            return unsafe { OwnedFd::from_raw_fd(descriptors[0]) };
        }
    }
    panic!("no descriptor came")
}

/// Sends a descriptor over a Unix socket.
///
/// # Panics
///
/// If the socket does not take it.
pub fn send_descriptor(socket: BorrowedFd<'_>, descriptor: BorrowedFd<'_>) {
    let descriptors = [descriptor.as_raw_fd()];
    let part = [ControlMessage::ScmRights(&descriptors)];
    let data = [io::IoSlice::new(b"x")];
    sendmsg::<()>(socket.as_raw_fd(), &data, &part, MsgFlags::empty(), None).unwrap();
}

/// Who sent the next pending signal of that number, as the kernel says: `si_pid` and `si_uid`.
///
/// # Errors
///
/// `EAGAIN` if none is pending.
pub fn take_sender(signo: i32) -> Result<(i32, u32), Errno> {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: the pointer is valid for writes of a whole set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset has initialised it.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(&raw mut set, signo) };
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: all three pointers are valid.
    Errno::result(unsafe {
        libc::sigtimedwait(&raw const set, info.as_mut_ptr(), &raw const now)
    })?;
    // SAFETY: the kernel has filled it in, and zeroes are fine besides.
    let info = unsafe { info.assume_init() };
    // SAFETY: a queued signal has this field.
    let pid = unsafe { info.si_pid() };
    // SAFETY: and this one.
    let uid = unsafe { info.si_uid() };
    Ok((pid, uid))
}

/// Queues a signal with a value to a whole process, as anybody of the same user can.
///
/// # Errors
///
/// What the system says.
pub fn forge_signal(pid: i32, signo: i32, value: u64) -> io::Result<()> {
    let value = libc::sigval {
        sival_ptr: value as *mut libc::c_void,
    };
    // SAFETY: the value is only passed on.
    if unsafe { libc::sigqueue(pid, signo, value) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The processor's cycle counter, or nanoseconds where there is none to read.
#[must_use]
pub fn cycles() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 has the instruction.
        unsafe { std::arch::x86_64::_rdtsc() }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is valid.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }
}

/// Memory that a process shares with the children that it forks.
#[derive(Debug)]
pub struct Shared {
    start: *const AtomicU64,
    len: usize,
}

// SAFETY: the memory is only accessed through atomics.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// `len` words, all zero. They are never unmapped.
    ///
    /// # Panics
    ///
    /// If there is not so much memory.
    #[must_use]
    pub fn new(len: usize) -> Self {
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len * size_of::<AtomicU64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        Self {
            start: start.cast(),
            len,
        }
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is aligned to a page, as long as that, zeroed, and never unmapped.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}
