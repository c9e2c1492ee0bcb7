// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify call`: a message to a driver, and its answer.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use sigrt::SourceType;

use crate::cli::{Global, Usage};
use crate::parse::{self, Hex};
use crate::{connect, post, selection, show};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify call edu --hex 05000000               # the factorial of 5, by the device
  rtnotify call gpio3 --room 16 --timeout 1s     # level and time of a line
  rtnotify call echo hello --raw > answer

The answer is shown in hexadecimal, with --raw as it is. With --json: answer_hex and seconds.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name or number of the source.
    source: String,
    /// The message, as text.
    #[arg(conflicts_with_all = ["hex", "file"])]
    message: Option<String>,
    /// The message, in hexadecimal digits; spaces may stand between bytes.
    #[arg(long, value_name = "DIGITS", conflicts_with = "file", value_parser = parse::hex)]
    hex: Option<Hex>,
    /// A file whose content is the message; "-" is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What is wanted; its meaning is the driver's.
    #[arg(long, short, default_value_t = 0)]
    kind: u16,
    /// The value that goes with it.
    #[arg(long, short, default_value = "0", value_parser = parse::number)]
    value: u64,
    /// Bytes of answer at most.
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    room: usize,
    /// How long to wait for the answer.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse::duration)]
    timeout: Duration,
    /// Write the answer as it is.
    #[arg(long, conflicts_with = "json")]
    raw: bool,
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    let message = post::payload(
        arguments.message.as_ref(),
        arguments.hex.as_ref(),
        arguments.file.as_ref(),
    )?;
    let device = global.place.shared()?;
    let listed = device.sources()?;
    let info = match selection::find(&listed, &arguments.source)[..] {
        [only] => only,
        [] if connect::is_own(&device) => bail!(
            "a loopback has no drivers, so nobody answers calls: use the module's device (`rtnotify doctor`)"
        ),
        [] => bail!("{}", selection::nothing(&listed, &arguments.source)),
        _ => bail!(Usage("call one source, not a pattern".to_owned())),
    };
    if info.source_type != SourceType::Driver {
        bail!(
            "{} is a {} source: only drivers answer calls (`rtnotify sources` shows types)",
            info.name,
            info.source_type
        );
    }
    let started = Instant::now();
    let answer = device
        .source(info.number)?
        .call(
            arguments.kind,
            arguments.value,
            &message,
            arguments.room,
            Some(arguments.timeout),
        )
        .with_context(|| format!("{} did not answer", info.name))?;
    let elapsed = started.elapsed();
    if arguments.raw {
        let mut out = io::stdout().lock();
        out.write_all(&answer)?;
        if out.is_terminal() {
            out.write_all(b"\n")?;
        }
    } else if global.json {
        show::json(&json!({
            "source": info.name,
            "answer_hex": show::hex(&answer).replace(' ', ""),
            "seconds": elapsed.as_secs_f64(),
        }))?;
    } else {
        show::line(&show::hex(&answer))?;
    }
    Ok(true)
}
