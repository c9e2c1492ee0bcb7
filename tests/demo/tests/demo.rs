// SPDX-License-Identifier: MIT OR Apache-2.0

//! The demo ends well in every mode, and says what it has counted.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rtnotify-demo"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn every_mode_delivers_everything() {
    for mode in ["per-event", "window", "coalesced"] {
        let output = run(&["--device", "loopback", "--events", "2000", "--mode", mode]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{mode}: {output:?}");
        let end = "demo: 2000 delivered, 0 lost, 2000 payloads verified\n";
        assert!(text.ends_with(end), "{mode}: {text}");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.is_empty(), "{mode}: {complaint}");
    }
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [&["--events"][..], &["--events", "x"], &["--mode", "fast"]] {
        assert!(!run(arguments).status.success(), "{arguments:?}");
    }
}
