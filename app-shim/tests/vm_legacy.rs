// SPDX-License-Identifier: MIT OR Apache-2.0

//! Legacy programs of every facade on the module's device, fed by `rtnotify replay`: the same as natively through a
//! broker (`replayed.rs`).
//!
//! Compilers are slow in the guest, so `cargo xtask test vm` builds programs and command beforehand.

mod common;
#[path = "common/replayed.rs"]
mod legacy;

use std::path::Path;

use legacy::Case;

#[track_caller]
fn says(case: &Case) {
    // target/PROFILE/deps/test-HASH
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let device = Path::new(sigrt::DEFAULT_PATH);
    legacy::replayed(
        case,
        &profile.join("rtnotify"),
        device,
        &profile.join("legacy"),
    );
}
