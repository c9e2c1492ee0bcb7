// SPDX-License-Identifier: MIT OR Apache-2.0

//! Feeds a legacy program through the module's device: creates the sources that a map names, and posts a list of events
//! to them at their times.
//!
//! `cargo run -p app-shim --example feed_legacy -- MAP EVENTS`, with the files of `examples/legacy`. It says `ready` when
//! the sources are there; then the program is started with `APP_SHIM_MAP=MAP`; a line on standard input begins the
//! events, its end ends the sources.

use std::collections::HashMap;
use std::error::Error;
use std::io::BufRead;
use std::time::{Duration, Instant};

use sigrt::{Device, Source, SourceOptions};

/// What happens: to which pin or vector, with which value and bytes.
struct Event {
    time: Duration,
    target: (String, u32),
    value: Option<u64>,
    bytes: Vec<u8>,
}

/// Lines without comments and what is empty.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
}

/// The sources of a map by what they feed: `pin` or `vector` and its number.
fn sources(device: &Device, map: &str) -> Result<HashMap<(String, u32), Source>, Box<dyn Error>> {
    let mut found = HashMap::new();
    for line in lines(map) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [source, kind, number, ..] = words[..] else {
            return Err(format!("not an entry: {line}").into());
        };
        let name = source
            .strip_prefix("device:")
            .ok_or_else(|| format!("not of the device: {line}"))?;
        let source = device.create_source(SourceOptions::new(name))?;
        found.insert((kind.to_owned(), number.parse()?), source);
    }
    Ok(found)
}

fn unescape(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let byte = match c {
            '"' => break,
            '\\' => match rest.next().ok_or("a text ends in \\")? {
                'r' => b'\r',
                'n' => b'\n',
                'e' => 27,
                'x' => {
                    let digits: String = rest.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16)?
                }
                other => u8::try_from(other)?,
            },
            other => u8::try_from(other)?,
        };
        bytes.push(byte);
    }
    Ok(bytes)
}

fn event(line: &str) -> Result<Event, Box<dyn Error>> {
    let (time, rest) = line.split_once(' ').ok_or("no event")?;
    let (kind, rest) = rest.trim().split_once(' ').ok_or("no event")?;
    let time = Duration::from_micros(time.parse()?);
    let event = |target, value, bytes| Event {
        time,
        target,
        value,
        bytes,
    };
    Ok(match kind {
        "serial" | "key" => {
            let text = rest.trim().strip_prefix('"').ok_or("no text")?;
            event((kind.to_owned(), 0), None, unescape(text)?)
        }
        _ => {
            let (number, value) = rest.trim().split_once(' ').unwrap_or((rest.trim(), "0"));
            let target = (kind.to_owned(), number.parse()?);
            event(target, Some(value.trim().parse()?), Vec::new())
        }
    })
}

/// The models' vectors for bytes of a line and for keys.
const LINES: [u32; 2] = [146, 241];
const KEYS: u32 = 240;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [map, events] = &files[..] else {
        return Err("usage: feed_legacy MAP EVENTS".into());
    };
    let events = lines(&std::fs::read_to_string(events)?)
        .map(|line| event(line).map_err(|why| format!("{line}: {why}").into()))
        .collect::<Result<Vec<Event>, Box<dyn Error>>>()?;
    let device = Device::open_default()?;
    let sources = sources(&device, &std::fs::read_to_string(map)?)?;
    let vector = |n: u32| sources.get(&("vector".to_owned(), n));

    println!("ready");
    let mut input = std::io::stdin().lock();
    input.read_line(&mut String::new())?;
    let begin = Instant::now();
    for event in events {
        let source = match event.target.0.as_str() {
            "serial" => LINES.iter().find_map(|&n| vector(n)),
            "key" => vector(KEYS),
            _ => sources.get(&event.target),
        };
        let source = source.ok_or_else(|| format!("the map has no {:?}", event.target))?;
        std::thread::sleep(event.time.saturating_sub(begin.elapsed()));
        source.post(event.value, &event.bytes)?;
    }
    // The sources stay until whoever started this has seen the program end.
    input.read_line(&mut String::new())?;
    Ok(())
}
