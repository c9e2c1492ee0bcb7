// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify post`.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use sigrt::SourceRef;

use crate::Global;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name or number of the source.
    source: String,
    /// The payload, as text.
    #[arg(conflicts_with_all = ["hex", "file"])]
    payload: Option<String>,
    /// The payload, in hexadecimal digits; spaces may stand between bytes.
    #[arg(long, value_name = "DIGITS", conflicts_with = "file")]
    hex: Option<String>,
    /// A file whose content is the payload; "-" is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The value: a level, a count, whatever the subscriber expects.
    #[arg(long, short, value_parser = number)]
    value: Option<u64>,
    /// What to call the event.
    #[arg(long, short, default_value_t = 0)]
    kind: u16,
    /// Post it so many times.
    #[arg(long, short = 'n', default_value_t = 1)]
    count: u64,
}

/// A number, decimal or hexadecimal.
fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

fn bytes_of(digits: &str) -> Result<Vec<u8>> {
    let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        bail!("--hex takes hexadecimal digits only");
    }
    if !digits.len().is_multiple_of(2) {
        bail!("--hex needs an even number of digits, not {}", digits.len());
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16);
    (0..digits.len())
        .step_by(2)
        .map(byte)
        .collect::<Result<_, _>>()
        .context("--hex")
}

fn payload(arguments: &Arguments) -> Result<Vec<u8>> {
    if let Some(digits) = &arguments.hex {
        return bytes_of(digits);
    }
    match &arguments.file {
        Some(path) if path.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
            Ok(bytes)
        }
        Some(path) => {
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
        }
        None => Ok(arguments.payload.clone().unwrap_or_default().into_bytes()),
    }
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<()> {
    let payload = payload(arguments)?;
    let which = match arguments.source.parse() {
        Ok(number) => SourceRef::Number(number),
        Err(_) => SourceRef::from(arguments.source.as_str()),
    };
    let source = global.device()?.source(which)?;
    for posted in 0..arguments.count {
        source
            .post_kind(arguments.kind, arguments.value, &payload)
            .with_context(|| format!("{posted} of {} posted", arguments.count))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_checked() {
        assert_eq!(bytes_of("00 ff 7A").unwrap(), [0, 255, 0x7a]);
        assert!(bytes_of("").unwrap().is_empty());
        assert!(bytes_of("0").is_err());
        assert!(bytes_of("0g").is_err());
        assert!(bytes_of("+1").is_err());
        assert!(bytes_of("éé").is_err());
    }

    #[test]
    fn numbers_may_be_hexadecimal() {
        assert_eq!(number("0x10"), Ok(16));
        assert_eq!(number("16"), Ok(16));
        assert!(number("-1").is_err());
    }
}
