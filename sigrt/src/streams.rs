// SPDX-License-Identifier: MIT OR Apache-2.0

//! Subscriptions on other people's event loops: features `tokio` and `async-io`.

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

#[cfg(feature = "tokio")]
mod on_tokio {
    use tokio::io::unix::AsyncFd;

    use super::{
        Context, Delivery, Descriptor, Error, Pin, Poll, PolledSubscription, Result, Stats, Stream,
        ready,
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
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct TokioStream {
        /// First: it is taken off the event loop before the descriptor is closed.
        descriptor: AsyncFd<Descriptor>,
        subscription: PolledSubscription,
        failed: bool,
    }

    impl TokioStream {
        pub(crate) fn new(subscription: PolledSubscription) -> Result<Self> {
            let descriptor = crate::sys::on_tokio(Descriptor(subscription.client()))
                .map_err(|error| Error::os("poll a descriptor", error))?;
            Ok(Self {
                descriptor,
                subscription,
                failed: false,
            })
        }

        /// The counters.
        ///
        /// # Errors
        ///
        /// As [`PolledSubscription::stats`].
        pub fn stats(&self) -> Result<Stats> {
            self.subscription.stats()
        }
    }

    impl Stream for TokioStream {
        type Item = Result<Delivery>;

        fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let this = self.get_mut();
            if this.failed {
                return Poll::Ready(None);
            }
            loop {
                match this.subscription.try_recv() {
                    Ok(None) => {}
                    Ok(Some(delivery)) => return Poll::Ready(Some(Ok(delivery))),
                    Err(error) => {
                        this.failed = true;
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                match ready!(this.descriptor.poll_read_ready(context)) {
                    // What comes after this makes it ready anew, what came before is found by the next look.
                    Ok(mut guard) => guard.clear_ready(),
                    Err(error) => {
                        this.failed = true;
                        return Poll::Ready(Some(Err(Error::os("poll a descriptor", error))));
                    }
                }
            }
        }
    }
}

#[cfg(feature = "tokio")]
pub use on_tokio::TokioStream;

#[cfg(feature = "async-io")]
mod on_async_io {
    use async_io::Async;

    use super::{
        Context, Delivery, Descriptor, Error, Pin, Poll, PolledSubscription, Result, Stats, Stream,
        ready,
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
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Debug)]
    pub struct AsyncIoStream {
        /// First: it is taken off the event loop before the descriptor is closed.
        descriptor: Async<Descriptor>,
        subscription: PolledSubscription,
        failed: bool,
    }

    impl AsyncIoStream {
        pub(crate) fn new(subscription: PolledSubscription) -> Result<Self> {
            // Its descriptor does not block already.
            let descriptor = Async::new_nonblocking(Descriptor(subscription.client()))
                .map_err(|error| Error::os("poll a descriptor", error))?;
            Ok(Self {
                descriptor,
                subscription,
                failed: false,
            })
        }

        /// The counters.
        ///
        /// # Errors
        ///
        /// As [`PolledSubscription::stats`].
        pub fn stats(&self) -> Result<Stats> {
            self.subscription.stats()
        }
    }

    impl Stream for AsyncIoStream {
        type Item = Result<Delivery>;

        fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let this = self.get_mut();
            if this.failed {
                return Poll::Ready(None);
            }
            loop {
                match this.subscription.try_recv() {
                    Ok(None) => {}
                    Ok(Some(delivery)) => return Poll::Ready(Some(Ok(delivery))),
                    Err(error) => {
                        this.failed = true;
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                if let Err(error) = ready!(this.descriptor.poll_readable(context)) {
                    this.failed = true;
                    return Poll::Ready(Some(Err(Error::os("poll a descriptor", error))));
                }
            }
        }
    }
}

#[cfg(feature = "async-io")]
pub use on_async_io::AsyncIoStream;
