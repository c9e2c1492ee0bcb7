// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who sends realtime signals besides `sigqueue`: timers, message queues, asynchronous input and output, `O_ASYNC`.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// What asks for `signo` with `value`.
fn notification(signo: i32, value: u64) -> libc::sigevent {
    // SAFETY: zeroed is a valid sigevent.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = signo;
    event.sigev_value = libc::sigval {
        sival_ptr: value as *mut libc::c_void,
    };
    event
}

/// A POSIX timer, deleted when dropped.
#[derive(Debug)]
pub struct Timer(libc::timer_t);

impl Timer {
    /// Sends `signo` with `value` to the process every `period_ns` nanoseconds.
    ///
    /// # Panics
    ///
    /// If the kernel has no timer left.
    #[must_use]
    pub fn start(signo: i32, value: u64, period_ns: i64) -> Self {
        let mut event = notification(signo, value);
        let mut id = std::ptr::null_mut();
        // SAFETY: both pointers are valid.
        let done =
            unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut id) };
        Errno::result(done).unwrap();
        let timer = Self(id);
        let period = libc::timespec {
            tv_sec: 0,
            tv_nsec: period_ns,
        };
        let spec = libc::itimerspec {
            it_interval: period,
            it_value: period,
        };
        // SAFETY: the timer exists, and the pointers are null or valid.
        let done = unsafe { libc::timer_settime(id, 0, &raw const spec, std::ptr::null_mut()) };
        Errno::result(done).unwrap();
        timer
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: it was created and not deleted.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// A message queue of the process's own, which is unlinked already.
#[derive(Debug)]
pub struct MessageQueue(libc::mqd_t);

impl MessageQueue {
    /// Opens one; the name is used for a moment only.
    ///
    /// # Panics
    ///
    /// If the kernel has none.
    #[must_use]
    pub fn open(name: &str) -> Self {
        let name = CString::new(format!("/{name}")).unwrap();
        // SAFETY: the name is a C string, the attributes are those of the system.
        let queue = unsafe {
            libc::mq_open(
                name.as_ptr(),
                libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
                0o600 as libc::c_uint,
                std::ptr::null::<libc::mq_attr>(),
            )
        };
        let queue = Self(Errno::result(queue).unwrap());
        // SAFETY: the name is a C string.
        unsafe { libc::mq_unlink(name.as_ptr()) };
        queue
    }

    /// Asks for `signo` with `value` when a message comes into the empty queue.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn notify(&self, signo: i32, value: u64) {
        let event = notification(signo, value);
        // SAFETY: the queue is open and the pointer valid.
        Errno::result(unsafe { libc::mq_notify(self.0, &raw const event) }).unwrap();
    }

    /// Sends one byte.
    ///
    /// # Panics
    ///
    /// If the queue is full.
    pub fn send(&self) {
        let byte = 0_u8;
        // SAFETY: the queue is open, the byte is readable.
        Errno::result(unsafe { libc::mq_send(self.0, (&raw const byte).cast(), 1, 0) }).unwrap();
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        // SAFETY: it is open.
        unsafe { libc::mq_close(self.0) };
    }
}

/// Reads the first byte of a file by `aio_read`, which sends `signo` with `value` when it is done; returns it.
///
/// `wait` is called when the read has been started, and returns when the signal has come.
///
/// # Panics
///
/// If the read fails.
pub fn read_asynchronously(file: &File, signo: i32, value: u64, wait: impl FnOnce()) -> u8 {
    let mut byte = Box::new(0_u8);
    // SAFETY: zeroed is a valid aiocb.
    let mut control: Box<libc::aiocb> = Box::new(unsafe { std::mem::zeroed() });
    control.aio_fildes = file.as_raw_fd();
    control.aio_buf = (&raw mut *byte).cast();
    control.aio_nbytes = 1;
    control.aio_sigevent = notification(signo, value);
    // SAFETY: control block and buffer stay where they are until it is done, which is waited for below.
    Errno::result(unsafe { libc::aio_read(&raw mut *control) }).unwrap();
    wait();
    // SAFETY: the control block is that of a read that was started.
    while unsafe { libc::aio_error(&raw const *control) } == libc::EINPROGRESS {
        std::thread::yield_now();
    }
    // SAFETY: as above, and it is done.
    assert_eq!(unsafe { libc::aio_return(&raw mut *control) }, 1);
    *byte
}
