// SPDX-License-Identifier: MIT OR Apache-2.0

//! The events of the examples as traces, for `rtnotify replay` to feed the programs through
//! the device: the sources are those of the maps beside them. `RTNOTIFY_BLESS=1` writes them.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use common::home;
use sigrt::trace::{Entry, Reader, Source, Writer};
use sigrt::{Delivery, Event, SourceType};

/// What the sources feed, and their names, from lines `device:NAME pin N` and `device:NAME vector N`.
fn sources(map: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for line in map.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [source, kind @ ("pin" | "vector"), number, ..] = words.as_slice() else {
            panic!("{line}");
        };
        let name = source.strip_prefix("device:").unwrap();
        let fed = format!("{kind} {number}");
        assert!(all.insert(fed, name.to_owned()).is_none());
    }
    all
}

/// Text in quotes, with the escapes of `models/replay.h`.
fn unquoted(text: &str) -> Vec<u8> {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let mut bytes = inner.unwrap_or_else(|| panic!("{text}")).bytes();
    let mut result = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            result.push(byte);
            continue;
        }
        result.push(match bytes.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b'e' => 27,
            b'x' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    result
}

/// What the lines `TIME pin N LEVEL` and the like say, from the sources of the map.
fn trace(map: &Path, events: &Path) -> Vec<u8> {
    let sources = sources(&fs::read_to_string(map).unwrap());
    let mut writer = Writer::new(Vec::new()).unwrap();
    let numbers: BTreeMap<&String, u32> = sources.keys().zip(1..).collect();
    for (fed, name) in &sources {
        let source = Source {
            number: numbers[fed],
            name: name.clone(),
            source_type: SourceType::User,
            max_payload: 64,
            period: None,
        };
        writer.source(&source).unwrap();
    }
    let named = |name: &str| {
        let found = sources.iter().find(|(_, n)| n.ends_with(name));
        found
            .unwrap_or_else(|| panic!("no source {name}"))
            .0
            .clone()
    };
    let mut posted: BTreeMap<u32, u64> = BTreeMap::new();
    let events = fs::read_to_string(events).unwrap();
    for (line, seq) in events.lines().filter(|l| !l.starts_with('#')).zip(1..) {
        let (time, what) = line.split_once(' ').unwrap();
        let (kind, rest) = what.split_once(' ').unwrap();
        let (fed, value, payload) = match kind {
            "pin" | "vector" => {
                let (number, value) = rest.split_once(' ').unwrap();
                let value = value.parse().unwrap();
                (format!("{kind} {number}"), Some(value), Vec::new())
            }
            "serial" => (named("serial"), None, unquoted(rest)),
            "key" => (named("keys"), None, unquoted(rest)),
            _ => panic!("{line}"),
        };
        let source = numbers[&fed];
        let source_seq = posted.entry(source).or_default();
        *source_seq += 1;
        let event = Event {
            seq,
            source,
            source_seq: *source_seq,
            kind: 0,
            time: Duration::from_micros(time.parse().unwrap()),
            value,
            cookie: 0,
            payload: payload.into(),
        };
        writer.delivery(&Delivery::Event(event)).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn traces_say_what_the_events_say() {
    for (name, events) in [
        ("arduino/pulse_width", "pulse_width"),
        ("arduino/quadrature", "quadrature"),
        // Those of the virtual one come too fast for real time.
        ("legacy/avr_stepper", "avr_stepper_device"),
        ("legacy/dos_terminal", "dos_terminal"),
        ("vxworks/serial", "serial"),
        ("wiringpi/flow_meter", "flow_meter"),
    ] {
        let example = home().join("examples").join(name);
        let events = example.with_file_name(events).with_extension("events");
        let wanted = trace(&example.with_extension("map"), &events);
        let path = example.with_extension("rtn");
        if std::env::var_os("RTNOTIFY_BLESS").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        let there = fs::read(&path).unwrap();
        assert!(there == wanted, "{name}: RTNOTIFY_BLESS=1 writes it");
        let entries: Result<Vec<Entry>, _> = Reader::new(there.as_slice()).unwrap().collect();
        assert!(matches!(entries.unwrap().last(), Some(Entry::End(totals)) if totals.events > 5));
    }
}
