// SPDX-License-Identifier: MIT OR Apache-2.0

//! Legacy programs of every facade on the module's device, fed by `rtnotify replay`: the same as natively through a
//! broker (`replayed.rs`).
//!
//! Compilers are slow in the guest, so `cargo xtask test vm` builds programs and command beforehand.

mod common;
#[path = "common/replayed.rs"]
mod replayed;

use std::path::Path;

use replayed::Case;

#[track_caller]
fn says(case: &Case) {
    // target/PROFILE/deps/test-HASH
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let device = Path::new(sigrt::DEFAULT_PATH);
    replayed::says(
        case,
        &profile.join("rtnotify"),
        device,
        &profile.join("legacy"),
    );
}

#[test]
fn a_serial_driver() {
    says(&replayed::SERIAL_DRIVER);
}

#[test]
fn a_pulse_width_decoder() {
    says(&replayed::PULSE_WIDTH);
}

#[test]
fn a_quadrature_encoder() {
    says(&replayed::QUADRATURE);
}

#[test]
fn a_flow_meter() {
    says(&replayed::FLOW_METER);
}

#[test]
fn a_serial_terminal() {
    says(&replayed::TERMINAL);
}

#[test]
fn a_stepper() {
    says(&replayed::STEPPER);
}
