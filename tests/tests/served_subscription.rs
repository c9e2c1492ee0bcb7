// SPDX-License-Identifier: MIT OR Apache-2.0

//! Subscriptions, over a broker in another process: the same tests as over the loopback.

mod subscription;
