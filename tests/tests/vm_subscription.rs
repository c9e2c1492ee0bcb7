// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a subscription can be, over the kernel module: the same tests as natively over the loopback.

mod subscription;
