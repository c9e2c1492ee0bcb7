// SPDX-License-Identifier: MIT OR Apache-2.0

//! The conformance suite over the loopback.

rtnotify_tests::conformance!(rtnotify_tests::harness::Backend::loopback);
