// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify post`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use crossbeam_channel::{Receiver, after, select};
use serde_json::json;
use sigrt::{Error, SourceOptions, Subscription};

use crate::cli::{Global, Usage};
use crate::parse::{self, Hex};
use crate::{connect, interrupt, selection, show};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify post door open
  rtnotify post door --hex '01 02 ff' --value 0x10 --kind 3
  date | rtnotify post clock --file -
  rtnotify post adc --value 512 -n 10000 --rate 1000
  rtnotify post door knock --create --device loopback

With --json the account is one object: source, posted, seconds, and whether it was interrupted.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name or number of the source.
    source: String,
    /// The payload, as text.
    #[arg(conflicts_with_all = ["hex", "file"])]
    payload: Option<String>,
    /// The payload, in hexadecimal digits; spaces may stand between bytes.
    #[arg(long, value_name = "DIGITS", conflicts_with = "file", value_parser = parse::hex)]
    hex: Option<Hex>,
    /// A file whose content is the payload; "-" is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The value: a level, a count, whatever the subscriber expects.
    #[arg(long, short, value_parser = parse::number)]
    value: Option<u64>,
    /// What to call the event.
    #[arg(long, short, default_value_t = 0)]
    kind: u16,
    /// Post it so many times.
    #[arg(long, short = 'n', default_value_t = 1)]
    count: u64,
    /// Events per second; without it, as fast as it goes.
    #[arg(long, value_name = "EVENTS", value_parser = parse::rate)]
    rate: Option<f64>,
    /// Create the source first; it ends with this command. On the loopback, where nobody else can listen, this
    /// command does, and checks that everything arrived.
    #[arg(long)]
    create: bool,
}

/// The bytes of a file, or of standard input for `-`.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        return Ok(bytes);
    }
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The payload that the options give.
pub(crate) fn payload(
    text: Option<&String>,
    hex: Option<&Hex>,
    file: Option<&PathBuf>,
) -> Result<Vec<u8>> {
    match (hex, file) {
        (Some(Hex(bytes)), _) => Ok(bytes.clone()),
        (None, Some(path)) => read_file(path),
        (None, None) => Ok(text.cloned().unwrap_or_default().into_bytes()),
    }
}

/// When to post what, at a rate.
struct Pace {
    start: Instant,
    period: Option<f64>,
}

impl Pace {
    /// How long there is left before post number `n`; `None`: it is due.
    fn wait(&self, n: u64) -> Option<Duration> {
        let due = Duration::try_from_secs_f64(self.period? * n as f64).ok()?;
        let left = due.checked_sub(self.start.elapsed())?;
        (!left.is_zero()).then_some(left)
    }
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    if arguments.kind >= sigrt::abi::FIRST_RESERVED_KIND {
        let text = "--kind must be below 0xfff0: the rest is taken for gaps and ends of sources";
        bail!(Usage(text.to_owned()));
    }
    let payload = payload(
        arguments.payload.as_ref(),
        arguments.hex.as_ref(),
        arguments.file.as_ref(),
    )?;
    let stop = interrupt::channel()?;
    let device = global.place.shared()?;
    let (source, listener) = if arguments.create {
        let options = SourceOptions::new(&arguments.source).max_payload(payload.len().max(8));
        let source = device
            .create_source(options)
            .with_context(|| format!("cannot create {:?}", arguments.source))?;
        let listener = if connect::is_own(&device) {
            Some(device.subscription().subscribe(&source).start()?)
        } else {
            None
        };
        (source, listener)
    } else {
        let listed = device.sources()?;
        match selection::find(&listed, &arguments.source)[..] {
            [only] => (device.source(only.number)?, None),
            [] => bail!("{}", selection::nothing(&listed, &arguments.source)),
            _ => bail!(Usage("post to one source, not to a pattern".to_owned())),
        }
    };
    let pace = Pace {
        start: Instant::now(),
        period: arguments.rate.map(f64::recip),
    };
    let mut posted = 0;
    let mut arrived = 0;
    let mut interrupted = false;
    while posted < arguments.count {
        if !wait(pace.wait(posted), &stop) {
            interrupted = true;
            break;
        }
        match source.post_kind(arguments.kind, arguments.value, &payload) {
            Ok(()) => posted += 1,
            // A driver, or a subscriber that is waited for: it gets the time that it needs.
            Err(Error::Busy { .. }) => {
                if !wait(Some(Duration::from_micros(200)), &stop) {
                    interrupted = true;
                    break;
                }
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("{posted} of {} posted", arguments.count));
            }
        }
        if let Some(listener) = &listener {
            arrived += drain(listener, posted - arrived >= 512)?;
        }
    }
    if let Some(listener) = &listener {
        while arrived < posted {
            arrived += drain(listener, true)?;
        }
    }
    let elapsed = pace.start.elapsed();
    if global.json {
        show::json(&json!({
            "source": source.name(),
            "posted": posted,
            "received": listener.as_ref().map(|_| arrived),
            "seconds": elapsed.as_secs_f64(),
            "interrupted": interrupted,
        }))?;
    } else if arguments.count > 1 || interrupted || listener.is_some() {
        let received = listener.map_or(String::new(), |_| format!(", {arrived} received"));
        show::remark(&format!(
            "{posted} of {} posted in {}{received}",
            arguments.count,
            show::duration(elapsed)
        ));
    }
    Ok(true)
}

/// Takes what has arrived, at least one if `wait`; how many.
fn drain(listener: &Subscription, wait: bool) -> Result<u64> {
    let mut seen = 0;
    if wait {
        let delivery = listener.recv_timeout(Duration::from_secs(10));
        let event = delivery.context("what was posted did not arrive")?.event();
        event.context("something was lost")?;
        seen += 1;
    }
    for delivery in listener.try_iter() {
        delivery.event().context("something was lost")?;
        seen += 1;
    }
    Ok(seen)
}

/// Waits, if there is something to wait for; false when the command is to end.
pub(crate) fn wait(left: Option<Duration>, stop: &Receiver<()>) -> bool {
    match left {
        None => !interrupt::is_over(stop),
        Some(left) => select! {
            recv(stop) -> _ => false,
            recv(after(left)) -> _ => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_on_average() {
        let pace = Pace {
            start: Instant::now(),
            period: Some(1.0),
        };
        assert_eq!(pace.wait(0), None);
        let left = pace.wait(100).unwrap();
        assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(100));
    }
}
