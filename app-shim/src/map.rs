// SPDX-License-Identifier: MIT OR Apache-2.0

//! Maps: which source feeds which vector or pin, as text.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Failure};
use crate::pins::{Edge, PINS};
use crate::vectors::{PRIORITY_MAX, VECTORS};

/// Where events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    Device(String),
    Loopback(String),
    Timer(u64),
    Signal(i32),
    Fd(i32),
    File(String),
    Gpio(Line),
}

/// A GPIO line of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// By the name that its board gives it.
    Named(String),
    /// By its number on a chip.
    Numbered { chip: PathBuf, offset: u32 },
}

/// What pulls a GPIO line while nothing drives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pull {
    None,
    Up,
    Down,
}

/// A line of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) feed: Feed,
    pub(crate) vector: Option<u32>,
    pub(crate) pin: Option<u32>,
    pub(crate) priority: Option<u32>,
    pub(crate) edge: Option<Edge>,
    pub(crate) pull: Option<Pull>,
    pub(crate) active_low: bool,
    /// Payloads begin with the event's time: see [`crate::feed`].
    pub(crate) stamped: bool,
}

impl Entry {
    /// Whether its events happen at times that virtual time knows nothing of.
    pub(crate) fn is_a_source_in_real_time(&self) -> bool {
        !matches!(self.feed, Feed::Timer(_) | Feed::Loopback(_))
    }
}

/// Reads a map.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for part in line.split(';') {
            let mut words = part.split_whitespace();
            let Some(source) = words.next() else {
                continue;
            };
            let entry = entry(source, words).map_err(|why| {
                Failure::new(
                    Error::Map,
                    format!("line {}: {}: {why}", index + 1, part.trim()),
                )
            })?;
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn entry<'a>(source: &str, mut words: impl Iterator<Item = &'a str>) -> Result<Entry, String> {
    let mut entry = Entry {
        feed: feed(source)?,
        vector: None,
        pin: None,
        priority: None,
        edge: None,
        pull: None,
        active_low: false,
        stamped: false,
    };
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{word} wants a word after it"))?;
        let number = |least: u32, most: u32| {
            value
                .parse()
                .ok()
                .filter(|n| (least..=most).contains(n))
                .ok_or_else(|| format!("{word} must be {least} to {most}"))
        };
        match word {
            "vector" => entry.vector = Some(number(0, VECTORS as u32 - 1)?),
            "pin" => entry.pin = Some(number(0, PINS as u32 - 1)?),
            "priority" => entry.priority = Some(number(1, PRIORITY_MAX)?),
            "edge" => entry.edge = Some(edge(value)?),
            "pull" => entry.pull = Some(pull(value)?),
            "time" => entry.stamped = stamped(value)?,
            "active" => entry.active_low = active_low(value)?,
            _ => return Err(format!("{word} means nothing here")),
        }
    }
    if entry.vector.is_none() && entry.pin.is_none() {
        return Err("it feeds neither a vector nor a pin".to_owned());
    }
    let is_gpio = matches!(entry.feed, Feed::Gpio(_));
    let has_levels = is_gpio || matches!(entry.feed, Feed::Device(_) | Feed::Loopback(_));
    if entry.pin.is_some() && !has_levels {
        return Err("only device:, loopback: and gpio: have levels for a pin".to_owned());
    }
    if !is_gpio && (entry.pull.is_some() || entry.active_low) {
        return Err("pull and active belong to gpio:".to_owned());
    }
    if entry.stamped && !matches!(entry.feed, Feed::Device(_) | Feed::Loopback(_)) {
        return Err("only device: and loopback: have payloads that begin with a time".to_owned());
    }
    if entry.vector.is_none() && (entry.priority.is_some() || entry.edge.is_some()) {
        return Err("priority and edge belong to a vector".to_owned());
    }
    if entry.pin.is_none() && entry.edge.is_some() {
        if !is_gpio {
            return Err("edge belongs to a pin".to_owned());
        }
        if !matches!(
            entry.edge,
            Some(Edge::Rising | Edge::Falling | Edge::Change)
        ) {
            return Err("without a pin, edge is rising, falling or change".to_owned());
        }
    }
    Ok(entry)
}

fn feed(source: &str) -> Result<Feed, String> {
    let (kind, name) = source
        .split_once(':')
        .filter(|(_, name)| !name.is_empty())
        .ok_or_else(|| format!("{source} is not of the form KIND:NAME"))?;
    Ok(match kind {
        "device" => Feed::Device(name.to_owned()),
        "loopback" => Feed::Loopback(name.to_owned()),
        "timer" => Feed::Timer(period(name)?),
        "signal" => Feed::Signal(signal(name)?),
        "fd" => Feed::Fd(
            name.parse()
                .ok()
                .filter(|fd| *fd >= 0)
                .ok_or_else(|| format!("{name} is no descriptor"))?,
        ),
        "file" => Feed::File(name.to_owned()),
        "gpio" => Feed::Gpio(line(name)),
        _ => return Err(format!("{kind} is no kind of source")),
    })
}

fn edge(word: &str) -> Result<Edge, String> {
    Ok(match word {
        "none" => Edge::None,
        "rising" => Edge::Rising,
        "falling" => Edge::Falling,
        "change" => Edge::Change,
        "low" => Edge::Low,
        "high" => Edge::High,
        _ => return Err(format!("{word} is no edge")),
    })
}

fn pull(word: &str) -> Result<Pull, String> {
    Ok(match word {
        "none" => Pull::None,
        "up" => Pull::Up,
        "down" => Pull::Down,
        _ => return Err(format!("pull is up, down or none, not {word}")),
    })
}

fn active_low(word: &str) -> Result<bool, String> {
    match word {
        "low" => Ok(true),
        "high" => Ok(false),
        _ => Err(format!("active is low or high, not {word}")),
    }
}

fn stamped(word: &str) -> Result<bool, String> {
    match word {
        "payload" => Ok(true),
        "device" => Ok(false),
        _ => Err(format!(
            "time is of the device or of the payload, not {word}"
        )),
    }
}

/// `CHIP/NUMBER` or a name.
fn line(text: &str) -> Line {
    let numbered = text
        .rsplit_once('/')
        .and_then(|(chip, number)| Some((chip, number.parse().ok()?)));
    match numbered {
        Some((chip, offset)) => Line::Numbered {
            chip: Path::new("/dev").join(chip),
            offset,
        },
        None => Line::Named(text.to_owned()),
    }
}

fn period(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let unit = match unit {
        "ns" => Duration::from_nanos(1),
        "us" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        _ => return Err(format!("{text} has none of the units ns, us, ms, s")),
    };
    let ns = digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(unit.as_nanos() as u64));
    ns.filter(|ns| *ns >= 1000)
        .ok_or_else(|| format!("{text} is not at least 1us"))
}

fn signal(name: &str) -> Result<i32, String> {
    let bad = || format!("{name} is no signal that can be used");
    let number = if let Ok(number) = name.parse::<i32>() {
        number
    } else if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset = match offset.strip_prefix('+') {
            Some(offset) => offset.parse::<i32>().map_err(|_| bad())?,
            None if offset.is_empty() => 0,
            None => return Err(bad()),
        };
        sigrt::sys::sigrtmin().saturating_add(offset)
    } else {
        format!("SIG{}", name.trim_start_matches("SIG"))
            .parse::<nix::sys::signal::Signal>()
            .map_err(|_| bad())? as i32
    };
    let unusable = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGCONT,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGSYS,
        libc::SIGABRT,
        32,
        33,
    ];
    if unusable.contains(&number) || !(1..=sigrt::sys::sigrtmax()).contains(&number) {
        return Err(bad());
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read() {
        let entries = parse(
            "# comment\n\
             device:uart0  vector 4 priority 5\n\
             timer:10ms vector 8; signal:USR1 vector 2   # both\n\
             loopback:a pin 3 vector 9 edge rising time payload\n\
             file:/tmp/x vector 3\nfd:0 vector 255\nsignal:RTMIN+1 vector 0\n\
             gpio:gpiochip0/17 pin 2 pull up active low\ngpio:DOOR vector 7 edge falling\n\
             gpio:/tmp/chip/0 vector 7",
        )
        .unwrap();
        assert_eq!(entries.len(), 10);
        assert_eq!(entries[0].feed, Feed::Device("uart0".to_owned()));
        assert!(entries[3].stamped && !entries[0].stamped);
        assert_eq!((entries[0].vector, entries[0].priority), (Some(4), Some(5)));
        assert_eq!(entries[1].feed, Feed::Timer(10_000_000));
        assert_eq!(entries[2].feed, Feed::Signal(libc::SIGUSR1));
        assert_eq!(entries[3].edge, Some(Edge::Rising));
        assert_eq!(entries[6].feed, Feed::Signal(libc::SIGRTMIN() + 1));
        let numbered = |chip: &str, offset| {
            let chip = chip.into();
            Feed::Gpio(Line::Numbered { chip, offset })
        };
        assert_eq!(entries[7].feed, numbered("/dev/gpiochip0", 17));
        assert_eq!(
            (entries[7].pull, entries[7].active_low),
            (Some(Pull::Up), true)
        );
        assert_eq!(entries[8].feed, Feed::Gpio(Line::Named("DOOR".to_owned())));
        assert_eq!(entries[8].edge, Some(Edge::Falling));
        assert_eq!(entries[9].feed, numbered("/tmp/chip", 0));
    }

    #[test]
    fn wrong_maps_say_where() {
        for (text, why) in [
            ("device:a", "neither"),
            ("\nwire:a vector 1", "line 2: wire:a vector 1: wire"),
            ("device: vector 1", "KIND:NAME"),
            ("device:a vector 256", "0 to 255"),
            ("device:a vector", "wants a word"),
            ("device:a vector 1 priority 0", "1 to 63"),
            ("timer:10 vector 1", "units"),
            ("timer:10ns vector 1", "at least"),
            ("timer:1ms pin 1 vector 1", "levels"),
            ("signal:KILL vector 1", "no signal"),
            ("signal:32 vector 1", "no signal"),
            ("fd:-1 vector 1", "descriptor"),
            ("device:a vector 1 edge rising", "belongs to a pin"),
            ("device:a pin 1 edge rising", "belong to a vector"),
            ("device:a vector 1 colour red", "means nothing"),
            ("device:a pin 1 pull up", "belong to gpio:"),
            ("signal:USR1 vector 1 time payload", "begin with a time"),
            ("device:a vector 1 time now", "not now"),
            ("gpio:a pin 1 pull sideways", "up, down or none"),
            ("gpio:a pin 1 active often", "low or high"),
            ("gpio:a vector 1 edge low", "rising, falling or change"),
        ] {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.error, Error::Map);
            assert!(failure.text.contains(why), "{text}: {failure}");
        }
    }
}
