// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is tested, and how a test is kept from hanging or from disturbing the others.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::served::{self, Served};
use sigrt::client::{Access, Client};
use sigrt::loopback::Broker;
use sigrt::{DEFAULT_PATH, Device};

/// Longest that anything single may take; the guest is an emulated machine and slow.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Longest that a whole test may take.
const TEST_LIMIT: Duration = Duration::from_mins(10);
/// Set in a process that runs one isolated test.
const CHILD: &str = "RTNOTIFY_TEST_CHILD";
/// Where the broker of the parent listens.
const BROKER_OF_PARENT: &str = "RTNOTIFY_TEST_BROKER";

/// The device under test.
#[derive(Clone, Debug)]
pub enum Backend {
    /// A broker in this process.
    Loopback(Broker),
    /// A broker in another process, at this socket.
    Served(PathBuf),
    /// The kernel module's device.
    Module(PathBuf),
}

impl Backend {
    /// A fresh broker.
    #[must_use]
    pub fn loopback() -> Self {
        Self::Loopback(Broker::new())
    }

    /// The module, which must be loaded.
    #[must_use]
    pub fn module() -> Self {
        Self::Module(PathBuf::from(DEFAULT_PATH))
    }

    /// Whether it is the module.
    #[must_use]
    pub fn is_module(&self) -> bool {
        matches!(self, Self::Module(_))
    }

    /// Opens it once more.
    #[must_use]
    pub fn open(&self, access: Access, blocking: bool) -> Client {
        match self {
            Self::Loopback(broker) => Client::loopback(broker, access, blocking).unwrap(),
            Self::Served(path) => Client::connect(path, access, blocking)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            Self::Module(path) => Client::open(path, access, blocking)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        }
    }

    /// One broker in another process for all tests of this program, also those in processes of their own.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn served() -> Self {
        static BROKER: OnceLock<Served> = OnceLock::new();
        if let Some(path) = std::env::var_os(BROKER_OF_PARENT) {
            return Self::Served(path.into());
        }
        let broker = BROKER.get_or_init(|| Served::start(&served::program()));
        Self::Served(broker.path().to_owned())
    }

    /// What the test program whose `module_path!()` is given is for: the targets whose names begin with `vm_` repeat
    /// the tests of another one over the module, in the guest; `served_`, over a broker in another process.
    #[must_use]
    pub fn of(module_path: &str) -> Self {
        if module_path.starts_with("vm_") {
            Self::module()
        } else if module_path.starts_with("served_") {
            Self::served()
        } else {
            Self::loopback()
        }
    }

    /// It, one layer higher.
    #[must_use]
    pub fn device(&self) -> Device {
        match self {
            Self::Loopback(broker) => Device::with_broker(broker.clone()),
            Self::Served(path) => Device::connect(path).unwrap(),
            Self::Module(path) => Device::open(path).unwrap(),
        }
    }
}

/// A source name that no other test uses: the module is shared by all.
#[must_use]
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{n}", std::process::id())
}

/// Runs a test among others, with a watchdog.
pub fn shared(name: &str, backend: &Backend, test: impl FnOnce(&Backend)) {
    let watchdog = Watchdog::start(name);
    test(backend);
    drop(watchdog);
}

/// Runs a test in a process of its own: it may change limits, dispositions, and fork.
///
/// The process is this very test program, told to run this one test.
pub fn isolated(name: &str, backend: &Backend, test: impl FnOnce(&Backend)) {
    if std::env::var_os(CHILD).is_some() {
        return shared(name, backend, test);
    }
    let watchdog = Watchdog::start(name);
    let mut child = Command::new("/proc/self/exe");
    child
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name);
    if let Backend::Served(path) = backend {
        child.env(BROKER_OF_PARENT, path);
    }
    let output = child.output().unwrap();
    drop(watchdog);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{name} ended with {}\n{stdout}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs the test `name` of the module `module_path` in a process of its own, over the [`Backend::of`] that module.
///
/// Give `module_path!()`: the module may be the root of its program, or repeated in another.
pub fn isolated_in(module_path: &str, name: &str, test: impl FnOnce(&Backend)) {
    let full = match module_path.split_once("::") {
        Some((_, inner)) => format!("{inner}::{name}"),
        None => name.to_owned(),
    };
    isolated(&full, &Backend::of(module_path), test);
}

/// Ends the process if a test does not end.
#[derive(Debug)]
pub struct Watchdog {
    /// Nothing is sent: its end is the message.
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    /// Watches the test `name` until dropped.
    #[must_use]
    pub fn start(name: &str) -> Self {
        let name = name.to_owned();
        let (alive, gone) = mpsc::channel();
        thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                if gone.recv_timeout(TEST_LIMIT) == Err(RecvTimeoutError::Timeout) {
                    eprintln!("{name}: no end after {TEST_LIMIT:?}");
                    std::process::abort();
                }
            })
            .unwrap();
        Self { _alive: alive }
    }
}

/// Waits until `condition` holds; for what has no event to wait for.
///
/// # Panics
///
/// If it does not in [`PATIENCE`].
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
