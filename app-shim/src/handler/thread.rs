// SPDX-License-Identifier: MIT OR Apache-2.0

//! What threads ask of the system that no safe crate offers.

use std::time::Duration;

use nix::errno::Errno;

/// Gives the calling thread a realtime priority (`SCHED_FIFO`, 1 to 99).
///
/// # Errors
///
/// `EPERM` where the limit (`RLIMIT_RTPRIO`) forbids it.
pub(crate) fn make_realtime(priority: i32) -> Result<(), Errno> {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: the parameter is read during the call; 0 is the calling thread.
    let done = unsafe {
        libc::sched_setscheduler(
            0,
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const parameter,
        )
    };
    Errno::result(done).map(drop)
}

/// Ends the calling thread, and nothing else: no destructor of it runs, and its stack stays mapped.
///
/// The C library's way unwinds the stack, which the frames of C code and of the shim do not survive.
pub(crate) fn end() -> ! {
    loop {
        // SAFETY: the thread's own end; it holds no lock of the shim.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn monotonic() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on every Linux, and the result is written to our own variable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32).as_nanos() as u64
}

/// Writes all of `bytes`, as far as the descriptor takes them.
pub(crate) fn write_all(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the bytes are readable for their length.
        let done = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match Errno::result(done) {
            Ok(n) => bytes = bytes.get(n as usize..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut poll = libc::pollfd {
                    fd,
                    events: libc::POLLOUT,
                    revents: 0,
                };
                // SAFETY: one entry, which lives across the call.
                unsafe { libc::poll(&raw mut poll, 1, 1000) };
            }
            Err(_) => return,
        }
    }
}

/// What `printf` would print, cut to fit the buffer; the number of bytes.
pub(crate) fn format(buffer: &mut [u8], format: usize, a: [libc::c_long; 6]) -> usize {
    let format = std::ptr::with_exposed_provenance::<libc::c_char>(format);
    // SAFETY: the caller of `app_shim_log` vouches for the format and for what it names; the buffer is written
    // within its length.
    let len = unsafe {
        libc::snprintf(
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            format,
            a[0],
            a[1],
            a[2],
            a[3],
            a[4],
            a[5],
        )
    };
    usize::try_from(len)
        .unwrap_or(0)
        .min(buffer.len().saturating_sub(1))
}
