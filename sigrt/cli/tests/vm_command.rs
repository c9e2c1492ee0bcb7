// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command on the module's device, in the guest: with other processes at the other end, drivers that answer, and
//! the counters of every open file.

mod common;

use std::process::Child;
use std::time::{Duration, Instant};

use common::{
    Terminal, command, err, finish, finish_within, interrupt, json, out, rtnotify, spawn, values,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Starts a command that creates `source` and listens to it, and waits until it does.
fn listener(arguments: &str, source: &str) -> Child {
    let mut child = spawn(&mut command(arguments));
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let listed = json("sources --json");
        let found = listed.iter().find(|info| info["name"] == source);
        if found.is_some_and(|info| info["subscribers"].as_u64() > Some(0)) {
            return child;
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "{arguments}: {}", err(&finish(child)));
        assert!(Instant::now() < deadline, "{arguments}: does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn doctor_finds_nothing_bad() {
    let output = rtnotify("doctor --json");
    for finding in values(&output) {
        assert_ne!(finding["state"], "bad", "{finding}");
        if ["module", "device", "device node", "kernel"]
            .contains(&finding["check"].as_str().unwrap())
        {
            assert_eq!(finding["state"], "ok", "{finding}");
        }
    }
    assert!(output.status.success(), "{}", err(&output));
}

#[test]
fn what_one_posts_another_watches() {
    let watch = listener(
        "watch --create vm-door --json -n 300 --timeout 60s",
        "vm-door",
    );
    let info = &json("sources vm-door --json")[0];
    assert_eq!(
        (&info["type"], &info["writable"]),
        (&"user".into(), &true.into())
    );
    let line = &json("post vm-door knock --kind 3 --value 9 -n 300 --json")[0];
    assert_eq!(line["posted"], 300);
    let output = finish(watch);
    assert!(output.status.success(), "{}", err(&output));
    let lines = values(&output);
    assert_eq!(lines.len(), 300);
    for (n, line) in lines.iter().enumerate() {
        let event = &line["event"];
        assert_eq!(event["source_seq"], n + 1, "{line}");
        assert_eq!(
            (&event["kind"], &event["value"]),
            (&3.into(), &9.into()),
            "{line}"
        );
        assert_eq!(event["payload_hex"], "6b6e6f636b", "{line}");
    }
    let account = "300 posted, 300 received, 0 queued, 0 lost\n";
    assert!(err(&output).ends_with(account), "{}", err(&output));
}

#[test]
fn timers_of_the_kernel_are_watched() {
    let lines = json("watch --timer vm-tick=1ms -n 50 --timeout 60s --mode per-event --json");
    let ticks: Vec<_> = lines
        .iter()
        .map(|line| line["event"]["source_seq"].as_u64())
        .collect();
    assert_eq!(ticks, (1..=50).map(Some).collect::<Vec<_>>());
}

#[test]
fn drivers_answer_calls() {
    let answer = |n: u32| {
        let hex: String = n
            .to_le_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        json(&format!("call edu --hex {hex} --json"))[0]["answer_hex"].clone()
    };
    assert_eq!(answer(5), "78000000");
    assert_eq!(answer(10), "005f3700");
    let output = rtnotify("call edu --hex 0102");
    assert_eq!(
        output.status.code(),
        Some(1),
        "that is no number of 32 bits"
    );
    assert!(err(&output).contains("edu"), "{}", err(&output));
}

/// A driver's interrupts, as the command shows them.
#[test]
fn interrupts_of_a_device_are_watched() {
    let watch = listener("watch edu --json -n 3 --timeout 60s", "edu");
    for n in 3..6 {
        // A name for the question, and the number of which the factorial is wanted.
        json(&format!("post edu --hex 070000000{n}000000 --json"));
    }
    let output = finish(watch);
    assert!(output.status.success(), "{}", err(&output));
    let answers: Vec<_> = values(&output)
        .iter()
        .map(|line| line["event"]["payload_hex"].clone())
        .collect();
    let wanted = [
        "070000000300000006000000",
        "070000000400000018000000",
        "070000000500000078000000",
    ];
    assert_eq!(answers, wanted);
}

#[test]
fn stats_show_every_open_file() {
    let watch = listener(
        "watch --create vm-counted --json -n 40 --timeout 60s",
        "vm-counted",
    );
    let pid = watch.id();
    json("post vm-counted x -n 30 --json");
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let lines = json("stats --json");
        let of_source = lines.iter().filter_map(|line| line.get("source"));
        assert!(
            of_source.clone().any(|s| s["name"] == "vm-counted"),
            "{lines:?}"
        );
        // The command has one more file open, for the source that it has created.
        let mut clients = lines.iter().filter_map(|line| line.get("client"));
        let client = clients
            .find(|c| c["pid"] == pid && c["counters"]["subscriptions"] == 1)
            .unwrap_or_else(|| panic!("no client of {pid}: {lines:?}"));
        assert_eq!(client["balanced"], true, "{client}");
        assert_eq!(client["counters"]["posted"], 30, "{client}");
        if client["counters"]["consumed"] == 30 {
            break;
        }
        assert!(Instant::now() < deadline, "{client}");
    }
    json("post vm-counted x -n 10 --json");
    assert!(finish(watch).status.success());
}

#[test]
fn top_shows_who_listens() {
    let watch = listener("watch --create vm-top --queue 8 --payload none", "vm-top");
    let pid = watch.id();
    let text = out(&rtnotify("top --once --interval 200ms"));
    assert!(
        text.contains("vm-top") && text.contains(&pid.to_string()),
        "{text}"
    );
    // On a terminal, until a key is pressed.
    let mut terminal = Terminal::new(command("top --interval 200ms"), 120, 30);
    terminal.expect("vm-top");
    terminal.press("q");
    assert_eq!(terminal.end().0.code(), Some(0));
    interrupt(&watch, Signal::SIGINT);
    assert!(finish(watch).status.success());
}

/// What was recorded from the device, timing and losses included, is posted to it again and arrives as it was.
#[test]
fn what_is_recorded_is_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.rtn");
    let path = path.display();
    let record = listener(
        &format!("record --create vm-trace -n 200 -o {path} --json"),
        "vm-trace",
    );
    json("post vm-trace once-upon-a-time -n 200 --json");
    let output = finish(record);
    assert!(output.status.success(), "{}", err(&output));
    let verified = &json(&format!("replay {path} --verify --json"))[0];
    assert_eq!(verified["events"], 200);
    assert_eq!(verified["notes"]["device"], "device", "{verified}");
    let line = &json(&format!("replay {path} --fast --check --json --loop 2"))[0];
    assert_eq!(
        (&line["posted"], &line["received"], &line["differences"]),
        (&400.into(), &400.into(), &0.into()),
        "{line}"
    );
    // And to somebody else, who is waited for.
    let again = directory.path().join("again.rtn");
    let again = again.display();
    let record = listener(
        &format!("record --create vm-again -n 200 -o {again} --json"),
        "vm-again",
    );
    let line = &json(&format!(
        "replay {path} --as vm-trace=vm-again --existing --wait 1 --fast --json"
    ))[0];
    assert_eq!(line["posted"], 200, "{line}");
    assert!(finish(record).status.success());
    let verified = &json(&format!("replay {again} --verify --json"))[0];
    assert_eq!(verified["events"], 200);
}

fn stress(arguments: &str) -> Value {
    let mut child = command(&format!("stress --device /dev/rtnotify --json {arguments}"));
    // The guest is emulated, and may have to share its processors.
    let output = finish_within(spawn(&mut child), Duration::from_mins(9));
    let account = values(&output).pop().unwrap_or_default();
    let why = err(&output);
    assert!(output.status.success(), "{arguments}: {account} {why}");
    assert_eq!(account["discrepancies"], 0, "{arguments}: {account}");
    account
}

#[test]
fn stress_accounts_for_every_policy_and_mode() {
    for policy in ["reject-newest", "drop-oldest", "latest-only", "block"] {
        let flood = stress(&format!(
            "--events 3000 --flood --queue 16 --overflow {policy}"
        ));
        assert_eq!(flood["posted"], 3000, "{policy}");
        if policy == "block" {
            assert_eq!(flood["lost"], 0, "producers wait");
        }
    }
    for mode in ["per-event", "window", "coalesced"] {
        let account = stress(&format!(
            "--events 3000 --mode {mode} --producers 2 --subscribers 2"
        ));
        assert_eq!(account["lost"], 0, "{mode}");
    }
}

#[test]
fn stress_survives_faults() {
    for fault in [
        "slow-reader",
        "small-sigpending --mode per-event",
        "vanishing-subscriber",
        "forged-signals",
        "dying-thread",
        "all --producers 2 --subscribers 2",
    ] {
        stress(&format!("--events 3000 --fault {fault}"));
    }
    stress("--events 3000 --sigpending 0");
}

/// Long enough for whatever happens once in a hundred thousand events.
#[test]
fn stress_of_a_million_slow() {
    let account = stress("--events 1000000 --producers 2 --patience 60s");
    assert_eq!(
        (&account["posted"], &account["lost"]),
        (&1_000_000.into(), &0.into())
    );
}
