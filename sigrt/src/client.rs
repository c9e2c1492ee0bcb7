// SPDX-License-Identifier: MIT OR Apache-2.0

//! The device's own interface, made safe and nothing more: one open file, real or emulated.
//!
//! A [`Client`] is what the kernel sees as an open file. Its operations are those of the device, with the
//! structures of [`rtnotify_core::abi`] and `errno` for errors, over the kernel module or over the loopback
//! broker. Most programs want the layer above, [`crate::Device`]; this one is for tests, tools, and those
//! who do their own signal handling.
//!
//! All operations may be called from several threads at once. None holds a lock of its own.
//!
//! After `fork` the child's copy answers everything with `EOWNERDEAD`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use rtnotify_core::abi;

use crate::broker;
use crate::loopback::{Broker, Connection};
use crate::outbox::Outbox;
use crate::ring::Ring;
use crate::sys;

/// What a client may do.
///
/// # Examples
///
/// ```
/// use sigrt::client::Access;
///
/// assert!(Access::Read.reads() && !Access::Read.writes());
/// assert!(!Access::Write.reads() && Access::Write.writes());
/// assert!(Access::ReadWrite.reads() && Access::ReadWrite.writes());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Register, subscribe, read.
    Read,
    /// Create sources, post.
    Write,
    /// Both.
    ReadWrite,
}

impl Access {
    /// Whether reading is included.
    ///
    /// # Examples
    ///
    /// See [`Access`].
    #[must_use]
    pub fn reads(self) -> bool {
        self != Self::Write
    }

    /// Whether writing is included.
    ///
    /// # Examples
    ///
    /// See [`Access`].
    #[must_use]
    pub fn writes(self) -> bool {
        self != Self::Read
    }
}

/// What [`Client::poll`] found.
///
/// # Examples
///
/// See [`Client::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// There is something to read.
    pub readable: bool,
    /// A post would be looked at now.
    pub writable: bool,
}

/// One open file of the device.
///
/// # Examples
///
/// ```
/// use sigrt::abi;
/// use sigrt::client::{Access, Client, source_name};
/// use sigrt::loopback::Broker;
/// use sigrt::sys::{self, SignalSet};
///
/// let broker = Broker::new(); // or Client::open, of the device node
/// let producer = Client::loopback(&broker, Access::Write, false)?;
/// let mut door = abi::CreateSource {
///     source_type: abi::SOURCE_USER,
///     max_payload: 64,
///     name: source_name("door").unwrap(),
///     ..abi::CreateSource::zeroed()
/// };
/// producer.create_source(&mut door)?;
///
/// // This thread is rung for, so it blocks what it is rung with.
/// let subscriber = Client::loopback(&broker, Access::Read, false)?;
/// let signo = sys::sigrtmin();
/// let signals = [signo, subscriber.fallback_signal(signo)];
/// sigrt::realtime::block(&signals);
/// subscriber.register(&mut abi::Register {
///     signo: signo as u32,
///     mode: abi::MODE_WINDOW,
///     policy: abi::POLICY_REJECT_NEWEST,
///     clock: abi::CLOCK_MONOTONIC,
///     ..abi::Register::zeroed()
/// })?;
/// subscriber.subscribe(door.number, None)?;
///
/// producer.post(door.number, 0, Some(1), b"wide open")?;
/// sys::take_signal(&SignalSet::of(&signals), None)?;
/// let mut buffer = [0; 4096];
/// let got = subscriber.read(&mut buffer)?;
/// let delivery = sigrt::parse_frames(&buffer[..got]).next().unwrap();
/// assert_eq!(delivery.event().unwrap().payload, "wide open");
/// # Ok::<(), nix::errno::Errno>(())
/// ```
#[derive(Debug)]
pub struct Client {
    end: End,
    pid: u32,
}

#[derive(Debug)]
enum End {
    Kernel(File),
    Loopback(Connection),
    Served(broker::Connection),
}

impl Client {
    /// Opens the device node at `path`; without `blocking`, reads that would wait give `EAGAIN`.
    ///
    /// # Errors
    ///
    /// Those of `open(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::client::{Access, Client};
    /// use std::io::ErrorKind;
    /// use std::path::Path;
    ///
    /// let error = Client::open(Path::new("/no/such/device"), Access::Read, false).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// ```
    pub fn open(path: &Path, access: Access, blocking: bool) -> io::Result<Self> {
        let flags = if blocking { 0 } else { libc::O_NONBLOCK };
        let file = OpenOptions::new()
            .read(access.reads())
            .write(access.writes())
            .custom_flags(flags)
            .open(path)?;
        Ok(Self {
            end: End::Kernel(file),
            pid: sys::process_id(),
        })
    }

    /// Connects to a broker of this process, with the same choices as [`Client::open`].
    ///
    /// # Errors
    ///
    /// `EOWNERDEAD` (the broker was made before a `fork`).
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::client::{Access, Client};
    /// use sigrt::loopback::Broker;
    ///
    /// let client = Client::loopback(&Broker::new(), Access::ReadWrite, false)?;
    /// assert!(!client.is_kernel());
    /// assert!(client.fd().is_none());
    /// assert_eq!(client.fallback_signal(sigrt::sys::sigrtmin()), sigrt::sys::SIGURG);
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn loopback(broker: &Broker, access: Access, blocking: bool) -> Result<Self, Errno> {
        Ok(Self {
            end: End::Loopback(broker.connect(access, blocking)?),
            pid: sys::process_id(),
        })
    }

    /// Connects to the broker that listens at `path`, with the same choices as [`Client::open`].
    ///
    /// # Errors
    ///
    /// `NotFound`, `ConnectionRefused` (nobody serves it), `PermissionDenied`, `EMFILE` (too many connections of this
    /// user), `EPROTO` (a broker of another version, or none).
    ///
    /// # Examples
    ///
    /// See [`crate::Device::connect`].
    pub fn connect(path: &Path, access: Access, blocking: bool) -> io::Result<Self> {
        Ok(Self {
            end: End::Served(broker::Connection::new(path, access, blocking)?),
            pid: sys::process_id(),
        })
    }

    /// Whether the other end is the kernel module.
    ///
    /// # Examples
    ///
    /// See [`Client::loopback`].
    #[must_use]
    pub fn is_kernel(&self) -> bool {
        matches!(self.end, End::Kernel(_))
    }

    /// The descriptor of a kernel client, for `poll` and the like.
    ///
    /// # Examples
    ///
    /// See [`Client::loopback`].
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.end {
            End::Kernel(file) => Some(file.as_fd()),
            End::Loopback(_) | End::Served(_) => None,
        }
    }

    /// The signal that is rung when the registered one is refused.
    ///
    /// The module can force the registered number itself, without a value; the loopback cannot and uses
    /// `SIGURG`, which a target of the loopback must therefore block or handle as well.
    ///
    /// # Examples
    ///
    /// See [`Client::loopback`].
    #[must_use]
    pub fn fallback_signal(&self, signo: i32) -> i32 {
        match self.end {
            End::Kernel(_) => signo,
            End::Loopback(_) | End::Served(_) => sys::SIGURG,
        }
    }

    /// Whether this is the copy in a forked child.
    pub(crate) fn is_forked(&self) -> bool {
        sys::process_id() != self.pid
    }

    fn end(&self) -> Result<&End, Errno> {
        if sys::process_id() == self.pid {
            Ok(&self.end)
        } else {
            Err(Errno::EOWNERDEAD)
        }
    }

    /// Registers a thread of this process; `request.size` is filled in, the values in force are written back.
    ///
    /// # Errors
    ///
    /// `EBUSY` (registered already), `EINVAL` (a value out of range, or the target neither blocks nor handles
    /// the signal), `ESRCH` (not a thread of this process), `EBADF` (not open for reading), `EDQUOT` (more memory
    /// than this user may hold, kernel only), `ENOMEM`.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # use nix::errno::Errno;
    /// let mut request = abi::Register {
    ///     signo: signo as u32,
    ///     mode: abi::MODE_WINDOW,
    ///     policy: abi::POLICY_REJECT_NEWEST,
    ///     clock: abi::CLOCK_MONOTONIC,
    ///     ..abi::Register::zeroed()
    /// };
    /// client.register(&mut request)?;
    /// assert!(request.queue_len > 0 && request.window > 0, "what is in force");
    /// assert_eq!(client.register(&mut request.clone()), Err(Errno::EBUSY));
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn register(&self, request: &mut abi::Register) -> Result<(), Errno> {
        request.size = abi::Register::BYTES as u32;
        match self.end()? {
            End::Kernel(file) => sys::device_ioctl(file.as_fd(), abi::IOC_REGISTER, request),
            End::Loopback(end) => end.register(request, false),
            End::Served(end) => end.register(request, false),
        }
    }

    /// [`Client::register`] by a thread that keeps the signal blocked as long as it lives: that saves the
    /// loopback from looking before every signal whether it still is. The module looks anyway.
    ///
    /// # Errors
    ///
    /// As [`Client::register`].
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// std::thread::scope(|threads| {
    ///     let dispatcher = threads.spawn(|| {
    ///         sigrt::realtime::block(&[signo, sigrt::sys::SIGURG]); // for good
    ///         client.register_dispatcher(&mut abi::Register {
    ///             signo: signo as u32,
    ///             mode: abi::MODE_COALESCED,
    ///             policy: abi::POLICY_REJECT_NEWEST,
    ///             clock: abi::CLOCK_MONOTONIC,
    ///             ..abi::Register::zeroed()
    ///         })
    ///     });
    ///     dispatcher.join().unwrap()
    /// })?;
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn register_dispatcher(&self, request: &mut abi::Register) -> Result<(), Errno> {
        match self.end()? {
            End::Kernel(_) => self.register(request),
            End::Loopback(end) => {
                request.size = abi::Register::BYTES as u32;
                end.register(request, true)
            }
            End::Served(end) => {
                request.size = abi::Register::BYTES as u32;
                end.register(request, true)
            }
        }
    }

    /// Ends the registration; returns how many events were still queued.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` (none in force).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    #[doc = include_str!("client/subscribed.in")]
    /// # use nix::errno::Errno;
    /// client.post(door.number, 0, None, b"nobody reads this")?;
    /// assert_eq!(client.unregister()?, 1);
    /// assert_eq!(client.unregister(), Err(Errno::ENOTCONN));
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn unregister(&self) -> Result<u64, Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let mut request = abi::Unregister {
                    size: abi::Unregister::BYTES as u32,
                    ..abi::Unregister::zeroed()
                };
                sys::device_ioctl(file.as_fd(), abi::IOC_UNREGISTER, &mut request)?;
                Ok(request.discarded)
            }
            End::Loopback(end) => end.unregister(),
            End::Served(end) => end.unregister(),
        }
    }

    /// Adds a lane, with a signal number and a queue of its own; `request.size` is filled in, the values in
    /// force are written back.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` (not registered), `EEXIST` (a lane of that number is there), `ENOSPC` (too many lanes, or
    /// beyond the capacity that was registered), `EINVAL` and `ESRCH` as for [`Client::register`].
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// let (urgent, calm) = (signo as u32, signo as u32 + 1);
    /// sigrt::realtime::block(&[signo, signo + 1]);
    /// let mut first = abi::Register {
    ///     signo: urgent,
    ///     mode: abi::MODE_WINDOW,
    ///     policy: abi::POLICY_REJECT_NEWEST,
    ///     clock: abi::CLOCK_MONOTONIC,
    ///     queue_len: 8,
    ///     capacity: 16, // for both
    ///     ..abi::Register::zeroed()
    /// };
    /// client.register(&mut first)?;
    /// let mut second = abi::Lane {
    ///     signo: calm,
    ///     mode: abi::MODE_WINDOW,
    ///     policy: abi::POLICY_REJECT_NEWEST,
    ///     queue_len: 8,
    ///     ..abi::Lane::zeroed()
    /// };
    /// client.add_lane(&mut second)?;
    /// client.subscribe_with(&mut abi::Subscribe {
    ///     source: door.number,
    ///     signo: calm,
    ///     ..abi::Subscribe::zeroed()
    /// })?;
    /// client.post(door.number, 0, None, b"open")?;
    /// let mut buffer = [0; 256];
    /// assert!(client.read_lane(urgent, &mut buffer).is_err());
    /// assert!(client.read_lane(calm, &mut buffer)? > 0);
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn add_lane(&self, request: &mut abi::Lane) -> Result<(), Errno> {
        request.size = abi::Lane::BYTES as u32;
        match self.end()? {
            End::Kernel(file) => sys::device_ioctl(file.as_fd(), abi::IOC_ADD_LANE, request),
            End::Loopback(end) => end.add_lane(request, false),
            End::Served(end) => end.add_lane(request, false),
        }
    }

    /// [`Client::add_lane`] with the promise of [`Client::register_dispatcher`].
    ///
    /// # Errors
    ///
    /// As [`Client::add_lane`].
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// std::thread::scope(|threads| {
    ///     let dispatcher = threads.spawn(|| {
    ///         sigrt::realtime::block(&[signo, signo + 1, sigrt::sys::SIGURG]); // for good
    ///         client.register_dispatcher(&mut abi::Register {
    ///             signo: signo as u32,
    ///             mode: abi::MODE_WINDOW,
    ///             policy: abi::POLICY_REJECT_NEWEST,
    ///             clock: abi::CLOCK_MONOTONIC,
    ///             queue_len: 8,
    ///             capacity: 16,
    ///             ..abi::Register::zeroed()
    ///         })?;
    ///         client.add_dispatcher_lane(&mut abi::Lane {
    ///             signo: signo as u32 + 1,
    ///             mode: abi::MODE_WINDOW,
    ///             policy: abi::POLICY_REJECT_NEWEST,
    ///             queue_len: 8,
    ///             ..abi::Lane::zeroed()
    ///         })
    ///     });
    ///     dispatcher.join().unwrap()
    /// })?;
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn add_dispatcher_lane(&self, request: &mut abi::Lane) -> Result<(), Errno> {
        match self.end()? {
            End::Kernel(_) => self.add_lane(request),
            End::Loopback(end) => {
                request.size = abi::Lane::BYTES as u32;
                end.add_lane(request, true)
            }
            End::Served(end) => {
                request.size = abi::Lane::BYTES as u32;
                end.add_lane(request, true)
            }
        }
    }

    /// A descriptor that `poll` and the like say is readable when there is something to read: the device's own, or
    /// without the module one that the broker keeps that way.
    ///
    /// # Errors
    ///
    /// `EMFILE` (no descriptor left).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    #[doc = include_str!("client/subscribed.in")]
    /// # use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    /// client.post(door.number, 0, None, b"open")?;
    /// let mut fds = [PollFd::new(client.pollable()?, PollFlags::POLLIN)];
    /// assert_eq!(poll(&mut fds, PollTimeout::ZERO)?, 1);
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn pollable(&self) -> Result<BorrowedFd<'_>, Errno> {
        match self.end()? {
            End::Kernel(file) => Ok(file.as_fd()),
            End::Loopback(end) => end.pollable(),
            End::Served(end) => end.pollable(),
        }
    }

    /// The descriptor of [`Client::pollable`], if that has been asked for; in a forked child too.
    pub(crate) fn made_pollable(&self) -> Option<BorrowedFd<'_>> {
        match &self.end {
            End::Kernel(file) => Some(file.as_fd()),
            End::Loopback(end) => end.made_pollable(),
            End::Served(end) => end.made_pollable(),
        }
    }

    /// Changes how a lane (0: the first) announces events; a window of 0 leaves that as it is.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` (not registered), `ENOENT` (no such lane), `EINVAL`.
    ///
    /// # Examples
    ///
    /// See [`Client::arm`].
    pub fn set_mode(&self, signo: u32, mode: u32, window: u32) -> Result<(), Errno> {
        let mut request = abi::SetMode {
            size: abi::SetMode::BYTES as u32,
            signo,
            mode,
            window,
            ..abi::SetMode::zeroed()
        };
        match self.end()? {
            End::Kernel(file) => sys::device_ioctl(file.as_fd(), abi::IOC_SET_MODE, &mut request),
            End::Loopback(end) => end.set_mode(&request),
            End::Served(end) => end.set_mode(&request),
        }
    }

    /// Arms a drained lane (0: the first) in coalesced mode: the next event rings. A read that finds nothing
    /// does the same.
    ///
    /// # Errors
    ///
    /// `EAGAIN` (there is something to be drained first), `EINVAL` (another mode), `ENOTCONN`, `ENOENT`.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    #[doc = include_str!("client/subscribed.in")]
    /// # use nix::errno::Errno;
    /// client.set_mode(0, abi::MODE_COALESCED, 0)?;
    /// client.arm(0)?;
    /// client.post(door.number, 0, None, b"open")?; // rings
    /// assert_eq!(client.arm(0), Err(Errno::EAGAIN), "drain first");
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn arm(&self, signo: u32) -> Result<(), Errno> {
        let mut request = abi::Arm {
            size: abi::Arm::BYTES as u32,
            signo,
            ..abi::Arm::zeroed()
        };
        match self.end()? {
            End::Kernel(file) => sys::device_ioctl(file.as_fd(), abi::IOC_ARM, &mut request),
            End::Loopback(end) => end.arm(&request),
            End::Served(end) => end.arm(&request),
        }
    }

    /// Subscribes to a source, with a cookie of its own or the registration's, into the first lane.
    ///
    /// # Errors
    ///
    /// As for [`Client::subscribe_with`].
    ///
    /// # Examples
    ///
    /// See [`Client`].
    pub fn subscribe(&self, source: u32, cookie: Option<u64>) -> Result<(), Errno> {
        self.subscribe_with(&mut abi::Subscribe {
            flags: cookie.map_or(0, |_| abi::SUB_COOKIE),
            source,
            cookie: cookie.unwrap_or(0),
            ..abi::Subscribe::zeroed()
        })
    }

    /// Subscribes to a source, into a lane and with a filter; `request.size` is filled in.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` (not registered), `ENOENT` (no such source or lane), `EEXIST` (subscribed already), `ENOSPC`
    /// (too many subscriptions), `EINVAL` (flags and fields do not fit together, or nothing can pass the filter).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # client.register(&mut abi::Register {
    /// #     signo: signo as u32,
    /// #     mode: abi::MODE_WINDOW,
    /// #     policy: abi::POLICY_REJECT_NEWEST,
    /// #     clock: abi::CLOCK_MONOTONIC,
    /// #     ..abi::Register::zeroed()
    /// # })?;
    /// client.subscribe_with(&mut abi::Subscribe {
    ///     flags: abi::SUB_FILTER,
    ///     source: door.number,
    ///     kind_first: 3,
    ///     kind_last: 7,
    ///     ..abi::Subscribe::zeroed()
    /// })?;
    /// client.post(door.number, 1, None, b"filtered")?;
    /// client.post(door.number, 5, None, b"passes")?;
    /// assert_eq!(client.stats()?.posted, 1);
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn subscribe_with(&self, request: &mut abi::Subscribe) -> Result<(), Errno> {
        request.size = abi::Subscribe::BYTES as u32;
        match self.end()? {
            End::Kernel(file) => sys::device_ioctl(file.as_fd(), abi::IOC_SUBSCRIBE, request),
            End::Loopback(end) => end.subscribe(request),
            End::Served(end) => end.subscribe(request),
        }
    }

    /// Ends a subscription; what is queued stays queued.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` (not registered), `ENOENT` (not subscribed).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    #[doc = include_str!("client/subscribed.in")]
    /// client.unsubscribe(door.number)?;
    /// client.post(door.number, 0, None, b"unheard")?;
    /// assert_eq!(client.stats()?.posted, 0);
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn unsubscribe(&self, source: u32) -> Result<(), Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let mut request = abi::Unsubscribe {
                    size: abi::Unsubscribe::BYTES as u32,
                    source,
                    ..abi::Unsubscribe::zeroed()
                };
                sys::device_ioctl(file.as_fd(), abi::IOC_UNSUBSCRIBE, &mut request)
            }
            End::Loopback(end) => end.unsubscribe(source),
            End::Served(end) => end.unsubscribe(source),
        }
    }

    /// Lists sources from number `first` on; returns how many were written and how many match.
    ///
    /// # Errors
    ///
    /// `EOWNERDEAD` (after a `fork`).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # use sigrt::client::name_of;
    /// let mut page = [abi::SourceInfo::zeroed(); 8];
    /// let (written, matching) = client.list_sources(0, &mut page)?;
    /// assert_eq!((written, matching), (1, 1));
    /// assert_eq!(name_of(&page[0]), "door");
    /// assert_eq!(client.sources()?[0].number, page[0].number);
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn list_sources(
        &self,
        first: u32,
        entries: &mut [abi::SourceInfo],
    ) -> Result<(usize, usize), Errno> {
        match self.end()? {
            End::Kernel(file) => sys::device_list_sources(file.as_fd(), first, entries),
            End::Loopback(end) => Ok(end.list_sources(first, entries)),
            End::Served(end) => end.list_sources(first, entries),
        }
    }

    /// Every source there is now.
    ///
    /// # Errors
    ///
    /// `EOWNERDEAD` (after a `fork`).
    ///
    /// # Examples
    ///
    /// See [`Client::list_sources`].
    pub fn sources(&self) -> Result<Vec<abi::SourceInfo>, Errno> {
        let mut all = Vec::new();
        let mut first = 0;
        let mut page = vec![abi::SourceInfo::zeroed(); 64];
        loop {
            let (count, total) = self.list_sources(first, &mut page)?;
            all.extend_from_slice(&page[..count]);
            let Some(last) = page[..count].last() else {
                return Ok(all);
            };
            if count >= total {
                return Ok(all);
            }
            first = last.number + 1;
        }
    }

    /// Creates a source that lives as long as this client; its number is written back.
    ///
    /// # Errors
    ///
    /// `EBADF` (not open for writing), `EEXIST` (name taken), `EINVAL`, `ENOSPC` (too many sources), `EDQUOT` (too
    /// many of this user, kernel only).
    ///
    /// # Examples
    ///
    /// See [`Client`].
    pub fn create_source(&self, request: &mut abi::CreateSource) -> Result<(), Errno> {
        request.size = abi::CreateSource::BYTES as u32;
        match self.end()? {
            End::Kernel(file) => sys::device_ioctl(file.as_fd(), abi::IOC_CREATE_SOURCE, request),
            End::Loopback(end) => end.create_source(request),
            End::Served(end) => end.create_source(request),
        }
    }

    /// Destroys a source that this client created.
    ///
    /// # Errors
    ///
    /// `ENOENT` (no such source), `EPERM` (somebody else's).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # use nix::errno::Errno;
    /// let other = Client::loopback(&broker, Access::Write, false)?;
    /// assert_eq!(other.destroy_source(door.number), Err(Errno::EPERM));
    /// client.destroy_source(door.number)?;
    /// assert!(client.sources()?.is_empty());
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn destroy_source(&self, number: u32) -> Result<(), Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let mut request = abi::DestroySource {
                    size: abi::DestroySource::BYTES as u32,
                    number,
                    ..abi::DestroySource::zeroed()
                };
                sys::device_ioctl(file.as_fd(), abi::IOC_DESTROY_SOURCE, &mut request)
            }
            End::Loopback(end) => end.destroy_source(number),
            End::Served(end) => end.destroy_source(number),
        }
    }

    /// The counters of this client.
    ///
    /// # Errors
    ///
    /// `EOWNERDEAD` (after a `fork`).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    #[doc = include_str!("client/subscribed.in")]
    /// client.post(door.number, 0, None, b"open")?;
    /// let stats = client.stats()?;
    /// assert_eq!((stats.posted, stats.queued, stats.consumed), (1, 1, 0));
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn stats(&self) -> Result<abi::Stats, Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let mut request = abi::Stats {
                    size: abi::Stats::BYTES as u32,
                    ..abi::Stats::zeroed()
                };
                sys::device_ioctl(file.as_fd(), abi::IOC_STATS, &mut request)?;
                Ok(request)
            }
            End::Loopback(end) => end.stats(),
            End::Served(end) => end.stats(),
        }
    }

    /// Reads and consumes as many whole frames as fit: a record, its payload, padding to 8 bytes.
    ///
    /// # Errors
    ///
    /// `EAGAIN` (nothing there, and not blocking), `EMSGSIZE` (the first frame does not fit; nothing is
    /// consumed), `ENOTCONN` (not registered), `EBADF` (not open for reading), `EINTR` (kernel only).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    #[doc = include_str!("client/subscribed.in")]
    /// # use nix::errno::Errno;
    /// let mut buffer = [0; 256];
    /// assert_eq!(client.read(&mut buffer), Err(Errno::EAGAIN));
    /// client.post(door.number, 0, None, b"open")?;
    /// assert_eq!(client.read(&mut buffer[..10]), Err(Errno::EMSGSIZE), "no whole record fits");
    /// assert_eq!(client.read(&mut buffer)?, abi::Record::BYTES, "4 bytes go into the record");
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self.end()? {
            End::Kernel(file) => nix::unistd::read(file.as_fd(), buffer),
            End::Loopback(end) => end.read(buffer, 0),
            End::Served(end) => end.read(buffer, 0),
        }
    }

    /// [`Client::read`] from the lane of one signal number, or with 0 from all.
    ///
    /// # Errors
    ///
    /// As for [`Client::read`]; `ENOENT` (no such lane).
    ///
    /// # Examples
    ///
    /// See [`Client::add_lane`].
    pub fn read_lane(&self, signo: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self.end()? {
            End::Kernel(file) => sys::device_read_lane(file.as_fd(), signo, buffer),
            End::Loopback(end) => end.read(buffer, signo),
            End::Served(end) => end.read(buffer, signo),
        }
    }

    /// Copies what `handle`, plus a byte offset in its low bits, names.
    ///
    /// # Errors
    ///
    /// `EINVAL` (impossible handle), `ESTALE` (names nothing of this client's), `ENODATA` (a gap, and records were
    /// not asked for), `ENOTCONN`, `EBADF`.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # use sigrt::sys::{self, SignalSet};
    /// client.register(&mut abi::Register {
    ///     signo: signo as u32,
    ///     mode: abi::MODE_PER_EVENT,
    ///     policy: abi::POLICY_REJECT_NEWEST,
    ///     clock: abi::CLOCK_MONOTONIC,
    ///     ..abi::Register::zeroed()
    /// })?;
    /// client.subscribe(door.number, None)?;
    /// client.post(door.number, 0, None, b"wide open")?;
    /// let handle = sys::take_signal(&SignalSet::of(&[signo]), None)?.value;
    /// let mut buffer = [0; 64];
    /// let got = client.pread(&mut buffer, handle)?;
    /// assert_eq!(&buffer[..got], b"wide open");
    /// assert!(client.pread(&mut buffer, handle).is_err(), "consumed");
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn pread(&self, buffer: &mut [u8], handle: u64) -> Result<usize, Errno> {
        match self.end()? {
            End::Kernel(file) => sys::pread(file.as_fd(), buffer, handle),
            End::Loopback(end) => end.pread(buffer, handle),
            End::Served(end) => end.pread(buffer, handle),
        }
    }

    /// Maps the payload that `handle` names: its first `len` bytes, at least 1. Consumes the event if a complete
    /// [`Client::pread`] would. Over the loopback it is a copy.
    ///
    /// # Errors
    ///
    /// `EINVAL` (impossible handle, an offset in it, or longer than the payload), `ESTALE` (names nothing of this
    /// client's), `ENODATA` (a note or an empty payload), `ENOMEM`, `ENOTCONN`, `EACCES` (not open for reading).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # use sigrt::sys::{self, SignalSet};
    /// # client.register(&mut abi::Register {
    /// #     signo: signo as u32,
    /// #     mode: abi::MODE_PER_EVENT,
    /// #     policy: abi::POLICY_REJECT_NEWEST,
    /// #     clock: abi::CLOCK_MONOTONIC,
    /// #     ..abi::Register::zeroed()
    /// # })?;
    /// # client.subscribe(door.number, None)?;
    /// client.post(door.number, 0, None, b"wide open")?;
    /// let handle = sys::take_signal(&SignalSet::of(&[signo]), None)?.value;
    /// let mapping = client.map(handle, 4)?;
    /// assert_eq!(mapping[..], *b"wide");
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn map(&self, handle: u64, len: usize) -> Result<sys::Mapping, Errno> {
        match self.end()? {
            _ if len == 0 => Err(Errno::EINVAL),
            End::Kernel(file) => sys::Mapping::new(file.as_fd(), handle, len),
            End::Loopback(end) => end.map(handle, len).map(sys::Mapping::copied),
            End::Served(end) => end.map(handle, len).map(sys::Mapping::copied),
        }
    }

    /// Publishes a lane (0: the first) to a ring and maps that: reading it takes no system call. The lane is then
    /// read in no other way. Needs a client that is open for reading and writing.
    ///
    /// # Errors
    ///
    /// `EBUSY` (it has one, or is not empty), `EINVAL` (per-event mode, or a policy other than reject-newest),
    /// `EACCES` (not open for writing), `EOPNOTSUPP` (the loopback), `ENOTCONN`, `ENOENT`, `EDQUOT`, `ENOMEM`.
    ///
    /// # Examples
    ///
    /// See [`crate::ring::Ring`].
    pub fn map_ring(&self, signo: u32) -> Result<Ring, Errno> {
        match self.end()? {
            End::Kernel(file) => Ring::new(file.as_fd(), signo),
            End::Loopback(_) | End::Served(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// How long a blocking [`Client::read`] and a [`Client::write`] to a blocking source wait before they give
    /// `EAGAIN`; `None`: without end, as at first.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` (the loopback, a broker).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # use nix::errno::Errno;
    /// # use std::time::Duration;
    /// match client.set_timeouts(Some(Duration::from_secs(1)), None) {
    ///     Ok(()) => assert!(client.is_kernel()),
    ///     Err(errno) => assert_eq!(errno, Errno::EOPNOTSUPP, "the loopback waits for ever, or not"),
    /// }
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn set_timeouts(
        &self,
        read: Option<Duration>,
        write: Option<Duration>,
    ) -> Result<(), Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let mut request = abi::Timeouts {
                    size: abi::Timeouts::BYTES as u32,
                    read_ns: nanoseconds(read),
                    write_ns: nanoseconds(write),
                    ..abi::Timeouts::zeroed()
                };
                sys::device_ioctl(file.as_fd(), abi::IOC_SET_TIMEOUTS, &mut request)
            }
            End::Loopback(_) | End::Served(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// Gives the client an outbox of at least `len` bytes, for passing data by reference. A client has one at most,
    /// and needs to be open for reading and writing.
    ///
    /// # Errors
    ///
    /// `EBUSY` (it has one), `EINVAL` (0 bytes, or more than [`abi::MAX_OUTBOX`]), `EBADF` and `EACCES` (not open for
    /// writing, for reading), `EOPNOTSUPP` (the loopback, a broker), `EDQUOT`, `ENOMEM`.
    ///
    /// # Examples
    ///
    /// See [`crate::outbox::Outbox`].
    pub fn outbox(&self, len: usize) -> Result<Outbox<'_>, Errno> {
        match self.end()? {
            End::Kernel(file) => Outbox::new(self, file.as_fd(), len),
            End::Loopback(_) | End::Served(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// [`Client::call`] of what lies in the outbox; only [`Outbox`] knows that nobody looks there meanwhile.
    pub(crate) fn call_by_reference(
        &self,
        source: u32,
        kind: u16,
        message: (usize, usize),
        answer: (usize, usize),
        timeout: Option<Duration>,
    ) -> Result<usize, Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let mut request = abi::Call {
                    flags: abi::CALL_REFERENCE,
                    message: message.0 as u64,
                    message_len: u32::try_from(message.1).map_err(|_| Errno::EMSGSIZE)?,
                    answer: answer.0 as u64,
                    answer_len: u32::try_from(answer.1).unwrap_or(u32::MAX),
                    ..call_request(source, kind, 0, timeout)
                };
                sys::device_ioctl(file.as_fd(), abi::IOC_CALL, &mut request)?;
                Ok(request.answer_len as usize)
            }
            End::Loopback(end) => Err(end.call(source)),
            End::Served(end) => Err(end.call_source(source)),
        }
    }

    /// Posts a batch of frames, each an [`abi::Post`] and its payload, padded to 8 bytes unless last. All are
    /// checked before the first is posted. Returns the bytes taken, fewer only if a driver is busy.
    ///
    /// # Errors
    ///
    /// `EINVAL` (malformed), `ENOENT` (no such source), `EPERM` (takes no posts), `EMSGSIZE` (too long),
    /// `EAGAIN` (the driver behind the source is busy), `EBADF` (not open for writing).
    ///
    /// # Examples
    ///
    /// See [`post_head`].
    pub fn write(&self, frames: &[u8]) -> Result<usize, Errno> {
        match self.end()? {
            End::Kernel(file) => nix::unistd::write(file.as_fd(), frames),
            End::Loopback(end) => end.write(frames),
            End::Served(end) => end.write(frames),
        }
    }

    /// Posts one event, without building a frame where none is needed.
    ///
    /// # Errors
    ///
    /// As [`Client::write`].
    ///
    /// # Examples
    ///
    /// See [`Client`].
    pub fn post(
        &self,
        source: u32,
        kind: u16,
        value: Option<u64>,
        payload: &[u8],
    ) -> Result<(), Errno> {
        let head = post_head(source, kind, value, payload.len());
        match self.end()? {
            End::Kernel(file) => {
                let head = head.to_bytes();
                let mut small = [0; 256];
                let len = head.len() + payload.len();
                let large;
                let frame = if let Some(frame) = small.get_mut(..len) {
                    frame[..head.len()].copy_from_slice(&head);
                    frame[head.len()..].copy_from_slice(payload);
                    &*frame
                } else {
                    large = [&head[..], payload].concat();
                    &large[..]
                };
                nix::unistd::write(file.as_fd(), frame).map(drop)
            }
            End::Loopback(end) => end.post(&head, payload),
            End::Served(end) => end.post(&head, payload),
        }
    }

    /// Calls the driver behind a source with `message` and waits for its answer, up to `timeout` (`None`: for
    /// ever); returns how much of `answer` that is. After an error `answer` may hold anything.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` (nobody there to answer), `ENOENT` (no such source), `EMSGSIZE` (message too long, or `answer`
    /// too small), `EAGAIN` (too many calls at once), `ETIMEDOUT`, `EINTR` (the driver may have done its part),
    /// `ENODEV` (the driver is gone), `EBADF` (not open for writing), and the driver's own.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # use nix::errno::Errno;
    /// # use std::time::Duration;
    /// let mut answer = [0; 4];
    /// let limit = Some(Duration::from_secs(1));
    /// let done = client.call(door.number, 0, 0, b"who is there?", &mut answer, limit);
    /// assert_eq!(done, Err(Errno::EOPNOTSUPP), "a process's source has no driver to answer");
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn call(
        &self,
        source: u32,
        kind: u16,
        value: u64,
        message: &[u8],
        answer: &mut [u8],
        timeout: Option<Duration>,
    ) -> Result<usize, Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let mut request = call_request(source, kind, value, timeout);
                sys::device_call(file.as_fd(), &mut request, message, answer)
            }
            End::Loopback(end) => Err(end.call(source)),
            End::Served(end) => Err(end.call_source(source)),
        }
    }

    /// The gap that a `read` of a stream has reported last.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` (not registered), `EINVAL` (not for a stream), `ENODATA` (there has been none).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    /// # use nix::errno::Errno;
    /// # let mut bytes = abi::CreateSource {
    /// #     source_type: abi::SOURCE_USER,
    /// #     flags: abi::SOURCE_STREAM,
    /// #     max_payload: 64,
    /// #     name: source_name("bytes").unwrap(),
    /// #     ..abi::CreateSource::zeroed()
    /// # };
    /// # client.create_source(&mut bytes)?;
    /// client.register(&mut abi::Register {
    ///     flags: abi::REG_STREAM,
    ///     signo: signo as u32,
    ///     mode: abi::MODE_WINDOW,
    ///     policy: abi::POLICY_REJECT_NEWEST,
    ///     clock: abi::CLOCK_MONOTONIC,
    ///     queue_len: 1,
    ///     ..abi::Register::zeroed()
    /// })?;
    /// client.subscribe(bytes.number, None)?;
    /// client.post(bytes.number, 0, None, b"one")?;
    /// client.post(bytes.number, 0, None, b"two")?; // there is no room for it
    /// let mut buffer = [0; 64];
    /// assert_eq!(client.read(&mut buffer)?, 3);
    /// assert_eq!(client.read(&mut buffer), Err(Errno::ENOBUFS), "once");
    /// assert_eq!(client.stream_gap()?.count, 1);
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn stream_gap(&self) -> Result<abi::StreamGap, Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let mut request = abi::StreamGap {
                    size: abi::StreamGap::BYTES as u32,
                    ..abi::StreamGap::zeroed()
                };
                sys::device_ioctl(file.as_fd(), abi::IOC_STREAM_GAP, &mut request)?;
                Ok(request)
            }
            End::Loopback(end) => end.stream_gap(),
            End::Served(end) => end.stream_gap(),
        }
    }

    /// Waits up to `timeout` (`None`: for ever) until there is something to read; zero only looks.
    ///
    /// # Errors
    ///
    /// `EINTR` (kernel only).
    ///
    /// # Examples
    ///
    /// ```
    #[doc = include_str!("client/opened.in")]
    #[doc = include_str!("client/subscribed.in")]
    /// # use std::time::Duration;
    /// use sigrt::client::Readiness;
    ///
    /// let found: Readiness = client.poll(Some(Duration::ZERO))?;
    /// assert!(!found.readable && found.writable);
    /// client.post(door.number, 0, None, b"open")?;
    /// assert!(client.poll(None)?.readable);
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn poll(&self, timeout: Option<Duration>) -> Result<Readiness, Errno> {
        match self.end()? {
            End::Kernel(file) => {
                let timeout = timeout.map_or(PollTimeout::NONE, milliseconds);
                let look = |events, timeout| {
                    let mut fds = [PollFd::new(file.as_fd(), events)];
                    nix::poll::poll(&mut fds, timeout)?;
                    Ok::<_, Errno>(fds[0].revents().unwrap_or(PollFlags::empty()))
                };
                let readable = look(PollFlags::POLLIN, timeout)?.contains(PollFlags::POLLIN);
                let writable =
                    look(PollFlags::POLLOUT, PollTimeout::ZERO)?.contains(PollFlags::POLLOUT);
                Ok(Readiness { readable, writable })
            }
            End::Loopback(end) => end.poll(timeout),
            End::Served(end) => end.poll(timeout),
        }
    }
}

/// A timeout for `poll`, rounded up: less than a millisecond is not nothing.
fn milliseconds(timeout: Duration) -> PollTimeout {
    let rounded = timeout.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(rounded).unwrap_or(PollTimeout::MAX)
}

fn call_request(source: u32, kind: u16, value: u64, timeout: Option<Duration>) -> abi::Call {
    abi::Call {
        size: abi::Call::BYTES as u32,
        source,
        kind,
        value,
        timeout_ns: nanoseconds(timeout),
        ..abi::Call::zeroed()
    }
}

/// A timeout as the device wants it: 0 means no limit, so none is as short as that.
fn nanoseconds(timeout: Option<Duration>) -> u64 {
    timeout.map_or(0, |t| {
        u64::try_from(t.as_nanos()).unwrap_or(u64::MAX).max(1)
    })
}

/// The head of a frame for [`Client::write`].
///
/// # Examples
///
/// ```
#[doc = include_str!("client/opened.in")]
/// use sigrt::client::post_head;
///
/// let mut frames = post_head(door.number, 0, Some(1), 4).to_bytes().to_vec();
/// frames.extend(b"open");
/// assert_eq!(client.write(&frames)?, frames.len());
/// # Ok::<(), nix::errno::Errno>(())
/// ```
#[must_use]
pub fn post_head(source: u32, kind: u16, value: Option<u64>, payload_len: usize) -> abi::Post {
    abi::Post {
        size: abi::Post::BYTES as u32,
        source,
        kind,
        flags: value.map_or(0, |_| abi::POST_VALUE),
        payload_len: u32::try_from(payload_len).unwrap_or(u32::MAX),
        value: value.unwrap_or(0),
        reserved: 0,
    }
}

/// A name in the form of the ABI, or `None` if it is empty, too long or holds anything but visible ASCII
/// without `/`.
///
/// # Examples
///
/// ```
/// use sigrt::client::source_name;
///
/// assert!(source_name("door").is_some_and(|name| name.starts_with(b"door\0")));
/// assert!(source_name("no spaces").is_none());
/// ```
#[must_use]
pub fn source_name(name: &str) -> Option<[u8; abi::NAME_LEN]> {
    let good = |b: u8| b.is_ascii_graphic() && b != b'/';
    if name.is_empty() || name.len() >= abi::NAME_LEN || !name.bytes().all(good) {
        return None;
    }
    let mut out = [0; abi::NAME_LEN];
    out[..name.len()].copy_from_slice(name.as_bytes());
    Some(out)
}

/// The name in a listed source.
///
/// # Examples
///
/// See [`Client::list_sources`].
#[must_use]
pub fn name_of(info: &abi::SourceInfo) -> String {
    let len = info.name.iter().position(|&b| b == 0);
    String::from_utf8_lossy(&info.name[..len.unwrap_or(abi::NAME_LEN)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_timeouts_are_not_none() {
        let ms = |timeout| milliseconds(timeout).as_millis();
        assert_eq!(ms(Duration::ZERO), Some(0));
        assert_eq!(ms(Duration::from_nanos(1)), Some(1));
        assert_eq!(ms(Duration::from_micros(1500)), Some(2));
        assert_eq!(ms(Duration::MAX), Some(i32::MAX as u32));
    }
}
