// SPDX-License-Identifier: MIT OR Apache-2.0

//! The conformance suite over the kernel module: the same list as natively over the loopback.

rtnotify_tests::conformance!(rtnotify_tests::harness::Backend::module);
