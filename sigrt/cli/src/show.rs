// SPDX-License-Identifier: MIT OR Apache-2.0

//! How things are printed: lines for people, JSON for programs, colours for terminals.

use std::env;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use serde_json::Value;

/// What a colour means; what it looks like is said in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Good,
    Note,
    Bad,
    Head,
    Name,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Note => "33",
            Self::Bad => "1;31",
            Self::Head => "1",
            Self::Name => "36",
        }
    }
}

/// Whether something is to be coloured when it is printed there: see <https://no-color.org>.
fn coloured(there: &impl IsTerminal) -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|value| value == "dumb");
    !refused && !dumb && there.is_terminal()
}

fn wrap(colour: Colour, text: &str) -> String {
    format!("\x1b[{}m{text}\x1b[0m", colour.code())
}

/// `text` in a colour, if standard output shows colours.
pub(crate) fn paint(colour: Colour, text: &str) -> String {
    if coloured(&io::stdout()) {
        wrap(colour, text)
    } else {
        text.to_owned()
    }
}

/// Prints one line of results; an error is most often a closed pipe.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

/// Prints a JSON value on one line.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    line(&value.to_string())
}

/// Says what has failed, on standard error.
pub(crate) fn complaint(text: &str) {
    let text = if coloured(&io::stderr()) {
        wrap(Colour::Bad, text)
    } else {
        text.to_owned()
    };
    remark(&text);
}

/// Says something that is no result, on standard error, which may be closed.
pub(crate) fn remark(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}

/// `bytes` as hexadecimal digits in groups of four bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let group = |chunk: &[u8]| chunk.iter().map(|b| format!("{b:02x}")).collect::<String>();
    bytes.chunks(4).map(group).collect::<Vec<_>>().join(" ")
}

/// A duration in as many digits as matter.
pub(crate) fn duration(time: Duration) -> String {
    let ns = time.as_nanos();
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{} µs", ns / 1000),
        10_000_000..10_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// A table with aligned columns; numbers to the right, the heads marked on a terminal.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heads[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..heads.len()).map(width).collect();
    let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) || text == "-";
    let numeric: Vec<_> = (0..heads.len())
        .map(|column| rows.iter().all(|row| is_number(&row[column])))
        .collect();
    let heads: Vec<_> = heads.iter().map(|&head| head.to_owned()).collect();
    let mut out = String::new();
    for (number, row) in [&heads].into_iter().chain(rows).enumerate() {
        let cells = row.iter().zip(&widths).zip(&numeric);
        let line: Vec<_> = cells
            .map(|((cell, &width), &right)| {
                if right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        let line = line.join("  ");
        let line = line.trim_end();
        if number == 0 {
            out += &paint(Colour::Head, line);
        } else {
            out += line;
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_grouped() {
        assert_eq!(hex(&[0, 1, 2, 3, 0xff]), "00010203 ff");
        assert_eq!(hex(&[]), "");
    }

    #[test]
    fn durations_keep_two_digits() {
        let shown = |ns| duration(Duration::from_nanos(ns));
        assert_eq!(shown(9_999), "9999 ns");
        assert_eq!(shown(10_000), "10 µs");
        assert_eq!(shown(12_345_678), "12 ms");
        assert_eq!(shown(12_345_678_901), "12.3 s");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["1".to_owned(), "edu".to_owned()],
            vec!["10".to_owned(), "a".to_owned()],
        ];
        // Under a test runner standard output may be a terminal, but heads are as wide either way.
        let text = table(&["no", "name"], &rows);
        assert!(text.ends_with("\n 1  edu\n10  a\n"), "{text}");
    }
}
