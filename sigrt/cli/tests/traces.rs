// SPDX-License-Identifier: MIT OR Apache-2.0

//! `record` and `replay`: what arrived arrives again, and damage is found out.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{err, finish, json, out, rtnotify, spawn, values};
use serde_json::Value;
use sigrt::trace::{Entry, Reader};
use sigrt::{Delivery, Event};

fn record(directory: &Path, name: &str, what: &str) -> PathBuf {
    let path = directory.join(name);
    let output = rtnotify(&format!("record {what} -o {}", path.display()));
    assert!(output.status.success(), "{}", err(&output));
    path
}

fn events(path: &Path) -> Vec<Event> {
    Reader::new(&fs::read(path).unwrap()[..])
        .unwrap()
        .filter_map(|entry| match entry.unwrap() {
            Entry::Delivery(Delivery::Event(event)) => Some(event),
            _ => None,
        })
        .collect()
}

fn verify(path: &Path) -> (Option<i32>, Value, String) {
    let output = rtnotify(&format!("replay {} --verify --json", path.display()));
    let value = values(&output).first().cloned().unwrap_or_default();
    (output.status.code(), value, err(&output))
}

#[test]
fn what_is_recorded_is_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(directory.path(), "t.rtn", "--demo -n 700");
    let recorded = events(&path);
    let (status, account, _) = verify(&path);
    assert_eq!(status, Some(0));
    assert_eq!(account["events"], recorded.len());
    assert_eq!(account["notes"]["device"], "loopback");
    assert_eq!(account["sources"].as_array().unwrap().len(), 4);
    // The command compares what arrives with what it posts.
    let replay = format!("replay {} --device loopback --json", path.display());
    let line = &json(&format!("{replay} --fast --loop 3"))[0];
    assert_eq!(line["posted"], 3 * recorded.len());
    assert_eq!(line["received"], line["posted"]);
    assert_eq!(
        (&line["rounds"], &line["differences"]),
        (&3.into(), &0.into())
    );
    let text = out(&rtnotify(&format!("replay {} --verify", path.display())));
    assert!(text.contains("source     burst (user)"), "{text}");
}

/// Events keep their distances, divided by the factor.
#[test]
fn replay_keeps_the_timing() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(
        directory.path(),
        "t.rtn",
        "--device loopback --timer tick=20ms -n 21",
    );
    let recorded = events(&path);
    let length = recorded[20].time.as_secs_f64() - recorded[0].time.as_secs_f64();
    assert!(length >= 0.38, "{length}");
    for speed in [1.0, 4.0] {
        let line = &json(&format!(
            "replay {} --device loopback --speed {speed} --json",
            path.display()
        ))[0];
        assert_eq!(line["received"], 21);
        let took = line["took_seconds"].as_f64().unwrap();
        assert!(took >= length / speed, "{took} s at {speed}");
    }
}

#[test]
fn replay_renames_and_refuses_what_it_cannot() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(directory.path(), "t.rtn", "--demo door -n 2");
    let path = path.display();
    let line = &json(&format!(
        "replay {path} --fast --as door=gate --device loopback --json"
    ))[0];
    assert_eq!(line["received"], 2);
    let output = rtnotify(&format!("replay {path} --as gate=door --device loopback"));
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("no source \"gate\""));
    let output = rtnotify(&format!("replay {path} --existing --device loopback"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("no source \"door\""),
        "{}",
        err(&output)
    );
}

#[test]
fn record_does_not_overwrite_unless_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(directory.path(), "t.rtn", "--demo -n 1");
    let before = fs::read(&path).unwrap();
    let output = rtnotify(&format!("record --demo -n 1 -o {}", path.display()));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("--force replaces it"),
        "{}",
        err(&output)
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    record(directory.path(), "t.rtn", "--demo -n 3 --force");
    assert_eq!(events(&path).len(), 3);
    let line = &json("record --demo -n 5 -o /dev/null --force --json")[0];
    assert_eq!(line["events"], 5);
}

/// Gaps are recorded; they cannot be posted again, and that is said.
#[test]
fn losses_are_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(directory.path(), "t.rtn", "--demo burst --queue 4 -n 300");
    let (status, account, _) = verify(&path);
    assert_eq!(status, Some(0));
    let lost = account["lost"].as_u64().unwrap();
    assert!(lost > 0);
    let output = rtnotify(&format!(
        "replay {} --fast --device loopback",
        path.display()
    ));
    assert!(output.status.success());
    assert!(out(&output).contains(&format!("{lost} were lost when this was recorded")));
}

/// A recorder that is killed leaves a trace that is intact up to where it was.
#[test]
fn a_killed_recorder_leaves_what_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.rtn");
    let mut command = common::command(&format!("record --demo -o {}", path.display()));
    let mut child = spawn(&mut command);
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while fs::metadata(&path).map_or(0, |meta| meta.len()) < 20_000 {
        assert!(std::time::Instant::now() < deadline, "nothing is recorded");
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    child.kill().unwrap();
    finish(child);
    let (status, account, error) = verify(&path);
    assert_eq!(status, Some(1));
    assert!(error.contains("the trace ends early, at byte"), "{error}");
    assert!(account["events"].as_u64() > Some(50), "{account}");
    assert_eq!(account["damage"].as_array().unwrap().len(), 1);
}

#[test]
fn damage_is_found_and_the_rest_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(directory.path(), "t.rtn", "--demo adc -n 40");
    let good = fs::read(&path).unwrap();
    let all = events(&path).len() as u64;
    let hurt = directory.path().join("hurt.rtn");
    let check = |bytes: &[u8], says: &str, events: u64| {
        fs::write(&hurt, bytes).unwrap();
        let (status, account, error) = verify(&hurt);
        assert_eq!(status, Some(1), "{says}");
        assert!(error.contains(says), "{says}: {error}");
        assert_eq!(account["events"].as_u64().unwrap_or(0), events, "{says}");
    };
    check(b"", "not a trace", 0);
    check(b"something else altogether", "not a trace", 0);
    check(&good[..10], "ends early, at byte 0", 0);
    let mut newer = good.clone();
    newer[12] ^= 1;
    check(&newer, "the head of the trace is damaged", 0);
    check(&good[..good.len() - 1], "ends early", all);
    // An event of the ADC takes 12 + 56 + 16 + 4 bytes, the end 48.
    check(&good[..good.len() - 48 - 10], "ends early", all - 1);
    let mut body = good.clone();
    let at = body.len() - 48 - 10;
    body[at] ^= 0x40;
    check(&body, "is damaged: its content", all - 1);
    let mut head = good.clone();
    let at = head.len() - 48 - 88 + 4;
    head[at] ^= 1;
    check(&head, "is damaged: its head", all - 1);
    let without = [&good[..good.len() - 48 - 88], &good[good.len() - 48..]].concat();
    check(&without, "frames are missing", all - 1);
    check(&[&good[..], b"x"].concat(), "it follows the end", all);
    // What is intact is played all the same; the status says that it is not everything.
    fs::write(&hurt, &body).unwrap();
    let output = rtnotify(&format!(
        "replay {} --fast --device loopback --json",
        hurt.display()
    ));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(values(&output)[0]["received"], all - 1);
}

/// However much is wrong with a trace, only the first of it is shown; all of it is counted.
#[test]
fn complaints_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("undescribed.rtn");
    let device = sigrt::Device::loopback();
    let source = device
        .create_source(sigrt::SourceOptions::new("door"))
        .unwrap();
    let events = device.subscription().subscribe(&source).start().unwrap();
    let mut writer = sigrt::trace::Writer::new(fs::File::create(&path).unwrap()).unwrap();
    for _ in 0..500 {
        source.post(None, b"").unwrap();
        writer.delivery(&events.recv().unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let output = rtnotify(&format!("replay {} --verify --json", path.display()));
    assert_eq!(output.status.code(), Some(1));
    let account = &values(&output)[0];
    assert_eq!(account["damage_count"], 500);
    assert_eq!(account["damage"].as_array().unwrap().len(), 10);
    let text = err(&output);
    assert_eq!(text.lines().count(), 11, "{text}");
    assert!(text.trim_end().ends_with("and 490 more"), "{text}");
}

/// The time of an event is in its payload, and it begins later.
#[test]
fn replay_stamps_and_delays() {
    let directory = tempfile::tempdir().unwrap();
    let path = record(
        directory.path(),
        "t.rtn",
        "--device loopback --timer tick=5ms -n 4",
    );
    let recorded = events(&path);
    let start = std::time::Instant::now();
    let line = &json(&format!(
        "replay {} --device loopback --fast --stamp --delay 300ms --json",
        path.display()
    ))[0];
    assert!(start.elapsed().as_millis() >= 300);
    assert_eq!(line["received"], 4);
    assert_eq!(line["differences"], 0);
    // Recorded again, from a broker's device, payloads are the distances to the first event.
    let socket = directory.path().join("socket");
    let mut serve = spawn(&mut common::command(&format!(
        "serve --socket {}",
        socket.display()
    )));
    while !socket.exists() {
        assert!(serve.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let device = format!("--device {}", socket.display());
    let replay = spawn(&mut common::command(&format!(
        "replay {} --stamp --wait 1 {device}",
        path.display()
    )));
    let again = directory.path().join("again.rtn");
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !rtnotify(&format!("sources tick {device}")).status.success() {
        assert!(std::time::Instant::now() < deadline);
    }
    let output = rtnotify(&format!("record tick -n 4 {device} -o {}", again.display()));
    assert!(output.status.success(), "{}", err(&output));
    assert!(finish(replay).status.success());
    for (event, was) in events(&again).iter().zip(&recorded) {
        let stamp = u64::from_le_bytes(event.payload[..8].try_into().unwrap());
        assert_eq!(
            u128::from(stamp),
            was.time.saturating_sub(recorded[0].time).as_nanos()
        );
        assert_eq!(event.value, was.value);
    }
    serve.kill().unwrap();
    serve.wait().unwrap();
}
