// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify stress`: exact accounts, whatever the policy and whatever goes wrong.

mod common;

use common::{Terminal, command, err, finish, out, rtnotify, spawn, values};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Runs it on the loopback: it must end well, with everything accounted for.
fn stress(arguments: &str) -> Value {
    let output = rtnotify(&format!("stress --device loopback --json {arguments}"));
    let account = values(&output).pop().unwrap_or_default();
    assert!(
        output.status.success(),
        "{arguments}: {account} {}",
        err(&output)
    );
    assert_eq!(account["discrepancies"], 0, "{arguments}: {account}");
    for subscriber in account["subscribers"].as_array().unwrap() {
        let sum = subscriber["delivered"].as_u64().unwrap() + subscriber["lost"].as_u64().unwrap();
        assert_eq!(account["posted"], sum, "{arguments}: {account}");
    }
    account
}

#[test]
fn stress_accounts_for_every_event() {
    for more in [
        "--events 3000",
        "--events 3000 --mode per-event",
        "--events 3000 --mode per-event,coalesced",
        "--events 3000 --batch 1",
        "--events 3000 --sigpending 0",
        "--events 3000 --payload 0 --queue 2",
        "--events 300 --payload 100000",
    ] {
        let account = stress(&format!("--producers 2 --subscribers 2 {more}"));
        assert_eq!(account["lost"], 0, "{more}");
        assert_eq!(account["place"], "loopback");
    }
    let output = rtnotify("stress --device loopback --events 3000");
    let out = out(&output);
    let last = out.lines().last().unwrap();
    assert!(
        last.starts_with("stress: 3000 posted on the loopback"),
        "{last}"
    );
    assert!(last.ends_with(", 0 discrepancies"), "{last}");
}

/// Each policy loses what it says, names it, and no more.
#[test]
fn stress_accounts_for_every_policy() {
    for policy in ["reject-newest", "drop-oldest", "latest-only", "block"] {
        let flood = stress(&format!(
            "--events 5000 --flood --queue 16 --overflow {policy}"
        ));
        assert_eq!(flood["posted"], 5000, "{policy}");
        if policy == "block" {
            assert_eq!(flood["lost"], 0, "producers wait");
        }
    }
    stress(
        "--events 5000 --subscribers 4 --flood --queue 8 --overflow reject-newest,drop-oldest,latest-only,block",
    );
    stress("--events 5000 --subscribers 4 --overflow block,latest-only,drop-oldest --producers 3");
    stress("--events 5000 --flood --queue 16 --batch 1 --overflow block");
}

/// Each fault, and all of them together: nobody else notices.
#[test]
fn stress_survives_faults() {
    let slow = stress("--events 5000 --fault slow-reader --subscribers 2");
    assert_eq!(slow["lost"], 0);
    let refused = stress("--events 5000 --fault small-sigpending --mode per-event");
    assert!(
        refused["subscribers"][0]["signals_refused"].as_u64() > Some(0),
        "{refused}"
    );
    let vanished = stress("--events 20000 --fault vanishing-subscriber");
    assert!(
        vanished["vanished"]["times"].as_u64() > Some(0),
        "{vanished}"
    );
    let died = stress("--events 20000 --fault dying-thread --producers 2");
    assert_eq!(died["subscribers"][1]["failovers"], 1, "{died}");
    assert_eq!(died["subscribers"][1]["lost"], 0);
    let forged = stress("--events 50000 --fault forged-signals --mode per-event");
    assert!(forged["forged"].as_u64() > Some(0), "{forged}");
    stress("--events 10000 --fault all --producers 2 --subscribers 2 --mode per-event,window");
    stress("--events 10000 --fault all --flood --queue 32 --overflow drop-oldest");
}

/// Ctrl-C, or the end of its time, stops the producers, not the account.
#[test]
fn stress_is_exact_when_it_is_stopped() {
    let account = stress("--events 1000000000000 --for 1s --subscribers 2 --producers 2");
    assert!(account["posted"].as_u64() > Some(0));
    let arguments = "stress --device loopback --events 1000000000000 --flood --queue 64 --json";
    let child = spawn(&mut command(arguments));
    // As soon as it catches signals: before, Ctrl-C ends it the usual way.
    let status = format!("/proc/{}/status", child.id());
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let text = std::fs::read_to_string(&status).unwrap();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
        let threads = text.lines().find_map(|line| line.strip_prefix("Threads:"));
        if caught & 2 != 0 && threads.unwrap().trim() != "1" {
            break;
        }
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    common::interrupt(&child, Signal::SIGINT);
    let output = finish(child);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(values(&output)[0]["discrepancies"], 0);
}

/// An event that is missing is found out: the status is not 0.
#[test]
fn stress_fails_when_something_is_missing() {
    let output = rtnotify("stress --device loopback --events 2000 --fault discard --json");
    let account = values(&output).pop().unwrap();
    assert_eq!(output.status.code(), Some(1), "{account}");
    assert!(account["discrepancies"].as_u64() > Some(0), "{account}");
    let error = err(&output);
    assert!(error.contains("after Some(99) comes 101 to 101"), "{error}");
    assert!(
        error.contains("delivered: 1999 seen, the device says 2000"),
        "{error}"
    );
}

#[test]
fn stress_shows_progress_on_a_terminal_only() {
    let arguments = "stress --device loopback --events 300000";
    // A slow machine's log gets a line now and then, but no bar.
    let log = err(&rtnotify(arguments));
    assert!(
        log.lines().all(|line| line.starts_with("stress: ")),
        "{log}"
    );
    assert!(!log.contains(['\r', '\x1b']), "{log}");
    let (status, shown) = Terminal::new(command(arguments), 100, 24).end();
    assert!(status.success(), "{shown}");
    assert!(shown.contains("of 300,000"), "{shown:?}");
    assert!(shown.contains(", 0 discrepancies"), "{shown:?}");
}
