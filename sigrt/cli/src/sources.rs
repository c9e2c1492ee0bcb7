// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify sources`.

use anyhow::Result;
use serde_json::json;
use sigrt::SourceInfo;

use crate::{Global, show};

pub(crate) fn command(global: &Global) -> Result<()> {
    let sources = global.device()?.sources()?;
    if global.json {
        for info in &sources {
            show::json(&as_json(info))?;
        }
        return Ok(());
    }
    if sources.is_empty() {
        eprintln!("there are no sources");
        return Ok(());
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
    let rows: Vec<_> = sources.iter().map(as_row).collect();
    show::line(show::table(&heads, &rows).trim_end())?;
    Ok(())
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

fn as_json(info: &SourceInfo) -> serde_json::Value {
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
