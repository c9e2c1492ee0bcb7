// SPDX-License-Identifier: MIT OR Apache-2.0

//! System calls that tests need and programs do not.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::signal::SigSet;
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

/// An area of memory that a test has mapped; nothing unmaps it but the test.
#[derive(Debug)]
pub struct Area {
    start: *mut libc::c_void,
    len: usize,
}

/// Maps `len` bytes of `fd` with any protection and flags.
///
/// # Errors
///
/// What the kernel says.
pub fn map(
    fd: BorrowedFd<'_>,
    len: usize,
    prot: i32,
    flags: i32,
    offset: i64,
) -> Result<Area, Errno> {
    // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
    let start = unsafe {
        libc::mmap64(
            std::ptr::null_mut(),
            len,
            prot,
            flags,
            fd.as_raw_fd(),
            offset,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    Ok(Area { start, len })
}

impl Area {
    /// Changes the protection of all of it.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn protect(&self, prot: i32) -> Result<(), Errno> {
        // SAFETY: nobody holds a reference into it while the test changes it.
        let done = unsafe { libc::mprotect(self.start, self.len, prot) };
        Errno::result(done).map(drop)
    }

    /// Unmaps part of it.
    pub fn unmap(&self, offset: usize, len: usize) {
        assert!(offset + len <= self.len);
        let start = self.start.wrapping_byte_add(offset);
        // SAFETY: the part lies in the area, and the test does not look at it any more.
        let done = unsafe { libc::munmap(start, len) };
        assert_eq!(done, 0);
    }

    /// A word that is shared with somebody else.
    #[must_use]
    pub fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset + 8 <= self.len && offset.is_multiple_of(8));
        // SAFETY: it lies in the area, is aligned, and is only accessed through atomics.
        unsafe { &*self.start.wrapping_byte_add(offset).cast::<AtomicU64>() }
    }

    /// Whether it is mapped, all of it.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        // SAFETY: it only asks the kernel about the addresses.
        unsafe { libc::msync(self.start, self.len, libc::MS_ASYNC) == 0 }
    }

    /// What is there; the caller does not look at what it has unmapped.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: readable as long as the test has not unmapped it.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.len) }
    }
}

/// Gives the pages of `bytes`, not copies of them, to a pipe.
///
/// # Errors
///
/// What the kernel says.
pub fn splice_pages(pipe: &impl AsRawFd, bytes: &[u8]) -> Result<usize, Errno> {
    let part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: the vector describes memory that lives across the call; the kernel only reads it.
    let done = unsafe {
        libc::vmsplice(
            pipe.as_raw_fd(),
            &raw const part,
            1,
            libc::SPLICE_F_NONBLOCK,
        )
    };
    Errno::result(done).map(|n| n as usize)
}

/// Loads a kernel module from an open file.
///
/// # Errors
///
/// What the kernel says.
pub fn load_module(file: BorrowedFd<'_>) -> Result<(), Errno> {
    load_module_with(file, c"")
}

/// Loads a kernel module from an open file, with parameters.
///
/// # Errors
///
/// What the kernel says.
pub fn load_module_with(file: BorrowedFd<'_>, parameters: &CStr) -> Result<(), Errno> {
    // SAFETY: the parameters live across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_finit_module,
            file.as_raw_fd(),
            parameters.as_ptr(),
            0,
        )
    };
    Errno::result(done).map(drop)
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

/// Takes a descriptor that an `ioctl` has made.
#[must_use]
pub fn own(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made it for the caller alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Sends a signal to one thread of this process.
pub fn signal_thread(tid: i32, signo: i32) {
    // SAFETY: no memory is involved.
    unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), tid, signo) };
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

/// Sends a signal without a value to a whole process, as anybody of the same user can.
///
/// # Errors
///
/// What the system says.
pub fn send_signal(pid: i32, signo: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    if unsafe { libc::kill(pid, signo) } == 0 {
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

/// What the handler of [`catch_value`] was given last.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

extern "C" fn store_value(
    _signo: i32,
    info: *const libc::siginfo_t,
    _context: *const libc::c_void,
) {
    // SAFETY: the system passes a valid siginfo to a handler with SA_SIGINFO.
    let info = unsafe { &*info };
    // SAFETY: only signals that carry a value are sent to this handler.
    let value = unsafe { info.si_value() };
    CAUGHT.store(value.sival_ptr as u64, Ordering::Relaxed);
}

/// Installs a handler that keeps the value of the signal for [`caught`].
///
/// # Panics
///
/// If the number cannot have one.
pub fn catch_value(signo: i32) {
    let handler: extern "C" fn(i32, *const libc::siginfo_t, *const libc::c_void) = store_value;
    // SAFETY: all fields of the structure may be zero.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler only stores to an atomic; the action lives across the call.
    let done = unsafe { libc::sigaction(signo, &raw const action, std::ptr::null_mut()) };
    assert_eq!(done, 0);
}

/// The value that was caught since the last call, or 0.
#[must_use]
pub fn caught() -> u64 {
    CAUGHT.swap(0, Ordering::Relaxed)
}

/// The signals that the calling thread blocks, but for `signo`.
#[must_use]
pub fn mask_without(signo: i32) -> libc::sigset_t {
    let mut mask = SigSet::empty().as_ref().to_owned();
    // SAFETY: a null new mask only asks; the old one is valid for writing.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask) };
    // SAFETY: the set is initialised; a bad number is only refused.
    unsafe { libc::sigdelset(&raw mut mask, signo) };
    mask
}

/// Sleeps with that mask until a handler has run.
pub fn suspend(mask: &libc::sigset_t) {
    // SAFETY: the set is initialised and lives across the call.
    unsafe { libc::sigsuspend(mask) };
}

/// A `signalfd` for one signal, which the reader blocks.
#[derive(Debug)]
pub struct SignalFile(OwnedFd);

impl SignalFile {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(signo: i32) -> Result<Self, Errno> {
        let mut set = SigSet::empty().as_ref().to_owned();
        // SAFETY: the set is initialised; a bad number is only refused.
        unsafe { libc::sigaddset(&raw mut set, signo) };
        // SAFETY: the set is initialised and lives across the call.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) };
        let fd = Errno::result(fd)?;
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Takes up to 32 signals with one system call, waiting for the first; returns their values.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn take(&self, values: &mut [u64; 32]) -> Result<usize, Errno> {
        const WORDS: usize = size_of::<libc::signalfd_siginfo>() / size_of::<u64>();
        let mut infos = [[0_u64; WORDS]; 32];
        // SAFETY: the array is as long as the call is told.
        let got = unsafe {
            libc::read(
                self.0.as_raw_fd(),
                infos.as_mut_ptr().cast(),
                size_of_val(&infos),
            )
        };
        let count = Errno::result(got)? as usize / size_of_val(&infos[0]);
        for (value, info) in values.iter_mut().zip(&infos[..count]) {
            *value = info[VALUE_WORD];
        }
        Ok(count)
    }
}

/// Where `ssi_ptr` lies in a `signalfd_siginfo`, in words.
const VALUE_WORD: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_ptr) / size_of::<u64>();

/// Memory that a process shares with the children that it forks.
#[derive(Debug)]
pub struct Shared {
    start: *const AtomicU64,
    len: usize,
}

// SAFETY: threads of a test share its words through atomics.
unsafe impl Sync for Area {}

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

/// Sets what a signal does.
///
/// # Panics
///
/// If the system refuses.
pub fn set_action(signo: i32, action: &nix::sys::signal::SigAction) {
    let signal = nix::sys::signal::Signal::try_from(signo).unwrap();
    // SAFETY: the handlers of tests touch nothing.
    unsafe { nix::sys::signal::sigaction(signal, action) }.unwrap();
}
