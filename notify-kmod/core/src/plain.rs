// SPDX-License-Identifier: MIT OR Apache-2.0

//! Fixed-layout values that cross the kernel boundary.
//!
//! Every ABI structure is declared through `abi_struct!`, which yields the Rust structure, its conversion
//! from and to bytes (safe code on both sides of the boundary: no transmute, no uninitialised padding),
//! assertions of its size and of every offset, and the description from which the C header is generated.
//! So the layout is written down once.

/// A value with a fixed, padding-free byte representation in the machine's byte order.
pub trait Plain: Copy {
    /// Size in bytes.
    const SIZE: usize;
    /// The C type of the element, as the header spells it.
    const C_TYPE: &'static str;
    /// Number of elements: 0 for a scalar, else the array length.
    const C_ARRAY: usize;

    /// Writes the value into the first [`Plain::SIZE`] bytes of `out`.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than that; callers pass slices cut to size.
    fn put(&self, out: &mut [u8]);

    /// Reads a value from the first [`Plain::SIZE`] bytes of `bytes`.
    ///
    /// # Panics
    ///
    /// If `bytes` is shorter than that; callers pass slices cut to size.
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! plain_int {
    ($($t:ty => $c:literal),* $(,)?) => {$(
        impl Plain for $t {
            const SIZE: usize = core::mem::size_of::<$t>();
            const C_TYPE: &'static str = $c;
            const C_ARRAY: usize = 0;

            #[inline]
            fn put(&self, out: &mut [u8]) {
                out[..Self::SIZE].copy_from_slice(&self.to_ne_bytes());
            }

            #[inline]
            fn get(bytes: &[u8]) -> Self {
                let mut raw = [0; core::mem::size_of::<$t>()];
                raw.copy_from_slice(&bytes[..Self::SIZE]);
                <$t>::from_ne_bytes(raw)
            }
        }
    )*};
}
plain_int!(u8 => "__u8", u16 => "__u16", u32 => "__u32", u64 => "__u64", i32 => "__s32");

impl<T: Plain, const N: usize> Plain for [T; N] {
    const SIZE: usize = T::SIZE * N;
    const C_TYPE: &'static str = T::C_TYPE;
    const C_ARRAY: usize = N;

    fn put(&self, out: &mut [u8]) {
        for (i, item) in self.iter().enumerate() {
            item.put(&mut out[i * T::SIZE..]);
        }
    }

    fn get(bytes: &[u8]) -> Self {
        core::array::from_fn(|i| T::get(&bytes[i * T::SIZE..]))
    }
}

/// One field of an ABI structure, for the header generator.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Field name, the same in Rust and in C.
    pub name: &'static str,
    /// Documentation, one line per entry.
    pub doc: &'static [&'static str],
    /// C element type.
    pub c_type: &'static str,
    /// Array length, 0 for a scalar.
    pub c_array: usize,
    /// Byte offset.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

/// An ABI structure with its description.
pub trait Layout: Plain {
    /// Name of the C structure, without `struct`.
    const C_NAME: &'static str;
    /// Documentation, one line per entry.
    const DOC: &'static [&'static str];
    /// The fields in order.
    const FIELDS: &'static [Field];
}

/// Declares ABI structures; see the module documentation.
macro_rules! abi_struct {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $name:ident as $c_name:literal, $size:literal bytes {
            $( $(#[doc = $fdoc:literal])* $field:ident: $ty:ty = $offset:literal, )*
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $fdoc])* pub $field: $ty, )*
        }

        const _: () = {
            assert!(core::mem::size_of::<$name>() == $size);
            $( assert!(core::mem::offset_of!($name, $field) == $offset); )*
            // The fields cover the structure: no padding, so no byte is ever uninitialised.
            assert!(0 $( + <$ty as super::plain::Plain>::SIZE )* == $size);
        };

        impl $name {
            /// Size in bytes, as an array length.
            pub const BYTES: usize = $size;

            /// The structure with every field zero.
            #[must_use]
            pub fn zeroed() -> Self {
                Self::from_bytes(&[0; $size])
            }

            /// The bytes that cross the boundary.
            #[must_use]
            pub fn to_bytes(self) -> [u8; $size] {
                let mut out = [0; $size];
                super::plain::Plain::put(&self, &mut out);
                out
            }

            /// The structure that these bytes hold; every bit pattern is a value.
            #[must_use]
            pub fn from_bytes(bytes: &[u8; $size]) -> Self {
                <Self as super::plain::Plain>::get(bytes)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::zeroed()
            }
        }

        impl super::plain::Plain for $name {
            const SIZE: usize = $size;
            const C_TYPE: &'static str = $c_name;
            const C_ARRAY: usize = 0;

            fn put(&self, out: &mut [u8]) {
                $( super::plain::Plain::put(&self.$field, &mut out[$offset..]); )*
            }

            fn get(bytes: &[u8]) -> Self {
                Self { $( $field: super::plain::Plain::get(&bytes[$offset..]), )* }
            }
        }

        impl super::plain::Layout for $name {
            const C_NAME: &'static str = $c_name;
            const DOC: &'static [&'static str] = &[$($doc),*];
            const FIELDS: &'static [super::plain::Field] = &[$(
                super::plain::Field {
                    name: stringify!($field),
                    doc: &[$($fdoc),*],
                    c_type: <$ty as super::plain::Plain>::C_TYPE,
                    c_array: <$ty as super::plain::Plain>::C_ARRAY,
                    offset: $offset,
                    size: <$ty as super::plain::Plain>::SIZE,
                },
            )*];
        }
    )*};
}
pub(crate) use abi_struct;
