// SPDX-License-Identifier: MIT OR Apache-2.0

//! `fork`, `exec`, the exit of threads and masks, over a broker in another process: the same tests as over the loopback.

mod processes;
