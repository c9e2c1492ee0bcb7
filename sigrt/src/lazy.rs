// SPDX-License-Identifier: MIT OR Apache-2.0

//! Payloads that stay in the device until somebody wants them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nix::errno::Errno;
use rtnotify_core::abi::Record;
use rtnotify_core::handle::OFFSET_BITS;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::sys::Mapping;

/// Handles that have been given out, and the payloads of those that the dispatcher had to read meanwhile.
///
/// The dispatcher holds the lock while it reads: whoever finds a handle stale finds the payload here.
#[derive(Debug, Default)]
pub(crate) struct Outstanding(Mutex<HashMap<u64, Option<Bytes>>>);

impl Outstanding {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<u64, Option<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A payload by its handle: see [`SubscriptionBuilder::lazy_payloads`](crate::SubscriptionBuilder::lazy_payloads).
///
/// The event stays in the device's queue, and keeps its share of queue, quota and window, until this is fetched,
/// mapped, forgotten or dropped. Payloads of up to 8 bytes travel with the event and are here at once.
pub struct LazyPayload {
    len: usize,
    place: Place,
}

enum Place {
    Here(Bytes),
    Device {
        client: Arc<Client>,
        outstanding: Arc<Outstanding>,
        handle: u64,
    },
}

impl fmt::Debug for LazyPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyPayload")
            .field("len", &self.len)
            .field("handle", &self.handle())
            .finish_non_exhaustive()
    }
}

impl LazyPayload {
    pub(crate) fn here(bytes: Bytes) -> Self {
        Self {
            len: bytes.len(),
            place: Place::Here(bytes),
        }
    }

    pub(crate) fn in_device(
        record: &Record,
        client: &Arc<Client>,
        outstanding: &Arc<Outstanding>,
    ) -> Self {
        outstanding.lock().insert(record.handle, None);
        Self {
            len: record.payload_len as usize,
            place: Place::Device {
                client: Arc::clone(client),
                outstanding: Arc::clone(outstanding),
                handle: record.handle,
            },
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The handle, if it is still in the device.
    #[must_use]
    pub fn handle(&self) -> Option<u64> {
        match &self.place {
            Place::Here(_) => None,
            Place::Device { handle, .. } => Some(*handle),
        }
    }

    /// Takes it out of the device, which consumes the event.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceGone`] or [`Error::StaleHandle`]: the subscription has ended. [`Error::Forked`], [`Error::Os`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let camera = device.create_source(SourceOptions::new("camera"))?;
    /// let pictures = device.subscription().subscribe(&camera).lazy_payloads().start()?;
    /// camera.post(None, &[7; 4000])?;
    /// let picture = pictures.recv()?.event().unwrap();
    /// assert_eq!(picture.payload.len(), 4000);
    /// assert_eq!(picture.payload.fetch()?, [7; 4000][..]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fetch(self) -> Result<Bytes> {
        let (client, outstanding, handle) = match &self.place {
            Place::Here(bytes) => return Ok(bytes.clone()),
            Place::Device {
                client,
                outstanding,
                handle,
            } => (client, outstanding, *handle),
        };
        let mut frame = vec![0; Record::BYTES + self.len];
        loop {
            match client.pread(&mut frame, handle) {
                Ok(got) => {
                    outstanding.lock().remove(&handle);
                    frame.truncate(got);
                    return Ok(Bytes::from(frame).slice(Record::BYTES..));
                }
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    let read = outstanding.lock().remove(&handle).flatten();
                    return read.ok_or_else(|| Error::from_errno("fetch a payload", errno));
                }
            }
        }
    }

    /// Copies a part of it, from byte `offset` on; returns how much. The event stays.
    ///
    /// # Errors
    ///
    /// As [`LazyPayload::fetch`]; [`Error::Setting`] for an offset from 2 MiB less 64 bytes on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let camera = device.create_source(SourceOptions::new("camera"))?;
    /// # let pictures = device.subscription().subscribe(&camera).lazy_payloads().start()?;
    /// camera.post(None, b"HEAD, and then many bytes")?;
    /// let picture = pictures.recv()?.event().unwrap();
    /// let mut head = [0; 4];
    /// assert_eq!(picture.payload.peek(0, &mut head)?, 4);
    /// assert_eq!(&head, b"HEAD");
    /// picture.payload.forget();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek(&self, offset: usize, buffer: &mut [u8]) -> Result<usize> {
        let copy = |bytes: &[u8], buffer: &mut [u8]| {
            let rest = bytes.get(offset..).unwrap_or_default();
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            len
        };
        let (client, outstanding, handle) = match &self.place {
            Place::Here(bytes) => return Ok(copy(bytes, buffer)),
            Place::Device {
                client,
                outstanding,
                handle,
            } => (client, outstanding, *handle),
        };
        // The record comes first.
        let start = Record::BYTES + offset;
        if start >= 1 << OFFSET_BITS {
            return Err(Error::Setting {
                setting: "offset",
                limits: "below 2 MiB less 64 bytes",
            });
        }
        loop {
            match client.pread(buffer, handle + start as u64) {
                Ok(got) => return Ok(got),
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    return match outstanding.lock().get(&handle) {
                        Some(Some(bytes)) => Ok(copy(bytes, buffer)),
                        _ => Err(Error::from_errno("peek at a payload", errno)),
                    };
                }
            }
        }
    }

    /// Maps it, which consumes the event; the block stays pinned, and counts against the quota, until the mapping is
    /// dropped. Over the loopback it is a copy.
    ///
    /// # Errors
    ///
    /// As [`LazyPayload::fetch`]; [`Error::Os`] with `ENODATA` for an empty one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let camera = device.create_source(SourceOptions::new("camera"))?;
    /// # let pictures = device.subscription().subscribe(&camera).lazy_payloads().start()?;
    /// camera.post(None, &[9; 4000])?;
    /// let mapping = pictures.recv()?.event().unwrap().payload.map()?;
    /// assert_eq!(mapping[..], [9; 4000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map(self) -> Result<Mapping> {
        match &self.place {
            Place::Here(bytes) => Ok(Mapping::copied(bytes.to_vec())),
            Place::Device {
                client,
                outstanding,
                handle,
            } => match client.map(*handle, self.len) {
                Ok(mapping) => {
                    outstanding.lock().remove(handle);
                    Ok(mapping)
                }
                Err(errno) => match outstanding.lock().remove(handle).flatten() {
                    Some(bytes) => Ok(Mapping::copied(bytes.to_vec())),
                    None => Err(Error::from_errno("map a payload", errno)),
                },
            },
        }
    }

    /// Consumes the event without copying anything; so does dropping this.
    pub fn forget(self) {
        drop(self);
    }
}

impl Drop for LazyPayload {
    fn drop(&mut self) {
        let Place::Device {
            client,
            outstanding,
            handle,
        } = &self.place
        else {
            return;
        };
        // In a forked child the table may be locked for ever, and the device answers nothing.
        if client.is_forked() {
            return;
        }
        // Under the lock: otherwise the dispatcher could read it in between, and deliver it once more.
        let mut outstanding = outstanding.lock();
        if outstanding.remove(handle) == Some(None) {
            client.map(*handle, 1).ok();
        }
    }
}
