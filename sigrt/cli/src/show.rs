// SPDX-License-Identifier: MIT OR Apache-2.0

//! How things are printed: lines for people, JSON for programs.

use std::io::{self, Write as _};

use serde_json::Value;

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

/// `bytes` as hexadecimal digits in groups of four bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let group = |chunk: &[u8]| chunk.iter().map(|b| format!("{b:02x}")).collect::<String>();
    bytes.chunks(4).map(group).collect::<Vec<_>>().join(" ")
}

/// A table with aligned columns; numbers to the right.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.chain([heads[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..heads.len()).map(width).collect();
    let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) || text == "-";
    let numeric: Vec<_> = (0..heads.len())
        .map(|column| rows.iter().all(|row| is_number(&row[column])))
        .collect();
    let heads: Vec<_> = heads.iter().map(|&head| head.to_owned()).collect();
    let mut out = String::new();
    for row in [&heads].into_iter().chain(rows) {
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
        out += line.join("  ").trim_end();
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
    fn columns_are_aligned() {
        let rows = [
            vec!["1".to_owned(), "edu".to_owned()],
            vec!["10".to_owned(), "a".to_owned()],
        ];
        assert_eq!(table(&["no", "name"], &rows), "no  name\n 1  edu\n10  a\n");
    }
}
