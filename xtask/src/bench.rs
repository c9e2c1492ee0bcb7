//! `cargo xtask bench`: the figures, as time on this machine or as guest
//! instructions.
//!
//! The program `rtnotify-bench` prints one JSON object:
//! `{"unit": "…", "rows": [{"path": "…", "burst": N, "per_event": X, "ratio": Y}]}`, and in it another such object,
//! `locks`: what it costs to keep interrupts away for a moment.
//! Guest instructions repeat within half a percent, but for a rare boot: so three
//! boots are made and the median of each cell is taken.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::kernel::{self, Flavor};
use crate::module::{self, PRODUCT};
use crate::paths;
use crate::run::{run, step};
use crate::test::cargo;
use crate::vm::{self, Machine, Output, Stream};

/// Where to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Where {
    /// On this machine.
    Native,
    /// In the guest: instructions per event, on the kernel without checks.
    Vm,
}

/// Boots whose median is taken.
const BOOTS: usize = 3;

/// Measures, prints a table, and writes the figures to `json` if asked to.
pub(crate) fn command(place: Where, source: Option<&Path>, json: Option<&Path>) -> Result<()> {
    let result = match place {
        Where::Native => native()?,
        Where::Vm => in_guest(source)?,
    };
    print!("{}", table(&result)?);
    println!();
    print!("{}", table(&result["locks"])?);
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&result)? + "\n";
        fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn native() -> Result<Value> {
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "-p", "rtnotify-tests"]);
    command.args(["--bin", "rtnotify-bench", "--", "--format", "json"]);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("rtnotify-bench: {}", output.status);
    }
    parse(&output.stdout)
}

fn in_guest(source: Option<&Path>) -> Result<Value> {
    let kernel = kernel::provide(Flavor::Lean, source)?;
    let modules = module::provide(&kernel, PRODUCT, false)?;
    run(cargo()
        .args(["build", "--release", "--quiet", "-p", "rtnotify-tests"])
        .args(["--bin", "rtnotify-bench"]))?;
    let program = paths::target().join("release/rtnotify-bench");
    let machine = Machine {
        icount: true,
        smp: 1,
        timeout: Some(Duration::from_mins(30)),
        ..Machine::default()
    };
    let mut results = Vec::new();
    for boot in 1..=BOOTS {
        step(format!("boot {boot} of {BOOTS}"));
        let mut text = Vec::new();
        let mut collect = |stream, bytes: &[u8]| match stream {
            Stream::Out => text.extend_from_slice(bytes),
            Stream::Err => drop(std::io::stderr().write_all(bytes)),
        };
        let argv = vec![program.clone().into(), "--format".into(), "json".into()];
        let output = Output::Function(&mut collect);
        let outcome = vm::boot(&kernel, &modules, &machine, argv, "bench", output)?;
        outcome.explain();
        if !outcome.is_success() {
            bail!(
                "rtnotify-bench ended with status {} in the guest",
                outcome.exit_status()
            );
        }
        step(format!("boot {boot} took {} s", outcome.elapsed.as_secs()));
        results.push(parse(&text)?);
    }
    let mut result = median(&results)?;
    let locks: Vec<Value> = results.iter().map(|r| r["locks"].clone()).collect();
    result["locks"] = median(&locks)?;
    Ok(result)
}

/// The object in what the program printed.
fn parse(text: &[u8]) -> Result<Value> {
    let value: Value = serde_json::from_slice(text)
        .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(text)))?;
    let is_result = |value: &Value| value["rows"].is_array() && value["unit"].is_string();
    if !is_result(&value) || !is_result(&value["locks"]) {
        bail!("rtnotify-bench has printed something else: {value}");
    }
    Ok(value)
}

/// One figure.
struct Row {
    path: String,
    burst: u64,
    per_event: f64,
    ratio: Option<f64>,
}

impl Row {
    /// The figure, and the ratio behind it in parentheses.
    fn cell(&self) -> String {
        let ratio = self.ratio.map(|ratio| format!(" ({ratio:.2})"));
        format!("{:.1}{}", self.per_event, ratio.unwrap_or_default())
    }
}

/// The rows of a result, in order.
fn rows(result: &Value) -> Result<Vec<Row>> {
    let read = |row: &Value| {
        Some(Row {
            path: row["path"].as_str()?.to_owned(),
            burst: row["burst"].as_u64()?,
            per_event: row["per_event"].as_f64()?,
            ratio: row["ratio"].as_f64(),
        })
    };
    let rows = result["rows"].as_array().context("no rows")?;
    rows.iter()
        .map(|row| read(row).with_context(|| format!("not a row: {row}")))
        .collect()
}

/// The median of each cell, and how far the boots were apart.
fn median(results: &[Value]) -> Result<Value> {
    let mut cells: BTreeMap<(String, u64), (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for result in results {
        for row in rows(result)? {
            let cell = cells.entry((row.path, row.burst)).or_default();
            cell.0.push(row.per_event);
            cell.1.extend(row.ratio);
        }
    }
    let first = results.first().context("no results")?;
    let mut medians = Vec::new();
    for Row { path, burst, .. } in rows(first)? {
        let (values, ratios) = &cells[&(path.clone(), burst)];
        if values.len() != results.len() {
            bail!("not every boot has measured {path} with bursts of {burst}");
        }
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(low, high), &x| {
                (low.min(x), high.max(x))
            });
        let middle = middle(values).unwrap_or(0.0);
        let spread = if middle > 0.0 {
            (high - low) / middle * 100.0
        } else {
            0.0
        };
        medians.push(json!({
            "path": path,
            "burst": burst,
            "per_event": middle,
            "ratio": middle_or_null(ratios),
            "spread_percent": (spread * 100.0).round() / 100.0,
        }));
    }
    Ok(json!({ "unit": first["unit"], "boots": results.len(), "rows": medians }))
}

fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn middle_or_null(values: &[f64]) -> Value {
    middle(values).map_or(Value::Null, Value::from)
}

/// A table with one line per path and one column per burst.
fn table(result: &Value) -> Result<String> {
    let rows = rows(result)?;
    let mut bursts: Vec<u64> = rows.iter().map(|row| row.burst).collect();
    bursts.sort_unstable();
    bursts.dedup();
    let mut paths: Vec<&str> = Vec::new();
    for row in &rows {
        if !paths.contains(&&*row.path) {
            paths.push(&row.path);
        }
    }
    let width = paths
        .iter()
        .map(|path| path.len())
        .max()
        .unwrap_or(0)
        .max(5);
    let unit = result["unit"].as_str().unwrap_or("per event");
    let mut text = format!("{unit}, in parentheses the ratio to the first line\n");
    text += &format!("{:width$}", "burst");
    for burst in &bursts {
        text += &format!(" {burst:>18}");
    }
    text.push('\n');
    for path in paths {
        text += &format!("{path:width$}");
        for burst in &bursts {
            match rows
                .iter()
                .find(|row| row.path == path && row.burst == *burst)
            {
                Some(row) => text += &format!(" {:>18}", row.cell()),
                None => text += &format!(" {:>18}", "-"),
            }
        }
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(values: &[f64]) -> Value {
        let rows: Vec<Value> = values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                json!({"path": "ring", "burst": 8_u64.pow(index as u32), "per_event": value, "ratio": 1.0})
            })
            .collect();
        let locks = json!({"unit": "instructions per pair", "rows": []});
        json!({"unit": "instructions per event", "rows": rows, "locks": locks})
    }

    #[test]
    fn one_odd_boot_does_not_move_the_figure() {
        let results = [
            result(&[100.0, 10.0]),
            result(&[109.0, 10.0]),
            result(&[100.5, 10.0]),
        ];
        let median = median(&results).unwrap();
        let row = &median["rows"][0];
        assert_eq!(row["per_event"], 100.5);
        assert_eq!(row["spread_percent"], 8.96);
        assert_eq!(median["boots"], 3);
        assert_eq!(median["rows"][1]["burst"], 8);
    }

    #[test]
    fn a_missing_cell_is_an_error() {
        assert!(median(&[result(&[1.0, 2.0]), result(&[1.0])]).is_err());
    }

    #[test]
    fn other_output_is_an_error() {
        assert!(parse(b"hello").is_err());
        assert!(parse(b"{\"rows\": 3}").is_err());
        assert!(parse(result(&[1.0]).to_string().as_bytes()).is_ok());
    }

    #[test]
    fn the_table_has_a_column_for_each_burst() {
        let text = table(&result(&[100.0, 10.25])).unwrap();
        assert_eq!(
            text,
            "instructions per event, in parentheses the ratio to the first line\n\
             burst                  1                  8\n\
             ring        100.0 (1.00)        10.2 (1.00)\n"
        );
    }
}
