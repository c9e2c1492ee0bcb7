// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify watch`: events and gaps as they arrive.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use crossbeam_channel::{Receiver, after, never, select};
use serde_json::{Value, json};
use sigrt::{Delivery, Device, Event, Gap, Mode, Source, SourceOptions};

use crate::{Global, interrupt, show};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Names or numbers of the sources.
    #[arg(required_unless_present_any = ["create", "timer"], value_name = "SOURCE")]
    sources: Vec<String>,
    /// Create a source of that name first, for others to post to, and watch it too.
    #[arg(long, value_name = "NAME")]
    create: Vec<String>,
    /// Create a timer source first and watch it too; the period is a number with ns, us, ms or s.
    #[arg(long, value_name = "NAME=PERIOD", value_parser = timer)]
    timer: Vec<(String, Duration)>,
    /// Stop after so many deliveries.
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
    /// Stop after so long without a delivery, with status 1.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// How payloads are shown.
    #[arg(long, value_enum, default_value = "auto")]
    payload: Payload,
    /// How events are announced.
    #[arg(long, value_enum, default_value = "window")]
    mode: WatchMode,
    /// Events that the device queues at most before it counts them as lost.
    #[arg(long, value_name = "EVENTS", default_value_t = 1024)]
    queue: u32,
    /// Bytes of payload that the device queues at most.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    quota: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Payload {
    /// As text where it is printable, else in hexadecimal.
    Auto,
    /// As text, with escapes.
    Text,
    /// In hexadecimal.
    Hex,
    /// Only the length.
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum WatchMode {
    /// A signal for each event.
    PerEvent,
    /// A bounded number of signals outstanding.
    Window,
    /// One signal when there is something after everything was read.
    Coalesced,
}

impl From<WatchMode> for Mode {
    fn from(mode: WatchMode) -> Self {
        match mode {
            WatchMode::PerEvent => Self::PerEvent,
            WatchMode::Window => Self::Window,
            WatchMode::Coalesced => Self::Coalesced,
        }
    }
}

/// A duration with its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return Err("a number with ns, us, ms or s is needed, such as 10ms".to_owned()),
    };
    let number: f64 = digits
        .parse()
        .map_err(|_| format!("{digits:?} is not a number"))?;
    Duration::try_from_secs_f64(number * unit).map_err(|error| error.to_string())
}

fn timer(text: &str) -> Result<(String, Duration), String> {
    let (name, period) = text
        .split_once('=')
        .ok_or("NAME=PERIOD is needed, such as tick=10ms")?;
    Ok((name.to_owned(), duration(period)?))
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<()> {
    let device = if arguments.sources.is_empty() && arguments.create.is_empty() {
        global.device_or_loopback()?
    } else {
        global.device()?
    };
    // Kept until the end: a source lives as long as who created it.
    let created = create(&device, arguments)?;
    let stop = interrupt::channel()?;

    let mut builder = device
        .subscription()
        .mode(arguments.mode.into())
        .queue_len(arguments.queue)
        .quota(arguments.quota);
    for source in &created {
        builder = builder.subscribe(source);
    }
    for source in &arguments.sources {
        // A name that looks like a number is still found by its number.
        builder = match source.parse::<u32>() {
            Ok(number) => builder.subscribe(number),
            Err(_) => builder.subscribe(source.as_str()),
        };
    }
    let subscription = builder.start()?;
    let names: HashMap<u32, String> = device
        .sources()?
        .into_iter()
        .map(|info| (info.number, info.name))
        .collect();
    let mut seen = 0;
    while arguments.count.is_none_or(|count| seen < count) {
        let patience: Receiver<_> = arguments.timeout.map_or_else(never, after);
        select! {
            recv(subscription) -> delivery => {
                let delivery = delivery.map_err(|_| subscription.failure().map_or_else(
                    || anyhow::anyhow!("the subscription has ended"),
                    anyhow::Error::new,
                ))?;
                let unknown = format!("#{}", delivery.source());
                let name = names.get(&delivery.source()).unwrap_or(&unknown);
                if global.json {
                    show::json(&as_json(&delivery, name))?;
                } else {
                    show::line(&as_line(&delivery, name, arguments.payload))?;
                }
                seen += 1;
            }
            recv(stop) -> _ => break,
            recv(patience) -> _ => bail!("nothing arrived for {:?}", arguments.timeout.unwrap_or_default()),
        }
    }
    let stats = subscription.stats().context("cannot read the counters")?;
    eprintln!(
        "{} posted, {} received, {} queued, {} lost",
        stats.posted,
        stats.consumed,
        stats.queued,
        stats.lost()
    );
    Ok(())
}

fn create(device: &Device, arguments: &Arguments) -> Result<Vec<Source>> {
    let mut created = Vec::new();
    for name in &arguments.create {
        let source = device.create_source(SourceOptions::new(name).max_payload(65_536));
        created.push(source.with_context(|| format!("cannot create {name:?}"))?);
    }
    for (name, period) in &arguments.timer {
        let source = device.create_timer(name, *period, None);
        created.push(source.with_context(|| format!("cannot create the timer {name:?}"))?);
    }
    Ok(created)
}

fn as_line(delivery: &Delivery, name: &str, payload: Payload) -> String {
    match delivery {
        Delivery::Event(event) => event_line(event, name, payload),
        Delivery::Gap(gap) => format!(
            "{:>8} {:>16.6} {name} LOST {} events, {} to {}: {}",
            gap.seq,
            gap.time.as_secs_f64(),
            gap.count,
            gap.first,
            gap.last,
            gap.reason
        ),
        Delivery::Gone(gone) => format!(
            "{:>8} {:>16.6} {name} GONE after {} events",
            gone.seq,
            gone.time.as_secs_f64(),
            gone.last
        ),
    }
}

fn event_line(event: &Event, name: &str, payload: Payload) -> String {
    let mut line = format!(
        "{:>8} {:>16.6} {name} #{}",
        event.seq,
        event.time.as_secs_f64(),
        event.source_seq
    );
    if event.kind != 0 {
        line += &format!(" kind {}", event.kind);
    }
    if let Some(value) = event.value {
        line += &format!(" value {value}");
    }
    if !event.payload.is_empty() {
        line += &format!(
            " {}: {}",
            event.payload.len(),
            payload_text(&event.payload, payload)
        );
    }
    line
}

fn payload_text(bytes: &[u8], payload: Payload) -> String {
    let printable = |text: &str| {
        text.chars()
            .all(|c| !c.is_control() || c == '\n' || c == '\t')
    };
    match payload {
        Payload::None => "…".to_owned(),
        Payload::Hex => show::hex(bytes),
        Payload::Text => format!("{:?}", String::from_utf8_lossy(bytes)),
        Payload::Auto => match str::from_utf8(bytes) {
            Ok(text) if printable(text) => format!("{text:?}"),
            _ => show::hex(bytes),
        },
    }
}

fn as_json(delivery: &Delivery, name: &str) -> Value {
    match delivery {
        Delivery::Event(Event {
            seq,
            source,
            source_seq,
            kind,
            time,
            value,
            payload,
            ..
        }) => json!({
            "event": {
                "seq": seq,
                "source": source,
                "name": name,
                "source_seq": source_seq,
                "kind": kind,
                "time_ns": time.as_nanos() as u64,
                "value": value,
                "payload_hex": show::hex(payload).replace(' ', ""),
            }
        }),
        Delivery::Gap(Gap {
            seq,
            source,
            first,
            last,
            count,
            reason,
            time,
            ..
        }) => json!({
            "gap": {
                "seq": seq,
                "source": source,
                "name": name,
                "first": first,
                "last": last,
                "count": count,
                "reason": reason.to_string(),
                "time_ns": time.as_nanos() as u64,
            }
        }),
        Delivery::Gone(gone) => json!({
            "gone": {
                "seq": gone.seq,
                "source": gone.source,
                "name": name,
                "last": gone.last,
                "time_ns": gone.time.as_nanos() as u64,
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        for wrong in ["10", "ms", "-1s", "1h", "", "inf s", "1e400s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            timer("tick=1s"),
            Ok(("tick".to_owned(), Duration::from_secs(1)))
        );
        assert!(timer("tick").is_err());
    }

    #[test]
    fn payloads_are_text_if_they_can_be() {
        assert_eq!(payload_text(b"on\n", Payload::Auto), "\"on\\n\"");
        assert_eq!(payload_text(&[0, 1], Payload::Auto), "0001");
        assert_eq!(payload_text(&[0xff], Payload::Auto), "ff");
    }
}
