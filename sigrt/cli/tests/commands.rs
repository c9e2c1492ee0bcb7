// SPDX-License-Identifier: MIT OR Apache-2.0

//! `doctor`, `sources`, `watch`, `post`, `call` and `stats`, on the loopback.

mod common;

use common::{err, json, out, rtnotify, rtnotify_with, values};
use serde_json::Value;

#[test]
fn doctor_says_what_works_and_how_to_mend_the_rest() {
    let output = rtnotify("doctor --json --device /no/such/device");
    let findings = values(&output);
    let finding = |check: &str| -> &Value {
        let found = findings.iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("{check} is not checked"))
    };
    for check in [
        "loopback",
        "loopback speed",
        "sending signals",
        "signal numbers",
    ] {
        assert_eq!(finding(check)["state"], "ok", "{}", finding(check));
    }
    let speed = finding("loopback speed")["found"].as_str().unwrap();
    assert!(speed.contains("events/s"), "{speed}");
    for check in [
        "kernel",
        "module",
        "group",
        "queued signals",
        "real-time priority",
        "pidfd",
        "/proc",
        "ptrace scope",
        "seccomp",
        "container",
    ] {
        let finding = finding(check);
        assert!(!finding["found"].as_str().unwrap().is_empty());
        assert_eq!(
            finding["mend"].is_null(),
            finding["state"] == "ok",
            "{finding}"
        );
    }
    assert_eq!(finding("device")["state"], "bad");
    assert_eq!(finding("device node")["state"], "bad");
    assert_eq!(output.status.code(), Some(1), "something is bad");
    let plain = rtnotify("doctor --device /no/such/device");
    assert!(out(&plain).contains("→ load the module"), "{}", out(&plain));
}

/// A regular file is no device, and that is said rather than opened and believed.
#[test]
fn doctor_is_not_fooled_by_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = rtnotify(&format!("doctor --json --device {}", file.path().display()));
    let node = values(&output);
    let node = node.iter().find(|f| f["check"] == "device node").unwrap();
    assert_eq!(node["state"], "bad");
    assert!(
        node["found"]
            .as_str()
            .unwrap()
            .contains("no character device")
    );
}

#[test]
fn sources_are_listed_by_name_number_and_pattern() {
    let all = json("sources --demo --json");
    let names: Vec<_> = all
        .iter()
        .map(|info| info["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["adc", "door", "burst", "tick"]);
    assert_eq!(all[3]["type"], "timer");
    assert_eq!(all[3]["writable"], false);
    assert_eq!(all[3]["period_ns"], 10_000_000);
    let some = json("sources --demo --json a* 2 door");
    let names: Vec<_> = some
        .iter()
        .map(|info| info["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["adc", "door"], "each once");
    let table = out(&rtnotify("sources --demo"));
    assert!(
        table.lines().count() == 5 && table.contains("10ms"),
        "{table}"
    );
}

#[test]
fn watch_prints_what_a_timer_says() {
    let output = rtnotify("watch --json --device loopback --timer tick=1ms -n 5 --timeout 60s");
    assert!(output.status.success(), "{}", err(&output));
    let lines = values(&output);
    for (n, value) in lines.iter().enumerate() {
        assert_eq!(value["event"]["seq"], n + 1);
        assert_eq!(value["event"]["name"], "tick");
    }
    assert_eq!(lines.len(), 5);
    assert!(err(&output).contains(" posted, "), "{}", err(&output));
}

#[test]
fn watch_gives_up_when_asked_to() {
    let output = rtnotify("watch --device loopback --create quiet --timeout 20ms");
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("nothing arrived for 20ms"));
    let output = rtnotify("watch --device loopback --create quiet --for 20ms");
    assert_eq!(output.status.code(), Some(0), "that is no failure");
}

/// What does not pass a filter is neither shown nor lost.
#[test]
fn watch_filters_by_source_kind_and_value() {
    // A door is opened with kind 2 and value 1, closed with kind 1 and value 0.
    for (filter, kind, value) in [
        ("--kind 2", 2, 1),
        ("--value 0", 1, 0),
        ("--kind 1..1", 1, 0),
    ] {
        for line in json(&format!("watch --demo do?r {filter} -n 3 --json")) {
            assert_eq!(line["event"]["name"], "door");
            assert_eq!(line["event"]["kind"], kind, "{filter}");
            assert_eq!(line["event"]["value"], value, "{filter}");
        }
    }
    for line in json("watch --demo adc --value 0x40/0x40 -n 20 --json") {
        assert_eq!(line["event"]["value"].as_u64().unwrap() & 0x40, 0x40);
    }
    let output = rtnotify("watch --demo door --kind 2 -n 2");
    assert!(
        err(&output).ends_with("2 posted, 2 received, 0 queued, 0 lost\n"),
        "{}",
        err(&output)
    );
}

#[test]
fn watch_shows_payloads_as_asked() {
    let door = |how: &str| {
        out(&rtnotify(&format!(
            "watch --demo door -n 1 --payload {how}"
        )))
    };
    assert!(
        door("json").contains("15: {\"door\":\"open\"}"),
        "{}",
        door("json")
    );
    assert!(
        door("text").contains(r#"15: "{\"door\":\"open\"}""#),
        "{}",
        door("text")
    );
    assert!(door("hex").contains("15: 7b22646f"), "{}", door("hex"));
    assert!(door("none").contains("15: …"), "{}", door("none"));
    let value = &json("watch --demo door -n 1 --payload json --json")[0]["event"];
    assert_eq!(value["payload_json"]["door"], "open");
    assert_eq!(value["payload_hex"].as_str().unwrap().len(), 30);
    let value = &json("watch --demo door -n 1 --payload text --json")[0]["event"];
    assert_eq!(value["payload_text"], "{\"door\":\"open\"}");
}

#[test]
fn watch_shows_times_as_asked() {
    let second = |clock: &str| -> String {
        let output = rtnotify(&format!("watch --demo door -n 2 --time {clock}"));
        let text = out(&output);
        let line = text.lines().last().unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let number = |text: &str| text.parse::<f64>().unwrap();
    let monotonic = number(&second("monotonic"));
    let relative = number(&second("relative"));
    assert!(relative.abs() < 120.0 && relative < monotonic, "{relative}");
    let delta = second("delta");
    assert!(delta.starts_with('+') && number(&delta) < 120.0, "{delta}");
    let day = second("absolute");
    assert!(
        day.starts_with("20") && day.ends_with('Z') && day.len() == 27,
        "{day}"
    );
    let event = &json("watch --demo door -n 1 --json")[0]["event"];
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let unix = event["unix_ns"].as_u64().unwrap();
    let age = now.as_nanos().abs_diff(u128::from(unix));
    assert!(age < 120_000_000_000, "{age} ns ago");
}

/// What is lost is shown in its place, and counted.
#[test]
fn watch_shows_what_is_lost() {
    let lines = json("watch --demo burst --queue 4 -n 500 --json");
    let gaps = lines.iter().filter_map(|line| line.get("gap"));
    let lost: u64 = gaps.map(|gap| gap["count"].as_u64().unwrap()).sum();
    let mut next = 1;
    for line in &lines {
        let (first, last) = match line.get("event") {
            Some(event) => (&event["source_seq"], &event["source_seq"]),
            None => (&line["gap"]["first"], &line["gap"]["last"]),
        };
        assert_eq!(first.as_u64(), Some(next), "{line}");
        next = last.as_u64().unwrap() + 1;
    }
    assert!(lost > 0, "a queue of 4 takes bursts of 200");
}

#[test]
fn post_takes_its_payload_from_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("payload");
    std::fs::write(&file, [7; 1000]).unwrap();
    for payload in [
        "knock".to_owned(),
        "--hex 00ff".to_owned(),
        format!("--file {}", file.display()),
        String::new(),
    ] {
        let line = &json(&format!(
            "post door --create --device loopback --json {payload}"
        ))[0];
        assert_eq!(
            (&line["posted"], &line["received"]),
            (&1.into(), &1.into()),
            "{payload}"
        );
    }
    let output = rtnotify_with(
        "post door --create --device loopback --json --file -",
        b"in",
    );
    assert_eq!(values(&output)[0]["received"], 1);
}

#[test]
fn post_repeats_at_a_rate() {
    let line = &json("post door x --create --device loopback --json -n 5000")[0];
    assert_eq!(line["received"], 5000);
    let line = &json("post door x --create --device loopback --json -n 21 --rate 100")[0];
    assert_eq!(line["received"], 21);
    let seconds = line["seconds"].as_f64().unwrap();
    assert!(seconds >= 0.2, "20 pauses of 10 ms took {seconds} s");
}

#[test]
fn call_says_who_answers() {
    let output = rtnotify("call edu --hex 05000000 --device loopback");
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("use the module's device"));
}

#[test]
fn stats_of_what_is_watched_balance() {
    let lines = json("stats --demo --for 500ms --json");
    let client = &lines[0]["client"];
    let count = |name: &str| client["counters"][name].as_u64().unwrap();
    assert!(count("posted") > 0);
    assert_eq!(client["balanced"], true);
    assert_eq!(
        count("posted"),
        count("consumed") + count("queued") + client["lost"].as_u64().unwrap()
    );
    let late = &lines[1]["latency"];
    let columns: u64 = late["log2_us"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_u64().unwrap())
        .sum();
    assert_eq!(late["events"].as_u64(), Some(columns));
    let table = out(&rtnotify(
        "stats --timer tick=1ms --for 100ms --device loopback",
    ));
    assert!(
        table.contains("this command") && table.contains("tick"),
        "{table}"
    );
}

/// Counters of the module, as its debugfs shows them.
#[test]
fn stats_of_a_host_are_read_from_debugfs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let output = rtnotify(&format!("stats --debugfs {path}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("has no `clients`"));
    let line = "client=7 pid=4194304 uid=0 state=registered,refused sources=1 subscriptions=2 \
                posted=10 consumed=5 queued=2 lost_queue_full=3 signals_sent=4\n";
    std::fs::write(directory.path().join("clients"), line).unwrap();
    let client = &json(&format!("stats --debugfs {path} --json"))[0]["client"];
    assert_eq!(client["name"], "[4194304] #7");
    assert_eq!(
        (&client["lost"], &client["balanced"]),
        (&3.into(), &true.into())
    );
    assert_eq!(client["counters"]["signals_sent"], 4);
    // What does not balance is a failure.
    std::fs::write(
        directory.path().join("clients"),
        line.replace("posted=10", "posted=11"),
    )
    .unwrap();
    let output = rtnotify(&format!("stats --debugfs {path}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("11 posted is not 5 consumed + 2 queued + 3 lost"),
        "{}",
        err(&output)
    );
}
