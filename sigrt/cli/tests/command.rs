// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command as a user runs it, on the loopback.

use std::process::{Command, Output};

use serde_json::Value;

fn rtnotify(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rtnotify"))
        .args(arguments.split_whitespace())
        .env_remove("RTNOTIFY_DEVICE")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn doctor_finds_the_loopback_working() {
    let output = rtnotify("doctor --json --device /no/such/device");
    let findings: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let state = |check: &str| {
        let found = findings.iter().find(|finding| finding["check"] == check);
        found.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("loopback"), "ok");
    assert_eq!(state("device"), "bad");
    assert_eq!(output.status.code(), Some(1), "something is bad");
}

#[test]
fn watch_prints_what_a_timer_says() {
    let output = rtnotify("watch --json --device loopback --timer tick=1ms -n 5 --timeout 20s");
    assert!(output.status.success(), "{}", text(&output.stderr));
    for (n, line) in text(&output.stdout).lines().enumerate() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["event"]["seq"], n + 1);
        assert_eq!(value["event"]["name"], "tick");
    }
    assert_eq!(text(&output.stdout).lines().count(), 5);
}

#[test]
fn watch_gives_up_when_asked_to() {
    let output = rtnotify("watch --device loopback --create quiet --timeout 20ms");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing arrived for 20ms"));
}

#[test]
fn stress_accounts_for_every_event() {
    for more in [
        "",
        "--mode per-event",
        "--sigpending 0",
        "--flood --queue 16",
    ] {
        let output = rtnotify(&format!(
            "stress --device loopback --events 3000 --producers 2 --subscribers 2 {more}"
        ));
        let out = text(&output.stdout);
        assert!(
            output.status.success(),
            "{more}: {out}{}",
            text(&output.stderr)
        );
        let last = out.lines().last().unwrap();
        assert!(
            last.starts_with("stress: 3000 posted on the loopback"),
            "{last}"
        );
        assert!(last.ends_with(", 0 discrepancies"), "{last}");
    }
}

#[test]
fn errors_say_what_is_wrong_and_what_helps() {
    for (arguments, status, says) in [
        ("sources --device /no/such", 1, "modprobe rtnotify"),
        (
            "post --device loopback door",
            1,
            "there is no source \"door\"",
        ),
        (
            "post --device loopback door --hex 0",
            1,
            "even number of digits",
        ),
        ("watch", 2, "SOURCE"),
        ("watch --timer tick=1", 2, "a number with ns, us, ms or s"),
        (
            "watch --device loopback --timer tick=1us",
            1,
            "at least 20 µs",
        ),
        ("stress --producers 0", 2, "1..=64"),
        ("frobnicate", 2, "unrecognized subcommand"),
    ] {
        let output = rtnotify(arguments);
        let error = text(&output.stderr);
        assert!(error.contains(says), "{arguments}: {error}");
        assert_eq!(output.status.code(), Some(status), "{arguments}");
    }
}
