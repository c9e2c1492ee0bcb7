// SPDX-License-Identifier: MIT OR Apache-2.0

//! Subscriptions on other people's event loops: features `tokio` and `async-io`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::client::Client;
use crate::delivery::Delivery;
use crate::error::{Error, Result};
use crate::polled::PolledSubscription;
use crate::subscription::Stats;

/// What event loops are to poll; open as long as this lives.
#[derive(Debug)]
pub(crate) struct Descriptor(Arc<Client>);

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        crate::polled::descriptor(&self.0)
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// A subscription and the descriptor that an event loop has been given; over after an error.
#[derive(Debug)]
struct Watched<D> {
    /// First: it is taken off the event loop before the descriptor is closed.
    descriptor: D,
    subscription: PolledSubscription,
    failed: bool,
}

impl<D> Watched<D> {
    fn new(
        subscription: PolledSubscription,
        watch: impl FnOnce(Descriptor) -> io::Result<D>,
    ) -> Result<Self> {
        let descriptor = watch(Descriptor(subscription.client()))
            .map_err(|error| Error::os("poll a descriptor", error))?;
        Ok(Self {
            descriptor,
            subscription,
            failed: false,
        })
    }

    /// The next delivery; `wait` is done when the descriptor may have become readable since it was asked last.
    fn poll(
        &mut self,
        mut wait: impl FnMut(&D) -> Poll<io::Result<()>>,
    ) -> Poll<Option<Result<Delivery>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let error = loop {
            match self.subscription.try_recv() {
                Ok(None) => {}
                Ok(Some(delivery)) => return Poll::Ready(Some(Ok(delivery))),
                Err(error) => break error,
            }
            if let Err(error) = ready!(wait(&self.descriptor)) {
                break Error::os("poll a descriptor", error);
            }
        };
        self.failed = true;
        Poll::Ready(Some(Err(error)))
    }
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use tokio::io::unix::AsyncFd;

    use super::{
        Context, Delivery, Descriptor, Pin, Poll, PolledSubscription, Result, Stats, Stream,
        Watched,
    };

    /// A subscription as a `Stream` on tokio's event loop; see [`PolledSubscription::into_tokio`]. It ends after an
    /// error.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use sigrt::{Device, SourceOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let device = Device::loopback();
    /// let door = device.create_source(SourceOptions::new("door"))?;
    /// let mut doors = device.subscription().subscribe(&door).start_polled()?.into_tokio()?;
    /// door.post(None, b"open")?;
    /// let delivery = doors.next().await.unwrap()?;
    /// assert_eq!(delivery.event().unwrap().payload, "open");
    /// assert_eq!(doors.stats()?.consumed, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct TokioStream(Watched<AsyncFd<Descriptor>>);

    impl TokioStream {
        pub(crate) fn new(subscription: PolledSubscription) -> Result<Self> {
            Watched::new(subscription, crate::sys::on_tokio).map(Self)
        }

        /// The counters.
        ///
        /// # Errors
        ///
        /// As [`PolledSubscription::stats`].
        ///
        /// # Examples
        ///
        /// See [`TokioStream`].
        pub fn stats(&self) -> Result<Stats> {
            self.0.subscription.stats()
        }
    }

    impl Stream for TokioStream {
        type Item = Result<Delivery>;

        fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.get_mut().0.poll(|descriptor| {
                // What comes after this makes it ready anew, what came before is found by the next look.
                descriptor
                    .poll_read_ready(context)
                    .map_ok(|mut guard| guard.clear_ready())
            })
        }
    }
}

#[cfg(feature = "tokio")]
pub use on_tokio::TokioStream;

#[cfg(feature = "async-io")]
mod on_async_io {
    use async_io::Async;

    use super::{
        Context, Delivery, Descriptor, Pin, Poll, PolledSubscription, Result, Stats, Stream,
        Watched,
    };

    /// A subscription as a `Stream` on async-io's event loop; see [`PolledSubscription::into_async_io`]. It ends after
    /// an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::{StreamExt, future};
    /// use sigrt::{Device, SourceOptions};
    ///
    /// let device = Device::loopback();
    /// let door = device.create_source(SourceOptions::new("door"))?;
    /// let mut doors = device.subscription().subscribe(&door).start_polled()?.into_async_io()?;
    /// door.post(None, b"open")?;
    /// let delivery = future::block_on(doors.next()).unwrap()?;
    /// assert_eq!(delivery.event().unwrap().payload, "open");
    /// assert_eq!(doors.stats()?.consumed, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Debug)]
    pub struct AsyncIoStream(Watched<Async<Descriptor>>);

    impl AsyncIoStream {
        pub(crate) fn new(subscription: PolledSubscription) -> Result<Self> {
            // Its descriptor does not block already.
            Watched::new(subscription, Async::new_nonblocking).map(Self)
        }

        /// The counters.
        ///
        /// # Errors
        ///
        /// As [`PolledSubscription::stats`].
        ///
        /// # Examples
        ///
        /// See [`AsyncIoStream`].
        pub fn stats(&self) -> Result<Stats> {
            self.0.subscription.stats()
        }
    }

    impl Stream for AsyncIoStream {
        type Item = Result<Delivery>;

        fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.get_mut()
                .0
                .poll(|descriptor| descriptor.poll_readable(context))
        }
    }
}

#[cfg(feature = "async-io")]
pub use on_async_io::AsyncIoStream;
