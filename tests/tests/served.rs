// SPDX-License-Identifier: MIT OR Apache-2.0

//! The conformance suite over a broker in another process.

use std::sync::OnceLock;

use rtnotify_tests::harness::Backend;
use rtnotify_tests::served::Served;

/// The broker of this process; it ends with it.
fn served() -> Backend {
    static BROKER: OnceLock<Served> = OnceLock::new();
    let broker = BROKER.get_or_init(|| Served::start(env!("CARGO_BIN_EXE_rtnotify-test-broker")));
    Backend::Served(broker.path().to_owned())
}

rtnotify_tests::conformance!(served);
