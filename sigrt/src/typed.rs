// SPDX-License-Identifier: MIT OR Apache-2.0

//! Payloads as values, without copying: feature `zerocopy`.

use zerocopy::error::{CastError, ConvertError};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::delivery::Event;
use crate::device::Source;
use crate::error::{Error, Result};

impl<P: AsRef<[u8]>> Event<P> {
    /// The payload as a value of a type that says what bytes it is made of, where it lies.
    ///
    /// Payloads in a mapped ring are aligned to 64 bytes, those of up to 8 bytes to 8; elsewhere nothing is promised:
    /// use types without alignment (`zerocopy::byteorder`), or [`Event::payload_to`].
    ///
    /// # Errors
    ///
    /// [`Error::PayloadShape`]: another length than the type, or not aligned for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::{Device, SourceOptions};
    /// use zerocopy::byteorder::native_endian::{I16, U32};
    /// use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
    ///
    /// #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
    /// #[repr(C)]
    /// struct Sample {
    ///     channel: U32,
    ///     levels: [I16; 4],
    /// }
    ///
    /// let device = Device::loopback();
    /// let adc = device.create_source(SourceOptions::new("adc"))?;
    /// let subscription = device.subscription().subscribe(&adc).start()?;
    /// let levels = [1, -2, 3, -4].map(I16::new);
    /// adc.post_value(None, &Sample { channel: U32::new(7), levels })?;
    ///
    /// let event = subscription.recv()?.event().unwrap();
    /// let sample: &Sample = event.payload_as()?;
    /// assert_eq!((sample.channel.get(), sample.levels[1].get()), (7, -2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn payload_as<T>(&self) -> Result<&T>
    where
        T: FromBytes + KnownLayout + Immutable + ?Sized,
    {
        let bytes = self.payload.as_ref();
        T::ref_from_bytes(bytes).map_err(|error: CastError<&[u8], T>| Error::PayloadShape {
            len: bytes.len(),
            why: match error {
                ConvertError::Alignment(_) => "it is not aligned for the type",
                _ => "it is not as long as the type",
            },
        })
    }

    /// A copy of the payload as such a value, wherever it lies.
    ///
    /// # Errors
    ///
    /// [`Error::PayloadShape`]: another length than the type.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let adc = device.create_source(SourceOptions::new("adc"))?;
    /// # let subscription = device.subscription().subscribe(&adc).start()?;
    /// adc.post_value(None, &[1_u64, 2, 3])?;
    /// let event = subscription.recv()?.event().unwrap();
    /// assert_eq!(event.payload_to::<[u64; 3]>()?, [1, 2, 3]);
    /// assert!(event.payload_to::<u64>().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn payload_to<T: FromBytes>(&self) -> Result<T> {
        let bytes = self.payload.as_ref();
        T::read_from_bytes(bytes).map_err(|_| Error::PayloadShape {
            len: bytes.len(),
            why: "it is not as long as the type",
        })
    }
}

impl Source {
    /// Posts a value of a type that says what bytes it is made of; see [`Source::post`].
    ///
    /// # Errors
    ///
    /// As [`Source::post`].
    pub fn post_value<T>(&self, value: Option<u64>, payload: &T) -> Result<()>
    where
        T: IntoBytes + Immutable + ?Sized,
    {
        self.post(value, payload.as_bytes())
    }
}
