// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify stats`: counters of the host, or of what is watched for a while.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use crossbeam_channel::{after, select};
use serde_json::json;
use sigrt::Delivery;

use crate::cli::Global;
use crate::counters::{self, Client};
use crate::latency::{self, Histogram};
use crate::selection::Selection;
use crate::{connect, interrupt, parse, show, sources};

pub(crate) const EXAMPLES: &str = "\
Examples:
  sudo rtnotify stats                        # every open file of the device
  rtnotify stats adc door --for 10s          # what arrives in ten seconds, and how late
  rtnotify stats --timer tick=1ms --for 2s --json

With --json a line is {\"source\": …}, {\"client\": …} or {\"latency\": …}. The status is 1 if the counters
of any open file do not balance: posted = consumed + queued + lost.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// How long to watch.
    #[arg(long = "for", value_name = "TIME", default_value = "1s", value_parser = parse::duration)]
    period: Duration,
    /// Read the counters of all open files there, rather than where debugfs usually is.
    #[arg(long, value_name = "DIRECTORY")]
    debugfs: Option<PathBuf>,
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    if arguments.selection.is_empty() {
        host(global, arguments)
    } else {
        watched(global, arguments)
    }
}

/// Counters of every open file.
fn host(global: &Global, arguments: &Arguments) -> Result<bool> {
    let debugfs = arguments
        .debugfs
        .clone()
        .unwrap_or_else(|| counters::DEBUGFS.into());
    // Who names a directory wants what it says, whether there is a device or not.
    let mut counts_others = true;
    if arguments.debugfs.is_none() {
        let device = global.place.shared()?;
        if connect::is_own(&device) {
            bail!(
                "a loopback belongs to one process and begins empty, so there is nothing to count: \
                 watch something (`rtnotify stats --timer tick=1ms`), or use the module's device"
            );
        }
        counts_others = device.is_kernel();
        let listed = device.sources()?;
        if global.json {
            for info in &listed {
                show::json(&json!({ "source": sources::as_json(info) }))?;
            }
        } else {
            let heads = ["source", "posted", "refused", "subscribers"];
            let rows: Vec<_> = listed
                .iter()
                .map(|info| {
                    vec![
                        info.name.clone(),
                        info.posted.to_string(),
                        info.refused.to_string(),
                        info.subscribers.to_string(),
                    ]
                })
                .collect();
            show::line(&show::table(&heads, &rows))?;
        }
    } else if !debugfs.join("clients").exists() {
        bail!(
            "{} has no `clients`: load the module (`modprobe rtnotify`), or look elsewhere",
            debugfs.display()
        );
    }
    if !counts_others {
        show::remark(
            "a broker tells nobody of the others' counters: watch something (`rtnotify stats SOURCE`)",
        );
        return Ok(true);
    }
    let (clients, remark) = counters::of_host(&debugfs, global.place.node())?;
    let balanced = print(global, &clients)?;
    if let Some(remark) = remark {
        show::remark(&remark);
    }
    Ok(balanced)
}

/// Prints clients; whether all of them balance.
fn print(global: &Global, clients: &[Client]) -> Result<bool> {
    if global.json {
        for client in clients {
            show::json(&json!({ "client": client.as_json() }))?;
        }
    } else if clients.is_empty() {
        show::remark("nobody has the device open");
    } else {
        let rows: Vec<_> = clients.iter().map(Client::as_row).collect();
        show::line(show::table(&counters::HEADS, &rows).trim_end())?;
    }
    let mut all = true;
    for client in clients.iter().filter(|client| !client.is_balanced()) {
        all = false;
        show::complaint(&format!(
            "{}: {} posted is not {} consumed + {} queued + {} lost",
            client.name,
            client.get("posted"),
            client.get("consumed"),
            client.get("queued"),
            client.lost()
        ));
    }
    Ok(all)
}

/// Counters of a subscription of our own, and how late its events were.
fn watched(global: &Global, arguments: &Arguments) -> Result<bool> {
    let stop = interrupt::channel()?;
    let mut selected = arguments.selection.start(global)?;
    let names = selected.names();
    let over = after(arguments.period);
    let mut late: BTreeMap<u32, Histogram> = BTreeMap::new();
    loop {
        select! {
            recv(selected.subscription) -> delivery => {
                if let Delivery::Event(event) = delivery.map_err(|_| selected.failure())? {
                    let time = latency::now().saturating_sub(event.time);
                    late.entry(event.source).or_default().add(time);
                }
            }
            recv(over) -> _ => break,
            recv(stop) -> _ => break,
        }
    }
    selected.end_load();
    let stats = selected
        .subscription
        .stats()
        .context("cannot read the counters")?;
    let client = Client::own("this command", &stats);
    let balanced = print(global, std::slice::from_ref(&client))?;
    let name = |number: &u32| names.get(number).map_or("?", String::as_str);
    if global.json {
        for (number, histogram) in &late {
            let mut value = as_json(histogram);
            value["source"] = name(number).into();
            show::json(&json!({ "latency": value }))?;
        }
        return Ok(balanced);
    }
    let heads = [
        "source",
        "received",
        "half within",
        "99 % within",
        "longest",
        "1µs … 16ms and more",
    ];
    let rows: Vec<_> = late
        .iter()
        .map(|(number, histogram)| {
            let quantile = |permille| {
                histogram
                    .quantile(permille)
                    .map_or("-".into(), show::duration)
            };
            vec![
                name(number).to_owned(),
                histogram.count().to_string(),
                quantile(500),
                quantile(990),
                show::duration(histogram.longest()),
                histogram.bars(),
            ]
        })
        .collect();
    show::line("")?;
    show::line(show::table(&heads, &rows).trim_end())?;
    Ok(balanced)
}

/// A histogram for programs.
pub(crate) fn as_json(histogram: &Histogram) -> serde_json::Value {
    let ns = |time: Duration| time.as_nanos() as u64;
    json!({
        "events": histogram.count(),
        "p50_ns": histogram.quantile(500).map(ns),
        "p99_ns": histogram.quantile(990).map(ns),
        "max_ns": ns(histogram.longest()),
        "log2_us": histogram.columns(),
    })
}
