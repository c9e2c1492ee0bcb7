// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify watch`: events and gaps as they arrive.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use crossbeam_channel::{Receiver, after, never, select};
use serde_json::{Value, json};
use sigrt::{Delivery, Event, Gap};

use crate::cli::Global;
use crate::selection::Selection;
use crate::show::{Colour, paint};
use crate::{interrupt, latency, parse, show};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify watch edu
  rtnotify watch 'gpio*' --value 1/1 --time absolute
  rtnotify watch adc --kind 3..7 --payload hex -n 100
  rtnotify watch --timer tick=10ms --timeout 1s --json
  rtnotify watch --demo door --payload json

With --json a line is {\"event\": …}, {\"gap\": …} or {\"gone\": …}; time_ns is CLOCK_MONOTONIC,
unix_ns the time of day. The account at the end goes to standard error.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Stop after so many deliveries.
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
    /// Stop after so long.
    #[arg(long = "for", value_name = "TIME", value_parser = parse::duration)]
    period: Option<Duration>,
    /// Stop after so long without a delivery, with status 1.
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    timeout: Option<Duration>,
    /// How payloads are shown.
    #[arg(long, value_enum, default_value = "auto")]
    payload: Payload,
    /// How times are shown.
    #[arg(long, value_enum, default_value = "monotonic", value_name = "CLOCK")]
    time: Clock,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Payload {
    /// As text where it is printable, else in hexadecimal.
    Auto,
    /// As text, with escapes.
    Text,
    /// In hexadecimal.
    Hex,
    /// As JSON, on one line; in hexadecimal where it is none.
    Json,
    /// Only the length.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// Seconds since the machine was started, as the device says.
    Monotonic,
    /// The time of day, UTC.
    Absolute,
    /// Seconds since the command was started.
    Relative,
    /// Seconds since the delivery before.
    Delta,
}

/// Shows the times of deliveries.
struct Times {
    clock: Clock,
    /// What the clock of events showed when the command was started.
    start: Duration,
    /// Time of day less the clock of events.
    offset: Duration,
    before: Option<Duration>,
}

impl Times {
    fn new(clock: Clock) -> Self {
        let start = latency::now();
        let day = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            clock,
            start,
            offset: day.saturating_sub(start),
            before: None,
        }
    }

    fn unix(&self, time: Duration) -> Duration {
        self.offset + time
    }

    fn show(&mut self, time: Duration) -> String {
        let signed = |since: Duration| {
            let seconds = time.as_secs_f64() - since.as_secs_f64();
            format!("{seconds:>+12.6}")
        };
        let before = self.before.replace(time).unwrap_or(time);
        match self.clock {
            Clock::Monotonic => format!("{:>16.6}", time.as_secs_f64()),
            Clock::Absolute => date(self.unix(time)),
            Clock::Relative => signed(self.start),
            Clock::Delta => signed(before),
        }
    }
}

/// A time since 1970 in the form of RFC 3339.
fn date(unix: Duration) -> String {
    let (days, seconds) = (unix.as_secs() / 86_400, unix.as_secs() % 86_400);
    // Years begin in March here, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        unix.subsec_micros()
    )
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    let stop = interrupt::channel()?;
    let mut selected = arguments.selection.start(global)?;
    let names = selected.names();
    let mut times = Times::new(arguments.time);
    let over: Receiver<_> = arguments.period.map_or_else(never, after);
    let mut seen = 0;
    while arguments.count.is_none_or(|count| seen < count) {
        let patience: Receiver<_> = arguments.timeout.map_or_else(never, after);
        select! {
            recv(selected.subscription) -> delivery => {
                let delivery = delivery.map_err(|_| selected.failure())?;
                let unknown = format!("#{}", delivery.source());
                let name = names.get(&delivery.source()).unwrap_or(&unknown);
                if global.json {
                    show::json(&as_json(&delivery, name, &times, arguments.payload))?;
                } else {
                    show::line(&as_line(&delivery, name, &mut times, arguments.payload))?;
                }
                seen += 1;
            }
            recv(stop) -> _ => break,
            recv(over) -> _ => break,
            recv(patience) -> _ => bail!("nothing arrived for {:?}", arguments.timeout.unwrap_or_default()),
        }
    }
    selected.end_load();
    let stats = selected
        .subscription
        .stats()
        .context("cannot read the counters")?;
    show::remark(&format!(
        "{} posted, {} received, {} queued, {} lost",
        stats.posted,
        stats.consumed,
        stats.queued,
        stats.lost()
    ));
    Ok(true)
}

fn as_line(delivery: &Delivery, name: &str, times: &mut Times, payload: Payload) -> String {
    let shown = paint(Colour::Name, name);
    match delivery {
        Delivery::Event(event) => {
            let time = times.show(event.time);
            event_line(event, &time, &shown, payload)
        }
        Delivery::Gap(gap) => {
            let text = format!(
                "LOST {} events, {} to {}: {}",
                gap.count, gap.first, gap.last, gap.reason
            );
            let time = times.show(gap.time);
            format!(
                "{:>8} {time} {shown} {}",
                gap.seq,
                paint(Colour::Bad, &text)
            )
        }
        Delivery::Gone(gone) => {
            let text = format!("GONE after {} events", gone.last);
            let time = times.show(gone.time);
            format!(
                "{:>8} {time} {shown} {}",
                gone.seq,
                paint(Colour::Note, &text)
            )
        }
    }
}

fn event_line(event: &Event, time: &str, name: &str, payload: Payload) -> String {
    let mut line = format!("{:>8} {time} {name} #{}", event.seq, event.source_seq);
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
        Payload::Json => match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => value.to_string(),
            Err(_) => show::hex(bytes),
        },
        Payload::Auto => match str::from_utf8(bytes) {
            Ok(text) if printable(text) => format!("{text:?}"),
            _ => show::hex(bytes),
        },
    }
}

fn as_json(delivery: &Delivery, name: &str, times: &Times, shown: Payload) -> Value {
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
        }) => {
            let mut event = json!({
                "seq": seq,
                "source": source,
                "name": name,
                "source_seq": source_seq,
                "kind": kind,
                "time_ns": time.as_nanos() as u64,
                "unix_ns": times.unix(*time).as_nanos() as u64,
                "value": value,
                "payload_len": payload.len(),
            });
            match shown {
                Payload::None => {}
                Payload::Text => {
                    event["payload_text"] = String::from_utf8_lossy(payload).into();
                }
                Payload::Json => {
                    event["payload_json"] = serde_json::from_slice(payload).unwrap_or_default();
                    event["payload_hex"] = show::hex(payload).replace(' ', "").into();
                }
                Payload::Auto | Payload::Hex => {
                    event["payload_hex"] = show::hex(payload).replace(' ', "").into();
                }
            }
            json!({ "event": event })
        }
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
                "unix_ns": times.unix(*time).as_nanos() as u64,
            }
        }),
        Delivery::Gone(gone) => json!({
            "gone": {
                "seq": gone.seq,
                "source": gone.source,
                "name": name,
                "last": gone.last,
                "time_ns": gone.time.as_nanos() as u64,
                "unix_ns": times.unix(gone.time).as_nanos() as u64,
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_text_if_they_can_be() {
        assert_eq!(payload_text(b"on\n", Payload::Auto), "\"on\\n\"");
        assert_eq!(payload_text(&[0, 1], Payload::Auto), "0001");
        assert_eq!(payload_text(&[0xff], Payload::Auto), "ff");
        assert_eq!(payload_text(b"{ \"a\": 1 }", Payload::Json), "{\"a\":1}");
        assert_eq!(payload_text(b"{", Payload::Json), "7b");
    }

    #[test]
    fn dates_are_right() {
        let shown = |seconds| date(Duration::from_secs(seconds));
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(shown(1_709_251_199), "2024-02-29T23:59:59.000000Z");
        assert_eq!(shown(1_709_251_200), "2024-03-01T00:00:00.000000Z");
        assert_eq!(shown(4_102_444_799), "2099-12-31T23:59:59.000000Z");
    }
}
