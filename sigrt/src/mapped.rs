// SPDX-License-Identifier: MIT OR Apache-2.0

//! Subscriptions whose events are looked at where the device has put them.

use std::fmt;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rtnotify_core::abi::{self, Record};

use crate::builder::Ready;
use crate::client::Client;
use crate::delivery::{Delivery, Frames};
use crate::error::{Error, Result};
use crate::ring::Ring;
use crate::signal::Lease;
use crate::subscription::{Stats, refusal};
use crate::sys::{self, SIGURG, SignalSet};

/// Bytes of frames that are read at once where there is no ring.
const BUFFER: usize = 64 << 10;

/// A subscription of one thread, with records and payloads in memory that the device shares: made by
/// [`SubscriptionBuilder::start_mapped`](crate::SubscriptionBuilder::start_mapped).
///
/// Waiting gives a [`MappedBatch`] of all there is. As long as that lives, its blocks are pinned and count against queue and
/// quota; dropping it gives them back. While there is more, an event costs no system call; when there is not, one to
/// have a doorbell rung and one to wait for it.
///
/// It belongs to the thread that started it: that is the one that the device rings for. The thread blocks the signal
/// until this is dropped, and `SIGURG` for good.
///
/// The loopback has no ring: there a batch is a copy, and the same otherwise.
///
/// # Examples
///
/// ```
/// use sigrt::{Delivery, Device, SourceOptions};
///
/// let device = Device::loopback();
/// let camera = device.create_source(SourceOptions::new("camera"))?;
/// let mut pictures = device.subscription().subscribe(&camera).start_mapped()?;
/// camera.post(Some(1), &[7; 4000])?;
/// camera.post(Some(2), b"small")?;
///
/// let batch = pictures.recv()?;
/// for delivery in &batch {
///     match delivery {
///         Delivery::Event(event) => {
///             let bytes: &[u8] = event.payload; // borrowed: nothing was copied
///             println!("{:?}: {} bytes", event.value, bytes.len());
///         }
///         Delivery::Gap(gap) => eprintln!("{gap}"),
///         Delivery::Gone(gone) => eprintln!("{gone}"),
///     }
/// }
/// # assert_eq!(batch.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MappedSubscription {
    pages: Pages,
    client: std::sync::Arc<Client>,
    signals: SignalSet,
    /// Whether the thread blocked the signal before.
    was_blocked: bool,
    lease: Lease,
    pid: u32,
    /// Like a mutex guard, it may be looked at from elsewhere but not sent there.
    thread: PhantomData<MutexGuard<'static, ()>>,
}

enum Pages {
    Shared(Ring),
    Copied { frames: Vec<u8>, len: usize },
}

impl MappedSubscription {
    pub(crate) fn start(ready: Ready) -> Result<Self> {
        let Ready {
            client,
            mut leases,
            mut register,
            lanes,
            sources,
            ..
        } = ready;
        let (Some(lease), true) = (leases.pop(), lanes.is_empty()) else {
            return Err(Error::Setting {
                setting: "priorities",
                limits: "one, in a mapped ring",
            });
        };
        let signo = lease.signo();
        let was_blocked = sys::blocked().contains(signo);
        let signals = SignalSet::of(&[signo, SIGURG]);
        std::mem::forget(sys::block(&signals));
        // From here on dropping it undoes all of that.
        let mut subscription = Self {
            pages: Pages::Copied {
                frames: Vec::new(),
                len: 0,
            },
            client,
            signals,
            was_blocked,
            lease,
            pid: sys::process_id(),
            thread: PhantomData,
        };
        let client = &subscription.client;
        register.flags = 0;
        client
            .register_dispatcher(&mut register)
            .map_err(|errno| refusal("register", errno, signo))?;
        subscription.pages = match client.map_ring(0) {
            Ok(ring) => Pages::Shared(ring),
            Err(Errno::EOPNOTSUPP) => Pages::Copied {
                frames: vec![0; BUFFER],
                len: 0,
            },
            Err(errno) => return Err(refusal("map a ring", errno, signo)),
        };
        for mut wanted in sources {
            client
                .subscribe_with(&mut wanted)
                .map_err(|errno| match errno {
                    Errno::EEXIST => Error::SubscribedTwice {
                        source_number: wanted.source,
                    },
                    Errno::ENOENT => Error::NoSuchSource {
                        name: wanted.source.to_string(),
                    },
                    other => refusal("subscribe", other, signo),
                })?;
        }
        Ok(subscription)
    }

    /// Waits until there is something.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceGone`], [`Error::Forked`], [`Error::Os`].
    pub fn recv(&mut self) -> Result<MappedBatch<'_>> {
        self.wait(None)?;
        Ok(self.batch())
    }

    /// Waits until there is something, for `timeout` at most; `None`: there was nothing.
    ///
    /// # Errors
    ///
    /// As [`MappedSubscription::recv`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<MappedBatch<'_>>> {
        // A time too far away to be represented is never.
        let deadline = Instant::now().checked_add(timeout);
        Ok(self.wait(deadline)?.then(|| self.batch()))
    }

    /// Waits until there is something, until `deadline` at most; `None`: there was nothing.
    ///
    /// # Errors
    ///
    /// As [`MappedSubscription::recv`].
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<Option<MappedBatch<'_>>> {
        Ok(self.wait(Some(deadline))?.then(|| self.batch()))
    }

    /// What there is now, if anything. Over a ring it makes no system call.
    ///
    /// # Errors
    ///
    /// As [`MappedSubscription::recv`].
    pub fn try_recv(&mut self) -> Result<Option<MappedBatch<'_>>> {
        Ok(self.look()?.then(|| self.batch()))
    }

    /// The signal number in use.
    #[must_use]
    pub fn signal(&self) -> i32 {
        self.lease.signo()
    }

    /// Whether events lie in memory that the device shares, rather than in a copy.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.pages, Pages::Shared(_))
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

    /// Whether there is something.
    fn look(&mut self) -> Result<bool> {
        if self.client.is_forked() {
            return Err(Error::Forked);
        }
        let (frames, len) = match &mut self.pages {
            Pages::Shared(ring) if ring.is_empty() && ring.has_ended() => {
                return Err(Error::DeviceGone);
            }
            Pages::Shared(ring) => return Ok(!ring.is_empty()),
            Pages::Copied { frames, len } => (frames, len),
        };
        while *len == 0 {
            match self.client.read(frames) {
                Ok(got) => *len = got,
                Err(Errno::EAGAIN) => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(Errno::EMSGSIZE) if frames.len() < Record::BYTES + abi::MAX_PAYLOAD => {
                    frames.resize(2 * frames.len(), 0);
                }
                Err(errno) => return Err(Error::from_errno("receive", errno)),
            }
        }
        Ok(true)
    }

    /// Waits until there is something; false: the time is up.
    fn wait(&mut self, deadline: Option<Instant>) -> Result<bool> {
        loop {
            if self.look()? {
                return Ok(true);
            }
            match self.client.arm(0) {
                Ok(()) => {}
                // Something has come meanwhile.
                Err(Errno::EAGAIN) => continue,
                Err(errno) => return Err(Error::from_errno("ask for a doorbell", errno)),
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match sys::take_signal(&self.signals, left) {
                // Every doorbell means "look", whoever rang it.
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return self.look(),
                Err(errno) => return Err(Error::from_errno("wait for a doorbell", errno)),
            }
        }
    }

    fn batch(&mut self) -> MappedBatch<'_> {
        let published = match &self.pages {
            Pages::Shared(ring) => ring.published(),
            Pages::Copied { .. } => 0..0,
        };
        MappedBatch {
            pages: &mut self.pages,
            published,
        }
    }
}

impl fmt::Debug for MappedSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedSubscription")
            .field("signal", &self.signal())
            .field("is_shared", &self.is_shared())
            .finish_non_exhaustive()
    }
}

impl Drop for MappedSubscription {
    fn drop(&mut self) {
        if sys::process_id() != self.pid {
            return;
        }
        // It may have failed to register, or the device may be gone.
        self.client.unregister().ok();
        let own = SignalSet::of(&[self.signal()]);
        while sys::take_signal(&own, Some(Duration::ZERO)).is_ok() {}
        if !self.was_blocked {
            std::mem::forget(sys::unblock(&own));
        }
    }
}

/// All that there was, where it lies; dropping this gives it back.
pub struct MappedBatch<'a> {
    pages: &'a mut Pages,
    published: std::ops::Range<u64>,
}

impl MappedBatch<'_> {
    /// The deliveries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Delivery<&[u8]>> {
        let (ring, frames) = match &*self.pages {
            Pages::Shared(ring) => (Some(ring), &[][..]),
            Pages::Copied { frames, len } => (None, frames.get(..*len).unwrap_or_default()),
        };
        let shared = self.published.clone().filter_map(move |n| ring?.get(n));
        let copied = Frames(frames).with_heads();
        shared
            .chain(copied)
            .map(|(head, behind)| view(head, behind))
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none; only where a record was not what it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<'a> IntoIterator for &'a MappedBatch<'_> {
    type Item = Delivery<&'a [u8]>;
    type IntoIter = Box<dyn Iterator<Item = Delivery<&'a [u8]>> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl fmt::Debug for MappedBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Drop for MappedBatch<'_> {
    fn drop(&mut self) {
        match self.pages {
            Pages::Shared(ring) => ring.give_back(self.published.end),
            Pages::Copied { len, .. } => *len = 0,
        }
    }
}

/// A record where it lies, whose payload may be in it.
fn view<'a>(head: &'a [u8; Record::BYTES], behind: &'a [u8]) -> Delivery<&'a [u8]> {
    let record = Record::from_bytes(head);
    Delivery::new(&record, || {
        if record.flags & abi::RECORD_INLINE == 0 {
            return behind;
        }
        let len = size_of_val(&record.value).min(record.payload_len as usize);
        &head[offset_of!(Record, value)..][..len]
    })
}
