// SPDX-License-Identifier: MIT OR Apache-2.0

//! System calls that no safe crate offers in the form needed here: the only module with `unsafe`.
//!
//! Every function is safe to call: none can break memory safety, whatever the arguments. What a signal does
//! to the *program* is another matter; see the crate's front page. Nothing here allocates or locks.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("handles travel in a 64-bit sigval: 32-bit programs are not supported");

pub(crate) mod handler;
pub(crate) mod info;

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::time::Duration;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;
use rtnotify_core::abi;
use rtnotify_core::plain::{Layout, Plain as _};

mod socket;
pub(crate) use socket::{
    Received, Waiting, accept, inherited_socket, is_spent, look, peer_groups, process_descriptor,
    receive_message, send_message, take,
};

/// Number of a thread, as `gettid` gives it.
///
/// # Examples
///
/// ```
/// let tid: sigrt::sys::Tid = sigrt::sys::gettid();
/// assert!(tid > 0);
/// ```
pub type Tid = i32;

/// Signal that wakes a dispatcher and that the loopback rings where a realtime signal is refused.
///
/// It is ignored by default, so a stray one harms nobody, and it is below `SIGRTMIN`, so the kernel sets its
/// pending bit even where the limit on queued signals is used up (`signal(7)`, `kernel/signal.c`).
///
/// # Examples
///
/// ```
/// assert!(sigrt::sys::SIGURG < sigrt::sys::sigrtmin(), "a standard signal");
/// ```
pub const SIGURG: i32 = libc::SIGURG;

/// First realtime signal number that the C library leaves to programs.
///
/// # Examples
///
/// ```
/// assert!(sigrt::sys::sigrtmin() > 33, "the C library keeps some");
/// assert!(sigrt::sys::sigrtmin() < sigrt::sys::sigrtmax());
/// ```
#[must_use]
pub fn sigrtmin() -> i32 {
    libc::SIGRTMIN()
}

/// Last realtime signal number.
///
/// # Examples
///
/// See [`sigrtmin`].
#[must_use]
pub fn sigrtmax() -> i32 {
    libc::SIGRTMAX()
}

/// A set of signals.
///
/// # Examples
///
/// ```
/// use sigrt::sys::{SIGURG, SignalSet};
///
/// let set = SignalSet::of(&[SIGURG]);
/// assert!(set.contains(SIGURG) && !set.contains(1));
/// let all = SignalSet::asynchronous();
/// assert!(all.contains(SIGURG) && !all.contains(11), "not SIGSEGV");
/// ```
#[derive(Clone, Copy)]
pub struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// The set with these members; numbers that the C library keeps for itself are left out.
    ///
    /// # Examples
    ///
    /// See [`SignalSet`].
    #[must_use]
    pub fn of(signals: &[i32]) -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: the pointer is valid for writes of a whole sigset_t.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: sigemptyset has initialised the set.
        let mut set = unsafe { set.assume_init() };
        for &signal in signals {
            // SAFETY: the set is initialised and exclusively ours; a bad number is only refused.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        Self(set)
    }

    /// Everything that can be blocked, except the signals that report an error of the very instruction.
    ///
    /// # Examples
    ///
    /// See [`SignalSet`].
    #[must_use]
    pub fn asynchronous() -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: the pointer is valid for writes of a whole sigset_t.
        unsafe { libc::sigfillset(set.as_mut_ptr()) };
        // SAFETY: sigfillset has initialised the set.
        let mut set = unsafe { set.assume_init() };
        for signal in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGTRAP,
            libc::SIGSYS,
        ] {
            // SAFETY: the set is initialised and exclusively ours.
            unsafe { libc::sigdelset(&raw mut set, signal) };
        }
        Self(set)
    }

    /// Whether `signal` is a member.
    ///
    /// # Examples
    ///
    /// See [`SignalSet`].
    #[must_use]
    pub fn contains(&self, signal: i32) -> bool {
        // SAFETY: the set is initialised; a bad number is only refused.
        unsafe { libc::sigismember(&raw const self.0, signal) == 1 }
    }
}

impl std::fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries((1..=sigrtmax()).filter(|&s| self.contains(s)))
            .finish()
    }
}

/// The calling thread's blocked signals before a change; puts them back when dropped.
///
/// It belongs to the thread that made it and cannot leave it.
///
/// # Examples
///
/// See [`block`].
#[derive(Debug)]
#[must_use = "the mask is restored as soon as this is dropped"]
pub struct MaskGuard {
    old: SignalSet,
    /// Like a mutex guard, it may be looked at from elsewhere but not sent there.
    thread: PhantomData<std::sync::MutexGuard<'static, ()>>,
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        change_mask(libc::SIG_SETMASK, &self.old);
    }
}

fn change_mask(how: i32, set: &SignalSet) -> SignalSet {
    let mut old = SignalSet::of(&[]);
    // SAFETY: both pointers are valid; `how` is one of the three constants, so the call cannot fail.
    unsafe { libc::pthread_sigmask(how, &raw const set.0, &raw mut old.0) };
    old
}

/// Blocks `set` in the calling thread until the guard is dropped.
///
/// # Examples
///
/// ```
/// use sigrt::sys::{self, MaskGuard, SIGURG, SignalSet};
///
/// let set = SignalSet::of(&[SIGURG]);
/// let outer: MaskGuard = sys::block(&set);
/// assert!(sys::blocked().contains(SIGURG));
/// let inner = sys::unblock(&set);
/// assert!(!sys::blocked().contains(SIGURG));
/// drop(inner);
/// assert!(sys::blocked().contains(SIGURG));
/// drop(outer);
/// assert!(!sys::blocked().contains(SIGURG));
/// ```
pub fn block(set: &SignalSet) -> MaskGuard {
    MaskGuard {
        old: change_mask(libc::SIG_BLOCK, set),
        thread: PhantomData,
    }
}

/// Unblocks `set` in the calling thread until the guard is dropped.
///
/// # Examples
///
/// See [`block`].
pub fn unblock(set: &SignalSet) -> MaskGuard {
    MaskGuard {
        old: change_mask(libc::SIG_UNBLOCK, set),
        thread: PhantomData,
    }
}

/// The signals that the calling thread blocks.
///
/// # Examples
///
/// See [`block`].
#[must_use]
pub fn blocked() -> SignalSet {
    change_mask(libc::SIG_BLOCK, &SignalSet::of(&[]))
}

/// A signal that was taken from the calling thread's queue.
///
/// # Examples
///
/// See [`take_signal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Signal number.
    pub signo: i32,
    /// `si_code`: only `SI_QUEUE` (-1) comes with a value.
    pub code: i32,
    /// `si_value`, or 0 where the signal came without one. Anyone of the same user can forge it.
    pub value: u64,
}

impl Taken {
    fn decode(info: &libc::siginfo_t) -> Self {
        let value = if info.si_code == libc::SI_QUEUE {
            // SAFETY: with SI_QUEUE the `_rt` member is the one in force.
            unsafe { info.si_value() }.sival_ptr as u64
        } else {
            0
        };
        Self {
            signo: info.si_signo,
            code: info.si_code,
            value,
        }
    }
}

/// Layout of `siginfo_t` for queued signals on 64-bit Linux (`include/uapi/asm-generic/siginfo.h`).
#[repr(C)]
struct QueuedInfo {
    signo: i32,
    errno: i32,
    code: i32,
    pad0: i32,
    pid: i32,
    uid: u32,
    value: u64,
    pad: [u64; 12],
}
const _: () = assert!(size_of::<QueuedInfo>() == size_of::<libc::siginfo_t>());

/// Waits until one of `set` is pending for the calling thread, which must block them, and takes it.
///
/// With a `timeout`, `Err(EAGAIN)` after it; a zero one only polls.
///
/// # Errors
///
/// `EAGAIN` (timeout), `EINTR` (a handler for another signal ran).
///
/// # Examples
///
/// ```
/// use nix::errno::Errno;
/// use sigrt::sys::{self, SignalSet, Taken};
/// use std::time::Duration;
///
/// let signo = sys::sigrtmin();
/// let set = SignalSet::of(&[signo]);
/// let _mask = sys::block(&set);
/// sys::queue_signal(sys::gettid(), signo, 7)?;
/// assert_eq!(sys::take_signal(&set, None)?, Taken { signo, code: -1, value: 7 });
/// assert_eq!(sys::take_signal(&set, Some(Duration::ZERO)), Err(Errno::EAGAIN));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn take_signal(set: &SignalSet, timeout: Option<Duration>) -> Result<Taken, Errno> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let limit = timeout.map(|t| libc::timespec {
        tv_sec: t.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(t.subsec_nanos() as i32),
    });
    let limit = limit
        .as_ref()
        .map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the set is initialised, the info is writable, the limit is null or points to a live timespec.
    let signo = unsafe { libc::sigtimedwait(&raw const set.0, info.as_mut_ptr(), limit) };
    if signo < 0 {
        return Err(Errno::last());
    }
    // SAFETY: zeroed is a valid siginfo_t, and the kernel has only made it more so.
    Ok(Taken::decode(unsafe { info.assume_init_ref() }))
}

/// Queues `signo` with `value` to a thread of this process, with sender and user 0, as the module does.
///
/// # Errors
///
/// `EAGAIN` where the limit on queued signals (`RLIMIT_SIGPENDING`) is used up, `ESRCH` for no such thread.
///
/// # Examples
///
/// See [`take_signal`].
pub fn queue_signal(tid: Tid, signo: i32, value: u64) -> Result<(), Errno> {
    let info = QueuedInfo {
        signo,
        errno: 0,
        code: libc::SI_QUEUE,
        pad0: 0,
        pid: 0,
        uid: 0,
        value,
        pad: [0; 12],
    };
    let pid = process_id() as i32;
    // SAFETY: the info is as large as the kernel reads and lives across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            pid,
            tid,
            signo,
            &raw const info,
        )
    };
    Errno::result(done).map(drop)
}

/// Sends `signo` without a value to a thread of this process; 0 only asks whether it exists.
///
/// # Errors
///
/// `ESRCH` for no such thread; `EAGAIN` for a realtime signal over the limit.
///
/// # Examples
///
/// ```
/// use nix::errno::Errno;
/// use sigrt::sys;
///
/// sys::signal_thread(sys::gettid(), 0)?; // it exists
/// sys::signal_thread(sys::gettid(), sys::SIGURG)?; // ignored by default
/// assert_eq!(sys::signal_thread(i32::MAX, 0), Err(Errno::ESRCH));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn signal_thread(tid: Tid, signo: i32) -> Result<(), Errno> {
    let pid = process_id() as i32;
    // SAFETY: no memory is involved.
    let done = unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signo) };
    Errno::result(done).map(drop)
}

/// Number of this process, without a system call where it is known already: whether a descriptor is still this
/// process's own is asked for every event.
///
/// It is kept in a page that the kernel clears in the child of a fork, however that is made (`MADV_WIPEONFORK`,
/// `madvise(2)`).
///
/// # Examples
///
/// ```
/// assert_eq!(sigrt::sys::process_id(), std::process::id());
/// ```
#[must_use]
pub fn process_id() -> u32 {
    let Some(kept) = wiped_on_fork() else {
        return std::process::id();
    };
    match kept.load(Ordering::Relaxed) {
        0 => {
            let id = std::process::id();
            kept.store(id, Ordering::Relaxed);
            id
        }
        id => id,
    }
}

/// A word that is 0 at first, and again in the child of a fork; `None` where the kernel does not offer that.
fn wiped_on_fork() -> Option<&'static AtomicU32> {
    /// Null until the page is there. The child inherits it, so it is made once.
    static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(core::ptr::null_mut());
    static REFUSED: AtomicBool = AtomicBool::new(false);

    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        if REFUSED.load(Ordering::Relaxed) {
            return None;
        }
        let Some(made) = map_wiped_on_fork() else {
            REFUSED.store(true, Ordering::Relaxed);
            return None;
        };
        page = match PAGE.compare_exchange(page, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(others) => {
                // SAFETY: this thread made the mapping, and nobody else knows it.
                unsafe { libc::munmap(made.cast(), size_of::<AtomicU32>()) };
                others
            }
        };
    }
    // SAFETY: what is kept is a whole mapped page, zeroed, aligned, never unmapped and only used as an atomic.
    Some(unsafe { &*page })
}

fn map_wiped_on_fork() -> Option<*mut AtomicU32> {
    // The system rounds it up to a page.
    let len = size_of::<AtomicU32>();
    // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
    let page = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping was just made and nobody else knows it.
    if unsafe { libc::madvise(page, len, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above.
        unsafe { libc::munmap(page, len) };
        return None;
    }
    Some(page.cast())
}

/// Number of the calling thread.
///
/// # Examples
///
/// ```
/// let here = sigrt::sys::gettid();
/// let there = std::thread::spawn(sigrt::sys::gettid).join().unwrap();
/// assert_ne!(here, there);
/// ```
#[must_use]
pub fn gettid() -> Tid {
    // SAFETY: no memory is involved and the call cannot fail.
    unsafe { libc::gettid() }
}

/// Has the kernel queue `signo` to this process, with the descriptor in `si_fd`, whenever `fd` becomes ready and has
/// `O_ASYNC` set (`F_SETOWN` and `F_SETSIG` of `fcntl(2)`): for [`crate::realtime`].
///
/// # Errors
///
/// `EINVAL` (no such signal).
///
/// # Examples
///
/// ```
/// use std::os::fd::AsFd;
/// let (reader, _writer) = std::io::pipe()?;
/// sigrt::sys::announce_readiness(reader.as_fd(), sigrt::sys::sigrtmin())?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn announce_readiness(fd: BorrowedFd<'_>, signo: i32) -> Result<(), Errno> {
    /// `F_SETSIG` of `include/uapi/asm-generic/fcntl.h`.
    const F_SETSIG: i32 = 10;
    // SAFETY: no memory is involved.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETOWN, process_id() as i32) };
    Errno::result(done)?;
    // SAFETY: no memory is involved.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), F_SETSIG, signo) };
    Errno::result(done).map(drop)
}

/// Whether the process has neither a handler for `signo` nor ignores it.
///
/// # Examples
///
/// ```
/// let signo = sigrt::sys::sigrtmax();
/// assert!(sigrt::sys::has_default_action(signo));
/// let _signals = sigrt::realtime::Signals::start(&[signo])?;
/// assert!(!sigrt::sys::has_default_action(signo), "handled");
/// # Ok::<(), sigrt::Error>(())
/// ```
#[must_use]
pub fn has_default_action(signo: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only asks; the old one is written to valid memory.
    let done = unsafe { libc::sigaction(signo, core::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroed is a valid sigaction, and the kernel has only filled it in.
    let action = unsafe { action.assume_init() };
    done == 0 && action.sa_sigaction == libc::SIG_DFL
}

/// A descriptor that becomes readable when the thread `tid` exits (Linux 6.9 and later).
///
/// # Errors
///
/// `EINVAL` on an older kernel, `ESRCH` for no such thread.
///
/// # Examples
///
/// ```
/// use nix::errno::Errno;
/// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
/// use sigrt::sys;
/// use std::os::fd::AsFd;
///
/// match sys::thread_descriptor(sys::gettid()) {
///     Ok(thread) => {
///         let mut fds = [PollFd::new(thread.as_fd(), PollFlags::POLLIN)];
///         assert_eq!(poll(&mut fds, PollTimeout::ZERO)?, 0, "this thread has not exited");
///     }
///     Err(errno) => assert_eq!(errno, Errno::EINVAL, "a kernel before 6.9"),
/// }
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn thread_descriptor(tid: Tid) -> Result<OwnedFd, Errno> {
    // PIDFD_THREAD is O_EXCL, see pidfd_open(2).
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, tid, libc::O_EXCL) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Issues one `ioctl` of the device with `argument`, which is written back on success.
///
/// # Errors
///
/// What the device says; see `docs/abi.md`.
pub(crate) fn device_ioctl<T: Layout>(
    fd: BorrowedFd<'_>,
    command: u32,
    argument: &mut T,
) -> Result<(), Errno> {
    // The largest structure; u64 gives the alignment that the device asks for.
    let mut words = [0_u64; 24];
    assert!(T::SIZE <= size_of_val(&words), "ABI structure too large");
    let mut bytes = [0_u8; 192];
    argument.put(&mut bytes[..T::SIZE]);
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::get(chunk);
    }
    // The device reads and writes as many bytes as the structure claims to have in its first field.
    assert_eq!(
        u32::get(&bytes) as usize,
        T::SIZE,
        "size field of an ioctl argument is wrong"
    );
    // SAFETY: `words` is aligned and at least as large as the argument says it is; addresses inside an
    // argument come only from `device_list_sources` and `device_call`, which vouch for them.
    let done = unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            libc::c_ulong::from(command),
            words.as_mut_ptr(),
        )
    };
    Errno::result(done)?;
    for (word, chunk) in words.iter().zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    *argument = T::get(&bytes[..T::SIZE]);
    Ok(())
}

/// Lists sources from number `first` on into `entries`; returns how many were written and how many match.
///
/// # Errors
///
/// What the device says.
pub(crate) fn device_list_sources(
    fd: BorrowedFd<'_>,
    first: u32,
    entries: &mut [abi::SourceInfo],
) -> Result<(usize, usize), Errno> {
    let mut request = abi::ListSources {
        size: abi::ListSources::BYTES as u32,
        first,
        capacity: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        // SourceInfo is repr(C), free of padding, and every bit pattern is a value, so the device may write
        // `capacity` of them there while this call has the only reference.
        entries: entries.as_mut_ptr() as u64,
        ..abi::ListSources::zeroed()
    };
    device_ioctl(fd, abi::IOC_LIST_SOURCES, &mut request)?;
    Ok((request.count as usize, request.total as usize))
}

/// Reads from the lane of one signal number, or with 0 from all.
///
/// # Errors
///
/// What the device says.
pub(crate) fn device_read_lane(
    fd: BorrowedFd<'_>,
    signo: u32,
    buffer: &mut [u8],
) -> Result<usize, Errno> {
    let mut request = abi::Read {
        size: abi::Read::BYTES as u32,
        signo,
        // The device writes at most `len` bytes there while this call has the only reference.
        buffer: buffer.as_mut_ptr() as u64,
        len: buffer.len() as u64,
        ..abi::Read::zeroed()
    };
    device_ioctl(fd, abi::IOC_READ, &mut request)?;
    Ok(request.read as usize)
}

/// The pages of a mapped ring.
///
/// # Invariants
///
/// `control` is at least a page.
#[derive(Debug)]
pub(crate) struct RingPages {
    records: Mapping,
    pool: Mapping,
    control: Written,
    entries: u64,
}

impl RingPages {
    /// Publishes a lane to a ring and maps that.
    ///
    /// # Errors
    ///
    /// What the device says.
    pub(crate) fn new(fd: BorrowedFd<'_>, signo: u32) -> Result<Self, Errno> {
        let mut ring = abi::Ring {
            size: abi::Ring::BYTES as u32,
            signo,
            ..abi::Ring::zeroed()
        };
        device_ioctl(fd, abi::IOC_MAP_RING, &mut ring)?;
        let records = Mapping::new(fd, ring.ring_offset, ring.ring_len as usize)?;
        let pool = Mapping::new(fd, ring.pool_offset, ring.pool_len as usize)?;
        let control = Written::new(fd, ring.control_offset, ring.control_len as usize)?;
        // INVARIANT: the device maps whole pages.
        Ok(Self {
            records,
            pool,
            control,
            entries: ring.entries.into(),
        })
    }

    /// Word number `index` of the header.
    fn header(&self, index: usize) -> u64 {
        let start = self.records.start.cast::<libc::c_void>();
        let word = start.cast::<AtomicU64>().wrapping_add(index);
        // SAFETY: the ring starts with a page; the kernel writes the words of its header with atomic stores.
        unsafe { &*word }.load(Ordering::Acquire)
    }

    /// Records published so far.
    pub(crate) fn tail(&self) -> u64 {
        self.header(0)
    }

    /// Whether the registration has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.header(1) != 0
    }

    /// The bytes of record number `n`, which is published and not given back.
    pub(crate) fn record(&self, n: u64) -> Option<&[u8; abi::Record::BYTES]> {
        let at = PAGE + (n & (self.entries - 1)) as usize * abi::Record::BYTES;
        self.records.get(at..)?.first_chunk()
    }

    /// The payload of such a record; nothing where the record names what is not there.
    pub(crate) fn payload(&self, record: &abi::Record) -> &[u8] {
        let start = record.handle as usize;
        let end = start.saturating_add(record.trailing_len());
        self.pool.get(start..end).unwrap_or_default()
    }

    /// Gives back all records before number `head`.
    pub(crate) fn give_back(&self, head: u64) {
        self.control.word().store(head, Ordering::Release);
    }
}

/// Memory of the device that this process writes.
///
/// # Invariants
///
/// `start` is mapped for reading and writing, `len` bytes, and unmapped exactly once.
#[derive(Debug)]
pub(crate) struct Written {
    start: *mut libc::c_void,
    len: usize,
}

// SAFETY: it is memory of this value alone; the kernel bears with what is written there at any time.
unsafe impl Send for Written {}
// SAFETY: a shared reference gives no access but through atomics.
unsafe impl Sync for Written {}

impl Written {
    /// Maps `len` bytes at `offset`.
    ///
    /// # Errors
    ///
    /// What the device says.
    pub(crate) fn new(fd: BorrowedFd<'_>, offset: u64, len: usize) -> Result<Self, Errno> {
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let start = unsafe {
            libc::mmap64(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset as libc::off64_t,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        // INVARIANT: it has just been mapped.
        Ok(Self { start, len })
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All of it.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped by the invariant, and every bit pattern is a value. The kernel writes here only during calls
        // that take this value exclusively, and other processes do not share it.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.len) }
    }

    /// The first word, of at least a page.
    fn word(&self) -> &AtomicU64 {
        // SAFETY: mapped and aligned by the invariant; the kernel reads it with atomic loads.
        unsafe { &*self.start.cast::<AtomicU64>() }
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // SAFETY: by the invariant; nothing refers to it any more.
        unsafe { libc::munmap(self.start, self.len) };
    }
}

/// Bytes in a page, on the only architecture whose guests this has been tried on; the kernel refuses others.
const PAGE: usize = 4096;

/// A payload in memory: mapped by its handle, or over the loopback a copy.
///
/// # Invariants
///
/// A mapped one starts at `start`, is readable for `mapped` bytes, and is unmapped exactly once.
///
/// # Examples
///
/// See [`crate::LazyPayload::map`].
#[derive(Debug)]
pub struct Mapping {
    start: *const u8,
    mapped: usize,
    len: usize,
    copy: Vec<u8>,
}

// SAFETY: the memory is only read, and nobody writes it as long as it is mapped.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes, at least 1, of what `handle` names.
    ///
    /// # Errors
    ///
    /// What the device says.
    pub(crate) fn new(fd: BorrowedFd<'_>, handle: u64, len: usize) -> Result<Self, Errno> {
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let start = unsafe {
            libc::mmap64(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                handle as libc::off64_t,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        // INVARIANT: it has just been mapped.
        Ok(Self {
            start: start.cast(),
            mapped: len,
            len,
            copy: Vec::new(),
        })
    }

    /// Bytes that are no mapping.
    pub(crate) fn copied(copy: Vec<u8>) -> Self {
        Self {
            start: std::ptr::null(),
            mapped: 0,
            len: copy.len(),
            copy,
        }
    }
}

impl std::ops::Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.mapped == 0 {
            return &self.copy;
        }
        // SAFETY: by the invariant it is readable for so long; the device lets nobody write it.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.mapped > 0 {
            // SAFETY: by the invariant; nothing refers to it any more.
            unsafe { libc::munmap(self.start.cast_mut().cast(), self.mapped) };
        }
    }
}

/// Calls a driver with `message`; returns how much of `answer` it has filled.
///
/// # Errors
///
/// What the device says.
pub(crate) fn device_call(
    fd: BorrowedFd<'_>,
    request: &mut abi::Call,
    message: &[u8],
    answer: &mut [u8],
) -> Result<usize, Errno> {
    // The device reads `message_len` bytes of the one and writes at most `answer_len` of the other, to which
    // this call has the only reference.
    request.message = message.as_ptr() as u64;
    request.message_len = u32::try_from(message.len()).map_err(|_| Errno::EMSGSIZE)?;
    request.answer = answer.as_mut_ptr() as u64;
    request.answer_len = u32::try_from(answer.len()).unwrap_or(u32::MAX);
    device_ioctl(fd, abi::IOC_CALL, request)?;
    Ok(request.answer_len as usize)
}

/// `pread` with an offset of 64 bits, which is a handle.
///
/// # Errors
///
/// What the device says.
pub(crate) fn pread(fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    // SAFETY: the buffer is writable for its length while this call has the only reference.
    let got = unsafe {
        libc::pread64(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            offset as libc::off64_t,
        )
    };
    Errno::result(got).map(|n| n as usize)
}

/// Puts a descriptor on tokio's event loop.
///
/// # Errors
///
/// What the event loop says.
#[cfg(feature = "tokio")]
pub(crate) fn on_tokio(
    descriptor: crate::streams::Descriptor,
) -> std::io::Result<tokio::io::unix::AsyncFd<crate::streams::Descriptor>> {
    // SAFETY: what it is made of keeps the descriptor open, and always answers with the same one.
    let done = unsafe {
        tokio::io::unix::AsyncFd::register_with_interest(descriptor, tokio::io::Interest::READABLE)
    };
    done.map_err(std::io::Error::from)
}
