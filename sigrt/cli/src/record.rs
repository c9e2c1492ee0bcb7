// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify record`: what arrives, into a trace.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use crossbeam_channel::{Receiver, after, never, select};
use serde_json::json;
use sigrt::trace::Writer;

use crate::cli::Global;
use crate::selection::Selection;
use crate::{connect, interrupt, parse, show};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify record -o door.rtn door adc --for 60s
  rtnotify record -o tick.rtn --timer tick=10ms -n 1000
  rtnotify record -o - edu | zstd > edu.rtn.zst

The format is described in docs/trace-format.md. A trace is intact up to its last frame even if the
command is killed. With --json the account is one object.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The file to write; "-" is standard output.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Replace the file if there is one.
    #[arg(long)]
    force: bool,
    /// Stop after so many deliveries.
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
    /// Stop after so long.
    #[arg(long = "for", value_name = "TIME", value_parser = parse::duration)]
    period: Option<Duration>,
}

fn open(arguments: &Arguments) -> Result<Box<dyn Write>> {
    let path = &arguments.output;
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdout().lock()));
    }
    let mut options = OpenOptions::new();
    options.write(true);
    if arguments.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let file = options.open(path).with_context(|| {
        let name = path.display();
        if !arguments.force && path.exists() {
            format!("{name} is there already: --force replaces it")
        } else {
            format!("cannot write {name}")
        }
    })?;
    Ok(Box::new(file))
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    let stop = interrupt::channel()?;
    let mut selected = arguments.selection.start(global)?;
    // Opened when it is clear that there is something to record.
    let out = BufWriter::with_capacity(1 << 16, open(arguments)?);
    let cannot = || format!("cannot write {}", arguments.output.display());
    let mut writer = Writer::new(out).with_context(cannot)?;
    let recorded = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    for (key, value) in [
        ("program", concat!("rtnotify ", env!("CARGO_PKG_VERSION"))),
        ("recorded", &recorded.as_secs().to_string()),
        ("kernel", kernel.trim()),
        ("clock", "monotonic"),
        ("device", connect::name(&selected.device)),
    ] {
        writer.meta(key, value).with_context(cannot)?;
    }
    for info in &selected.sources {
        writer.source(&info.into()).with_context(cannot)?;
    }
    writer.flush().with_context(cannot)?;
    let over: Receiver<_> = arguments.period.map_or_else(never, after);
    let wanted = arguments.count.unwrap_or(u64::MAX);
    while writer.totals().deliveries() < wanted {
        select! {
            recv(selected.subscription) -> delivery => {
                let delivery = delivery.map_err(|_| selected.failure())?;
                writer.delivery(&delivery).with_context(cannot)?;
                // What has arrived is written before anything is waited for.
                if selected.subscription.is_empty() {
                    writer.flush().with_context(cannot)?;
                }
            }
            recv(stop) -> _ => break,
            recv(over) -> _ => break,
        }
    }
    selected.end_load();
    let totals = writer.totals();
    writer.finish().with_context(cannot)?;
    if global.json && arguments.output.as_os_str() != "-" {
        show::json(&json!({
            "file": arguments.output,
            "events": totals.events,
            "gaps": totals.gaps,
            "lost": totals.lost,
            "gone": totals.gone,
        }))?;
    } else {
        show::remark(&format!(
            "{} events recorded, {} lost in {} gaps",
            totals.events, totals.lost, totals.gaps
        ));
    }
    Ok(true)
}
