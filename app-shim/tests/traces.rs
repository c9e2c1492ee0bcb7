// SPDX-License-Identifier: MIT OR Apache-2.0

//! The events of the examples for Arduino and wiringPi as traces, for `rtnotify replay` to feed the programs through
//! the device: the sources are those of the maps beside them. `RTNOTIFY_BLESS=1` writes them.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use common::home;
use sigrt::trace::{Entry, Reader, Source, Writer};
use sigrt::{Delivery, Event, SourceType};

/// Pins and the sources that feed them, from lines `device:NAME pin N`.
fn sources(map: &str) -> BTreeMap<u32, String> {
    let mut all = BTreeMap::new();
    for line in map.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [source, "pin", pin] = words.as_slice() else {
            panic!("{line}");
        };
        let name = source.strip_prefix("device:").unwrap();
        assert!(all.insert(pin.parse().unwrap(), name.to_owned()).is_none());
    }
    all
}

/// What the lines `TIME pin N LEVEL` say, from the sources of the map.
fn trace(example: &Path) -> Vec<u8> {
    let sources = sources(&fs::read_to_string(example.with_extension("map")).unwrap());
    let mut writer = Writer::new(Vec::new()).unwrap();
    let numbers: BTreeMap<u32, u32> = sources.keys().copied().zip(1..).collect();
    for (pin, name) in &sources {
        let source = Source {
            number: numbers[pin],
            name: name.clone(),
            source_type: SourceType::User,
            max_payload: 64,
            period: None,
        };
        writer.source(&source).unwrap();
    }
    let mut posted: BTreeMap<u32, u64> = BTreeMap::new();
    let events = fs::read_to_string(example.with_extension("events")).unwrap();
    for (line, seq) in events.lines().filter(|l| !l.starts_with('#')).zip(1..) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [time, "pin", pin, level] = words.as_slice() else {
            panic!("{line}");
        };
        let source = numbers[&pin.parse().unwrap()];
        let source_seq = posted.entry(source).or_default();
        *source_seq += 1;
        let event = Event {
            seq,
            source,
            source_seq: *source_seq,
            kind: 0,
            time: Duration::from_micros(time.parse().unwrap()),
            value: Some(level.parse().unwrap()),
            cookie: 0,
            payload: Vec::new().into(),
        };
        writer.delivery(&Delivery::Event(event)).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn traces_say_what_the_events_say() {
    for name in [
        "arduino/pulse_width",
        "arduino/quadrature",
        "wiringpi/flow_meter",
    ] {
        let example = home().join("examples").join(name);
        let wanted = trace(&example);
        let path = example.with_extension("rtn");
        if std::env::var_os("RTNOTIFY_BLESS").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        let there = fs::read(&path).unwrap();
        assert!(there == wanted, "{name}: RTNOTIFY_BLESS=1 writes it");
        let entries: Result<Vec<Entry>, _> = Reader::new(there.as_slice()).unwrap().collect();
        assert!(matches!(entries.unwrap().last(), Some(Entry::End(totals)) if totals.events > 50));
    }
}
