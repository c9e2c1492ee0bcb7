// SPDX-License-Identifier: MIT OR Apache-2.0

//! Devices and sources: where events come from.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use rtnotify_core::abi;

use crate::builder::SubscriptionBuilder;
use crate::client::{self, Access, Client};
use crate::error::{Error, Result};
use crate::loopback::Broker;

/// Where the module puts its device node.
///
/// # Examples
///
/// ```
/// assert_eq!(sigrt::DEFAULT_PATH, "/dev/rtnotify");
/// ```
pub const DEFAULT_PATH: &str = "/dev/rtnotify";

/// The kernel module's device, or a broker in this process that does the same.
///
/// Cloning gives another handle to the same device; it can be shared between threads.
///
/// # Examples
///
/// ```
/// use sigrt::{Device, SourceOptions};
///
/// let device = Device::loopback();
/// let source = device.create_source(SourceOptions::new("door"))?;
/// assert_eq!(device.sources()?[0].name, "door");
/// source.post(Some(1), b"open")?;
/// # Ok::<(), sigrt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Device {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    backend: Backend,
    /// Lists sources, creates them, posts to them; subscriptions have clients of their own.
    control: Client,
}

#[derive(Debug)]
enum Backend {
    Kernel(PathBuf),
    Loopback(Broker),
    Served(PathBuf),
}

impl Device {
    /// Opens the device node at `path`, for reading and writing if possible, else for what is permitted.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`], [`Error::Permission`], [`Error::Os`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, Error};
    /// assert!(matches!(Device::open("/no/such/device"), Err(Error::NoDevice { .. })));
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut denied = None;
        for access in [Access::ReadWrite, Access::Read, Access::Write] {
            match Client::open(path, access, false) {
                Ok(control) => {
                    return Ok(Self {
                        inner: Arc::new(Inner {
                            backend: Backend::Kernel(path.to_owned()),
                            control,
                        }),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    denied = Some(error);
                }
                Err(error) => return Err(open_error(path, error)),
            }
        }
        Err(denied.map_or(Error::DeviceGone, |error| open_error(path, error)))
    }

    /// Opens [`DEFAULT_PATH`].
    ///
    /// # Errors
    ///
    /// As [`Device::open`].
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::{Device, Error};
    ///
    /// match Device::open_default() {
    ///     Ok(device) => println!("{} sources", device.sources()?.len()),
    ///     Err(Error::NoDevice { path }) => assert_eq!(path.as_os_str(), sigrt::DEFAULT_PATH),
    ///     Err(error) => eprintln!("{error}"), // it says what would help
    /// }
    /// # Ok::<(), sigrt::Error>(())
    /// ```
    pub fn open_default() -> Result<Self> {
        Self::open(DEFAULT_PATH)
    }

    /// The module's device if its node is there, else the loopback.
    ///
    /// # Errors
    ///
    /// As [`Device::open`] when the node is there: a device that this user may not use is not silently
    /// replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::{Device, Error};
    ///
    /// match Device::auto() {
    ///     Ok(device) if device.is_kernel() => println!("the module is loaded"),
    ///     Ok(device) => assert!(device.sources()?.is_empty(), "a fresh loopback"),
    ///     Err(error) => assert!(!matches!(error, Error::NoDevice { .. })),
    /// }
    /// # Ok::<(), sigrt::Error>(())
    /// ```
    pub fn auto() -> Result<Self> {
        match Self::open_default() {
            Err(Error::NoDevice { .. }) => Ok(Self::loopback()),
            done => done,
        }
    }

    /// A device of this process alone, without the module; see [`crate::loopback`] for what differs.
    ///
    /// Every call gives a fresh one: share it by cloning.
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::{Device, SourceOptions};
    ///
    /// let device = Device::loopback();
    /// let same = device.clone();
    /// let _door = device.create_source(SourceOptions::new("door"))?;
    /// assert_eq!(same.sources()?.len(), 1);
    /// assert!(Device::loopback().sources()?.is_empty(), "another one");
    /// # Ok::<(), sigrt::Error>(())
    /// ```
    #[must_use]
    pub fn loopback() -> Self {
        Self::with_broker(Broker::new())
    }

    /// A device on a broker that exists.
    ///
    /// # Panics
    ///
    /// If the broker was made before a `fork` of which this process is the child.
    ///
    /// # Examples
    ///
    /// See [`crate::loopback::Broker`].
    #[must_use]
    pub fn with_broker(broker: Broker) -> Self {
        let Ok(control) = Client::loopback(&broker, Access::ReadWrite, false) else {
            panic!("a broker does not survive fork()")
        };
        Self {
            inner: Arc::new(Inner {
                backend: Backend::Loopback(broker),
                control,
            }),
        }
    }

    /// A device that a broker serves, `rtnotify serve` or a [`crate::broker::Server`], at this socket; see
    /// [`crate::broker`] for what differs, and [`crate::broker::default_path`].
    ///
    /// # Errors
    ///
    /// [`Error::NoBroker`], [`Error::Permission`], [`Error::Limit`], [`Error::Os`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, Error};
    /// assert!(matches!(Device::connect("/no/such/socket"), Err(Error::NoBroker { .. })));
    /// ```
    pub fn connect(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let control = Client::connect(path, Access::ReadWrite, false)
            .map_err(|error| connect_error(path, error))?;
        Ok(Self {
            inner: Arc::new(Inner {
                backend: Backend::Served(path.to_owned()),
                control,
            }),
        })
    }

    /// Whether other processes can post and listen there: at the module's device and at a broker's, but not on a
    /// loopback.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!sigrt::Device::loopback().is_shared());
    /// ```
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !matches!(self.inner.backend, Backend::Loopback(_))
    }

    /// Whether the kernel module is at the other end.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!sigrt::Device::loopback().is_kernel());
    /// ```
    #[must_use]
    pub fn is_kernel(&self) -> bool {
        self.inner.control.is_kernel()
    }

    /// Opens the device once more, for those who use the layer below.
    ///
    /// # Errors
    ///
    /// As [`Device::open`], and [`Error::Forked`].
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::Device;
    /// use sigrt::client::Access;
    ///
    /// let device = Device::loopback();
    /// let client = device.client(Access::Read, false)?;
    /// assert!(client.sources()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn client(&self, access: Access, blocking: bool) -> Result<Client> {
        match &self.inner.backend {
            Backend::Kernel(path) => {
                Client::open(path, access, blocking).map_err(|error| open_error(path, error))
            }
            Backend::Loopback(broker) => Client::loopback(broker, access, blocking)
                .map_err(|errno| Error::from_errno("connect to the loopback", errno)),
            // After a fork the child may connect anew, but not through what it has inherited.
            Backend::Served(_) if self.inner.control.is_forked() => Err(Error::Forked),
            Backend::Served(path) => {
                Client::connect(path, access, blocking).map_err(|error| connect_error(path, error))
            }
        }
    }

    /// Every source there is now.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`], [`Error::Os`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let door = device.create_source(SourceOptions::new("door"))?;
    /// let names: Vec<_> = device.sources()?.into_iter().map(|source| source.name).collect();
    /// assert_eq!(names, ["door"]);
    /// # Ok::<(), sigrt::Error>(())
    /// ```
    pub fn sources(&self) -> Result<Vec<SourceInfo>> {
        let list = self
            .inner
            .control
            .sources()
            .map_err(|errno| Error::from_errno("list sources", errno))?;
        Ok(list.iter().map(SourceInfo::from_abi).collect())
    }

    /// The source with that name or number, to post to it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSource`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let _owner = device.create_source(SourceOptions::new("door"))?;
    /// device.source("door")?.post(None, b"knock")?;
    /// # Ok::<(), sigrt::Error>(())
    /// ```
    pub fn source(&self, which: impl Into<SourceRef>) -> Result<Source> {
        let which = which.into();
        let info = self
            .sources()?
            .into_iter()
            .find(|info| which.names(info))
            .ok_or_else(|| Error::NoSuchSource {
                name: which.to_string(),
            })?;
        Ok(self.handle(info, false))
    }

    fn handle(&self, info: SourceInfo, owned: bool) -> Source {
        Source {
            inner: Arc::new(SourceInner {
                device: Arc::clone(&self.inner),
                number: info.number,
                name: info.name,
                max_payload: info.max_payload,
                owned,
            }),
        }
    }

    /// Creates a source to post to. It is destroyed with the last clone of what is returned.
    ///
    /// # Errors
    ///
    /// [`Error::SourceExists`], [`Error::Setting`] (name or payload size), [`Error::Permission`],
    /// [`Error::Limit`].
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::{Device, Error, SourceOptions};
    ///
    /// let device = Device::loopback();
    /// let door = device.create_source(SourceOptions::new("door"))?;
    /// door.post(None, b"nobody listens")?;
    /// let taken = device.create_source(SourceOptions::new("door"));
    /// assert!(matches!(taken, Err(Error::SourceExists { .. })));
    /// # Ok::<(), sigrt::Error>(())
    /// ```
    pub fn create_source(&self, options: SourceOptions) -> Result<Source> {
        self.create(options, abi::SOURCE_USER, 0, 0)
    }

    /// Creates a timer source that posts every `period`, for `count` periods or without end. Its events carry
    /// no payload; their value is the number of periods they stand for, more than 1 when the timer was late.
    /// It starts to count with its first subscriber and stops with the last clone of what is returned.
    ///
    /// # Errors
    ///
    /// As [`Device::create_source`]; [`Error::Setting`] also for a period below 20 µs.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::Device;
    /// # use std::time::Duration;
    /// let device = Device::loopback();
    /// let _tick = device.create_timer("tick", Duration::from_millis(1), None)?;
    /// let subscription = device.subscription().subscribe("tick").start()?;
    /// assert!(subscription.recv()?.event().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_timer(&self, name: &str, period: Duration, count: Option<u64>) -> Result<Source> {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        if period < abi::MIN_TIMER_PERIOD_NS || count == Some(0) {
            return Err(Error::Setting {
                setting: "timer",
                limits: "a period of at least 20 µs, at least one expiration",
            });
        }
        let options = SourceOptions::new(name).max_payload(0);
        self.create(options, abi::SOURCE_TIMER, period, count.unwrap_or(0))
    }

    fn create(
        &self,
        options: SourceOptions,
        source_type: u32,
        period_ns: u64,
        count: u64,
    ) -> Result<Source> {
        let SourceOptions {
            name,
            max_payload,
            blocking,
        } = options;
        let bytes = client::source_name(&name).ok_or(Error::Setting {
            setting: "source name",
            limits: "1 to 47 visible ASCII characters without '/'",
        })?;
        if max_payload > abi::MAX_PAYLOAD {
            return Err(Error::Setting {
                setting: "payload size",
                limits: "2 MiB less one byte",
            });
        }
        let mut request = abi::CreateSource {
            flags: if blocking { abi::SOURCE_BLOCKING } else { 0 },
            source_type,
            max_payload: max_payload as u32,
            name: bytes,
            period_ns,
            count,
            ..abi::CreateSource::zeroed()
        };
        match self.inner.control.create_source(&mut request) {
            Ok(()) => Ok(Source {
                inner: Arc::new(SourceInner {
                    device: Arc::clone(&self.inner),
                    number: request.number,
                    name,
                    max_payload,
                    owned: true,
                }),
            }),
            Err(Errno::EEXIST) => Err(Error::SourceExists { name }),
            Err(Errno::ENOSPC | Errno::EDQUOT) => Err(Error::Limit { what: "sources" }),
            Err(Errno::EBADF) => Err(Error::Permission {
                action: "create a source",
                hint: "write permission on the device is needed",
            }),
            Err(errno) => Err(Error::from_errno("create a source", errno)),
        }
    }

    /// Starts to describe a subscription.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let door = device.create_source(SourceOptions::new("door"))?;
    /// let doors = device.subscription().subscribe("door").start()?;
    /// door.post(None, b"open")?;
    /// assert!(doors.recv()?.event().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn subscription(&self) -> SubscriptionBuilder {
        SubscriptionBuilder::new(self.clone())
    }
}

fn connect_error(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NoBroker {
            path: path.to_owned(),
        },
        io::ErrorKind::PermissionDenied => Error::Permission {
            action: "connect to the broker",
            hint: "write permission on its socket is needed",
        },
        io::ErrorKind::ConnectionReset => Error::BrokerGone,
        _ => match error.raw_os_error() {
            Some(libc::EMFILE) => Error::Limit {
                what: "connections to the broker",
            },
            _ => Error::os("connect to the broker", error),
        },
    }
}

fn open_error(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NoDevice {
            path: path.to_owned(),
        },
        io::ErrorKind::PermissionDenied => Error::Permission {
            action: "open the device",
            hint: "subscribing needs read, posting write permission (see `rtnotify doctor`)",
        },
        _ => match error.raw_os_error() {
            // The node is there, its driver is not.
            Some(libc::ENXIO | libc::ENODEV) => Error::NoDevice {
                path: path.to_owned(),
            },
            _ => Error::os("open the device", error),
        },
    }
}

/// Names a source: by name or by number.
///
/// # Examples
///
/// ```
/// use sigrt::SourceRef;
///
/// assert_eq!(SourceRef::from("door"), SourceRef::Name("door".to_owned()));
/// assert_eq!(SourceRef::from(3), SourceRef::Number(3));
/// assert_eq!(SourceRef::from(3).to_string(), "3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceRef {
    /// Its name.
    Name(String),
    /// Its number.
    Number(u32),
}

impl SourceRef {
    pub(crate) fn names(&self, info: &SourceInfo) -> bool {
        match self {
            Self::Name(name) => *name == info.name,
            Self::Number(number) => *number == info.number,
        }
    }
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl From<&str> for SourceRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for SourceRef {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<u32> for SourceRef {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl From<&Source> for SourceRef {
    fn from(source: &Source) -> Self {
        Self::Number(source.number())
    }
}

/// Who runs a source.
///
/// # Examples
///
/// ```
/// use sigrt::{Device, SourceOptions, SourceType};
/// use std::time::Duration;
///
/// let device = Device::loopback();
/// let _door = device.create_source(SourceOptions::new("door"))?;
/// let _tick = device.create_timer("tick", Duration::from_secs(1), None)?;
/// let types: Vec<_> = device.sources()?.iter().map(|source| source.source_type).collect();
/// assert_eq!(types, [SourceType::User, SourceType::Timer]);
/// assert_eq!(SourceType::Driver.to_string(), "driver");
/// assert_eq!(SourceType::Unknown(9).to_string(), "type 9");
/// # Ok::<(), sigrt::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceType {
    /// A process.
    User,
    /// A timer of the device.
    Timer,
    /// A kernel driver.
    Driver,
    /// Something that this version does not know.
    Unknown(u32),
}

impl fmt::Display for SourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
            Self::Timer => f.write_str("timer"),
            Self::Driver => f.write_str("driver"),
            Self::Unknown(n) => write!(f, "type {n}"),
        }
    }
}

/// A source as listed.
///
/// # Examples
///
/// ```
/// # use sigrt::{Device, SourceOptions};
/// # let device = Device::loopback();
/// # let door = device.create_source(SourceOptions::new("door"))?;
/// # let subscription = device.subscription().subscribe(&door).start()?;
/// door.post(Some(1), b"open")?;
/// let info = &device.sources()?[0];
/// assert_eq!((info.number, &*info.name), (door.number(), "door"));
/// assert!(info.writable && info.period.is_none());
/// assert_eq!((info.max_payload, info.posted), (4096, 1));
/// assert_eq!((info.subscribers, info.refused), (1, 0));
/// # Ok::<(), sigrt::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Its number; never used again.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Who runs it.
    pub source_type: SourceType,
    /// Whether it takes posts.
    pub writable: bool,
    /// Longest payload in bytes.
    pub max_payload: usize,
    /// Events so far.
    pub posted: u64,
    /// Subscriptions now.
    pub subscribers: u32,
    /// Deliveries that a subscriber had no room for.
    pub refused: u64,
    /// Of a timer.
    pub period: Option<Duration>,
}

impl SourceInfo {
    fn from_abi(info: &abi::SourceInfo) -> Self {
        Self {
            number: info.number,
            name: client::name_of(info),
            source_type: match info.source_type {
                abi::SOURCE_USER => SourceType::User,
                abi::SOURCE_TIMER => SourceType::Timer,
                abi::SOURCE_DRIVER => SourceType::Driver,
                other => SourceType::Unknown(other),
            },
            writable: info.flags & abi::SOURCE_WRITABLE != 0,
            max_payload: info.max_payload as usize,
            posted: info.posted,
            subscribers: info.subscribers,
            refused: info.refused,
            period: (info.period_ns != 0).then(|| Duration::from_nanos(info.period_ns)),
        }
    }
}

/// What a source is created with.
///
/// # Examples
///
/// ```
/// use sigrt::{Device, SourceOptions};
///
/// let device = Device::loopback();
/// let options = SourceOptions::new("camera").max_payload(1 << 20);
/// let camera = device.create_source(options)?;
/// assert_eq!(camera.max_payload(), 1 << 20);
/// # Ok::<(), sigrt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SourceOptions {
    name: String,
    max_payload: usize,
    blocking: bool,
}

impl SourceOptions {
    /// A source with that name and payloads of up to 4096 bytes.
    ///
    /// # Examples
    ///
    /// See [`SourceOptions`].
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            max_payload: 4096,
            blocking: false,
        }
    }

    /// A post that a subscriber with [`Overflow::Block`](crate::Overflow::Block) has no room for is not made and
    /// gives [`Error::Busy`], rather than being lost to that one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, Error, Overflow, SourceOptions};
    /// let device = Device::loopback();
    /// let source = device.create_source(SourceOptions::new("work").blocking())?;
    /// let worker = device.subscription().overflow(Overflow::Block).subscribe(&source).start()?;
    /// for n in 0..10_000 {
    ///     while let Err(Error::Busy { .. }) = source.post(Some(n), b"") {
    ///         assert!(worker.recv()?.event().is_some(), "nothing is lost");
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn blocking(mut self) -> Self {
        self.blocking = true;
        self
    }

    /// Longest payload in bytes, at most 2 MiB less one.
    ///
    /// # Examples
    ///
    /// See [`SourceOptions`].
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }
}

/// A source to post to. Clones are the same source.
///
/// # Examples
///
/// ```
/// use sigrt::{Device, SourceOptions};
///
/// let device = Device::loopback();
/// let door = device.create_source(SourceOptions::new("door"))?;
/// assert_eq!((door.number(), door.name(), door.max_payload()), (1, "door", 4096));
/// let same = door.clone();
/// drop(door);
/// same.post(None, b"still there")?;
/// # Ok::<(), sigrt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Source {
    inner: Arc<SourceInner>,
}

#[derive(Debug)]
struct SourceInner {
    device: Arc<Inner>,
    number: u32,
    name: String,
    max_payload: usize,
    owned: bool,
}

impl Drop for SourceInner {
    fn drop(&mut self) {
        if self.owned {
            // It may be gone already, or this may be a forked child's copy.
            self.device.control.destroy_source(self.number).ok();
        }
    }
}

impl Source {
    /// Its number.
    ///
    /// # Examples
    ///
    /// See [`Source`].
    #[must_use]
    pub fn number(&self) -> u32 {
        self.inner.number
    }

    /// Its name.
    ///
    /// # Examples
    ///
    /// See [`Source`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Longest payload in bytes.
    ///
    /// # Examples
    ///
    /// See [`Source`].
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.inner.max_payload
    }

    /// Posts an event of kind 0 to every subscriber. Never waits: who has no room loses it, and is told.
    ///
    /// # Errors
    ///
    /// [`Error::NotWritable`], [`Error::PayloadTooLarge`], [`Error::NoSuchSource`] (destroyed meanwhile),
    /// [`Error::Busy`] (a driver's queue is full, or a subscriber that is waited for has no room),
    /// [`Error::Permission`], [`Error::Forked`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let door = device.create_source(SourceOptions::new("door"))?;
    /// # let subscription = device.subscription().subscribe(&door).start()?;
    /// # use sigrt::Error;
    /// door.post(Some(1), b"open")?;
    /// door.post(None, b"")?;
    /// assert_eq!(subscription.recv()?.event().unwrap().value, Some(1));
    /// assert_eq!(subscription.recv()?.event().unwrap().value, None);
    /// let long = door.post(None, &[0; 5000]);
    /// assert!(matches!(long, Err(Error::PayloadTooLarge { len: 5000, max: 4096 })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post(&self, value: Option<u64>, payload: &[u8]) -> Result<()> {
        self.post_kind(abi::KIND_EVENT, value, payload)
    }

    /// Posts an event of a kind of the producer's choice, below `0xfff0`.
    ///
    /// # Errors
    ///
    /// As [`Source::post`]; [`Error::Setting`] for that kind.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let door = device.create_source(SourceOptions::new("door"))?;
    /// # let subscription = device.subscription().subscribe(&door).start()?;
    /// const OPENED: u16 = 1;
    /// door.post_kind(OPENED, None, b"by the cat")?;
    /// assert_eq!(subscription.recv()?.event().unwrap().kind, OPENED);
    /// assert!(door.post_kind(0xfff0, None, b"").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post_kind(&self, kind: u16, value: Option<u64>, payload: &[u8]) -> Result<()> {
        self.check(kind, payload.len())?;
        let control = &self.inner.device.control;
        control
            .post(self.number(), kind, value, payload)
            .map_err(|errno| self.error(errno))
    }

    /// Calls the driver behind the source with `message` and waits for its answer, of at most `room` bytes, up to
    /// `timeout` (`None`: for ever).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSource`], [`Error::DeviceGone`] (the driver left), [`Error::Busy`] (it has no room now),
    /// [`Error::Permission`], [`Error::Forked`]; [`Error::Os`] with `EOPNOTSUPP` (there is nobody to answer, as
    /// always with the loopback), `ETIMEDOUT`, `EINTR` (the driver may have done its part), `EMSGSIZE` (message
    /// or answer too long), and whatever the driver says.
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::{Device, Error, Source, SourceOptions};
    /// use std::time::Duration;
    ///
    /// /// The device behind `edu` computes factorials.
    /// fn factorial(edu: &Source, n: u32) -> sigrt::Result<Vec<u8>> {
    ///     edu.call(0, 0, &n.to_ne_bytes(), 4, Some(Duration::from_secs(1)))
    /// }
    ///
    /// match Device::open_default().and_then(|device| device.source("edu")) {
    ///     Ok(edu) => assert_eq!(factorial(&edu, 5)?, 120_u32.to_ne_bytes()),
    ///     Err(_) => {
    ///         // The loopback has no drivers, so nobody answers.
    ///         let source = Device::loopback().create_source(SourceOptions::new("edu"))?;
    ///         assert!(matches!(factorial(&source, 5), Err(Error::Os { .. })));
    ///     }
    /// }
    /// # Ok::<(), sigrt::Error>(())
    /// ```
    pub fn call(
        &self,
        kind: u16,
        value: u64,
        message: &[u8],
        room: usize,
        timeout: Option<Duration>,
    ) -> Result<Vec<u8>> {
        let mut answer = vec![0; room];
        let control = &self.inner.device.control;
        let len = control
            .call(self.number(), kind, value, message, &mut answer, timeout)
            .map_err(|errno| match errno {
                Errno::ENOENT | Errno::EAGAIN | Errno::EBADF => self.error(errno),
                other => Error::from_errno("call", other),
            })?;
        answer.truncate(len);
        Ok(answer)
    }

    /// Collects posts that one system call then makes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// let source = device.create_source(SourceOptions::new("pulses"))?;
    /// let mut batch = source.batch();
    /// for n in 0..10 {
    ///     batch.push(0, Some(n), b"")?;
    /// }
    /// batch.send()?;
    /// # Ok::<(), sigrt::Error>(())
    /// ```
    #[must_use]
    pub fn batch(&self) -> Batch {
        Batch {
            source: self.clone(),
            frames: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn check(&self, kind: u16, len: usize) -> Result<()> {
        if kind >= abi::FIRST_RESERVED_KIND {
            return Err(Error::Setting {
                setting: "kind",
                limits: "0xfff0 and above are taken",
            });
        }
        if len > self.max_payload() {
            return Err(Error::PayloadTooLarge {
                len,
                max: self.max_payload(),
            });
        }
        Ok(())
    }

    fn error(&self, errno: Errno) -> Error {
        match errno {
            Errno::ENOENT => Error::NoSuchSource {
                name: self.inner.name.clone(),
            },
            Errno::EPERM => Error::NotWritable,
            Errno::EAGAIN => Error::Busy { accepted: 0 },
            Errno::EBADF => Error::Permission {
                action: "post or call",
                hint: "write permission on the device is needed",
            },
            other => Error::from_errno("post", other),
        }
    }
}

/// Posts to be made together; see [`Source::batch`].
///
/// # Examples
///
/// ```
/// # use sigrt::{Device, SourceOptions};
/// # let device = Device::loopback();
/// # let door = device.create_source(SourceOptions::new("door"))?;
/// # let subscription = device.subscription().subscribe(&door).start()?;
/// let mut batch = door.batch();
/// assert!(batch.is_empty());
/// for n in 0..10 {
///     batch.push(0, Some(n), b"knock")?;
/// }
/// assert_eq!(batch.len(), 10);
/// batch.send()?;
/// assert!(batch.is_empty());
/// for n in 0..10 {
///     assert_eq!(subscription.recv()?.event().unwrap().value, Some(n));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    source: Source,
    frames: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<usize>,
}

impl Batch {
    /// Adds a post.
    ///
    /// # Errors
    ///
    /// [`Error::PayloadTooLarge`], [`Error::Setting`] (kind), [`Error::Limit`] (4 MiB in one batch).
    ///
    /// # Examples
    ///
    /// See [`Batch`].
    pub fn push(&mut self, kind: u16, value: Option<u64>, payload: &[u8]) -> Result<()> {
        self.source.check(kind, payload.len())?;
        let len = abi::Post::BYTES + abi::frame_align(payload.len());
        if self.frames.len() + len > abi::MAX_WRITE {
            return Err(Error::Limit {
                what: "bytes in one batch",
            });
        }
        let head = client::post_head(self.source.number(), kind, value, payload.len());
        self.frames.extend_from_slice(&head.to_bytes());
        self.frames.extend_from_slice(payload);
        self.frames.resize(abi::frame_align(self.frames.len()), 0);
        self.ends.push(self.frames.len());
        Ok(())
    }

    /// How many posts wait to be made.
    ///
    /// # Examples
    ///
    /// See [`Batch`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    ///
    /// # Examples
    ///
    /// See [`Batch`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Makes the posts, in one system call. What was taken is no longer in the batch afterwards.
    ///
    /// # Errors
    ///
    /// As [`Source::post`]; then nothing was posted, except with [`Error::Busy`], which says how many were.
    ///
    /// # Examples
    ///
    /// See [`Batch`].
    pub fn send(&mut self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let control = &self.source.inner.device.control;
        let taken = control
            .write(&self.frames)
            .map_err(|errno| self.source.error(errno))?;
        let accepted = self.ends.iter().filter(|&&end| end <= taken).count();
        if accepted == self.ends.len() {
            self.frames.clear();
            self.ends.clear();
            return Ok(());
        }
        let gone = if accepted == 0 {
            0
        } else {
            self.ends[accepted - 1]
        };
        self.frames.drain(..gone);
        self.ends.drain(..accepted);
        for end in &mut self.ends {
            *end -= gone;
        }
        Err(Error::Busy { accepted })
    }
}
