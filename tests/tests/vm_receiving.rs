// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every way to receive, over the kernel module: the same tests as natively over the loopback.

mod receiving;
