// SPDX-License-Identifier: MIT OR Apache-2.0

//! Subscriptions for event loops: a descriptor that is readable, and a read that does not wait.
//!
//! A registration needs a thread to ring for. Here nobody takes signals, so it is one that sleeps as long as the
//! process lives: it blocks everything, and a standard signal that is pending swallows all further ones. The kernel
//! is spared the trouble of sending what the descriptor tells anyhow.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::bounded;
use nix::errno::Errno;
use rtnotify_core::abi::{self, Record};

use crate::builder::Ready;
use crate::client::Client;
use crate::delivery::{Delivery, parse_frames};
use crate::error::{Error, Result};
use crate::subscription::{Stats, refusal};
use crate::sys::{self, SIGURG, SignalSet, Tid};

/// Bytes of frames that are read at once.
const BUFFER: usize = 64 << 10;

/// The thread that sleeps, in this process.
fn sleeper() -> Result<Tid> {
    /// The process that it is of: a forked child has none.
    static SLEEPER: Mutex<Option<(u32, Tid)>> = Mutex::new(None);
    let mut sleeper = SLEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = sys::process_id();
    if let Some((of, tid)) = *sleeper
        && of == pid
    {
        return Ok(tid);
    }
    let (report, started) = bounded(1);
    let mask = sys::block(&SignalSet::asynchronous());
    let thread = thread::Builder::new()
        .name("rtnotify-sleeper".to_owned())
        .spawn(move || {
            report.send(sys::gettid()).ok();
            loop {
                thread::park();
            }
        });
    drop(mask);
    thread.map_err(|error| Error::os("start a thread", error))?;
    let tid = started.recv().map_err(|_| Error::DeviceGone)?;
    *sleeper = Some((pid, tid));
    Ok(tid)
}

/// A subscription without a thread and without a channel: made by
/// [`SubscriptionBuilder::start_polled`](crate::SubscriptionBuilder::start_polled).
///
/// The descriptor of its [`AsFd`] is readable while [`PolledSubscription::try_recv`] has something to give that has
/// not been read from the device yet. So: take until there is nothing, then wait for the descriptor. It is there to be
/// polled; reading from it takes what is somebody else's.
pub struct PolledSubscription {
    client: Arc<Client>,
    buffer: Vec<u8>,
    read: VecDeque<Delivery>,
}

impl PolledSubscription {
    pub(crate) fn start(ready: Ready) -> Result<Self> {
        let Ready {
            client,
            mut register,
            lanes,
            sources,
            ..
        } = ready;
        if !lanes.is_empty() {
            return Err(Error::Setting {
                setting: "priorities",
                limits: "one, without a dispatcher thread",
            });
        }
        register.signo = SIGURG as u32;
        register.target_tid = sleeper()?;
        register.failover_tid = 0;
        register.window = 0;
        client
            .register_dispatcher(&mut register)
            .map_err(|errno| refusal("register", errno, SIGURG))?;
        for mut wanted in sources {
            wanted.signo = 0;
            client
                .subscribe_with(&mut wanted)
                .map_err(|errno| match errno {
                    Errno::EEXIST => Error::SubscribedTwice {
                        source_number: wanted.source,
                    },
                    Errno::ENOENT => Error::NoSuchSource {
                        name: wanted.source.to_string(),
                    },
                    other => refusal("subscribe", other, SIGURG),
                })?;
        }
        client
            .pollable()
            .map_err(|errno| Error::from_errno("make a descriptor", errno))?;
        Ok(Self {
            client,
            buffer: vec![0; BUFFER],
            read: VecDeque::new(),
        })
    }

    /// The next delivery; `None`: there is nothing now, and the descriptor will be readable when there is.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceGone`], [`Error::Forked`], [`Error::Os`].
    pub fn try_recv(&mut self) -> Result<Option<Delivery>> {
        while self.read.is_empty() {
            match self.client.read(&mut self.buffer) {
                Ok(got) => self.read.extend(parse_frames(&self.buffer[..got])),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(Errno::EMSGSIZE) if self.buffer.len() < Record::BYTES + abi::MAX_PAYLOAD => {
                    self.buffer.resize(2 * self.buffer.len(), 0);
                }
                Err(errno) => return Err(Error::from_errno("receive", errno)),
            }
        }
        Ok(self.read.pop_front())
    }

    #[cfg(any(feature = "tokio", feature = "async-io"))]
    pub(crate) fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client)
    }

    /// The counters.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`], [`Error::Os`].
    pub fn stats(&self) -> Result<Stats> {
        let stats = self.client.stats();
        stats
            .map(Stats)
            .map_err(|errno| Error::from_errno("read the counters", errno))
    }

    /// On tokio's event loop; call it in a runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Os`]: the event loop takes no more descriptors.
    ///
    /// # Panics
    ///
    /// Outside a runtime, or in one without input and output.
    #[cfg(feature = "tokio")]
    pub fn into_tokio(self) -> Result<crate::streams::TokioStream> {
        crate::streams::TokioStream::new(self)
    }

    /// On async-io's event loop.
    ///
    /// # Errors
    ///
    /// [`Error::Os`]: the event loop takes no more descriptors.
    #[cfg(feature = "async-io")]
    pub fn into_async_io(self) -> Result<crate::streams::AsyncIoStream> {
        crate::streams::AsyncIoStream::new(self)
    }
}

impl AsFd for PolledSubscription {
    fn as_fd(&self) -> BorrowedFd<'_> {
        descriptor(&self.client)
    }
}

/// The descriptor of a client whose descriptor has been made.
pub(crate) fn descriptor(client: &Client) -> BorrowedFd<'_> {
    match client.made_pollable() {
        Some(descriptor) => descriptor,
        None => unreachable!("it is made when the subscription starts"),
    }
}

impl fmt::Debug for PolledSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolledSubscription")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
