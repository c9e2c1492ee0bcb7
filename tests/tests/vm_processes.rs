// SPDX-License-Identifier: MIT OR Apache-2.0

//! `fork`, `exec`, the exit of threads and masks, over the kernel module: the same tests as natively over the loopback.

mod processes;
