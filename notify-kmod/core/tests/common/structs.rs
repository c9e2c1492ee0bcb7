// SPDX-License-Identifier: MIT OR Apache-2.0

//! The descriptions of every structure of the ABI, in the order of the header.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use rtnotify_core::{
    abi,
    plain::{Field, Layout},
};

/// One structure of the ABI.
pub(crate) struct Struct {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
    pub(crate) fields: &'static [Field],
    pub(crate) size: usize,
}

fn of<T: Layout>() -> Struct {
    Struct {
        name: T::C_NAME,
        doc: T::DOC,
        fields: T::FIELDS,
        size: T::SIZE,
    }
}

/// Every structure.
pub(crate) fn all() -> Vec<Struct> {
    vec![
        of::<abi::Record>(),
        of::<abi::Register>(),
        of::<abi::Unregister>(),
        of::<abi::Subscribe>(),
        of::<abi::Unsubscribe>(),
        of::<abi::ListSources>(),
        of::<abi::SourceInfo>(),
        of::<abi::CreateSource>(),
        of::<abi::DestroySource>(),
        of::<abi::Stats>(),
        of::<abi::Lane>(),
        of::<abi::SetMode>(),
        of::<abi::Arm>(),
        of::<abi::Read>(),
        of::<abi::Ring>(),
        of::<abi::RingHeader>(),
        of::<abi::RingControl>(),
        of::<abi::Outbox>(),
        of::<abi::Timeouts>(),
        of::<abi::Post>(),
        of::<abi::Call>(),
        of::<abi::StreamGap>(),
    ]
}

/// The C type of a field. Names are the only byte arrays, and C keeps text in `char`.
pub(crate) fn c_type(field: &Field) -> &'static str {
    if field.c_array > 0 && field.c_type == "__u8" {
        "char"
    } else {
        field.c_type
    }
}
