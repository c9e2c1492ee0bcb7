// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify sources`.

use anyhow::{Result, bail};
use serde_json::json;
use sigrt::{Device, SourceInfo};

use crate::cli::Global;
use crate::demo::Demo;
use crate::{selection, show};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify sources
  rtnotify sources 'gpio*' --json
  rtnotify sources --demo";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these: names, numbers, or patterns such as 'adc*'.
    #[arg(value_name = "SOURCE")]
    only: Vec<String>,
    /// List those of the load that other commands make with --demo.
    #[arg(long)]
    demo: bool,
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    let (device, _demo);
    if arguments.demo {
        device = Device::loopback();
        _demo = Some(Demo::sources(&device)?);
    } else {
        device = global.place.shared()?;
    }
    let listed = device.sources()?;
    let mut chosen = Vec::new();
    for wanted in &arguments.only {
        let found = selection::find(&listed, wanted);
        if found.is_empty() {
            bail!("{}", selection::nothing(&listed, wanted));
        }
        for info in found {
            if !chosen.contains(&info) {
                chosen.push(info);
            }
        }
    }
    if arguments.only.is_empty() {
        chosen = listed.iter().collect();
    }
    if global.json {
        for info in chosen {
            show::json(&as_json(info))?;
        }
        return Ok(true);
    }
    if chosen.is_empty() {
        show::remark("there are no sources");
        return Ok(true);
    }
    let heads = [
        "no",
        "name",
        "type",
        "payload",
        "period",
        "posted",
        "refused",
        "subscribers",
    ];
    let rows: Vec<_> = chosen.into_iter().map(as_row).collect();
    show::line(show::table(&heads, &rows).trim_end())?;
    Ok(true)
}

fn as_row(info: &SourceInfo) -> Vec<String> {
    let direction = if info.writable {
        ""
    } else {
        " (takes no posts)"
    };
    vec![
        info.number.to_string(),
        info.name.clone(),
        format!("{}{direction}", info.source_type),
        format!("{} B", info.max_payload),
        info.period
            .map_or("-".to_owned(), |period| format!("{period:?}")),
        info.posted.to_string(),
        info.refused.to_string(),
        info.subscribers.to_string(),
    ]
}

pub(crate) fn as_json(info: &SourceInfo) -> serde_json::Value {
    json!({
        "number": info.number,
        "name": info.name,
        "type": info.source_type.to_string(),
        "writable": info.writable,
        "max_payload": info.max_payload,
        "period_ns": info.period.map(|period| period.as_nanos() as u64),
        "posted": info.posted,
        "refused": info.refused,
        "subscribers": info.subscribers,
    })
}
