// SPDX-License-Identifier: MIT OR Apache-2.0

//! The conformance suite over a broker in another process.

rtnotify_tests::conformance!(rtnotify_tests::harness::Backend::served);
