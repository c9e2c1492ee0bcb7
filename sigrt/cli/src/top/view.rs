// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a frame of `top` shows: two looks at the counters, compared.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::ValueEnum;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table};
use serde_json::json;
use sigrt::SourceInfo;

use super::probe::{Probe, Snapshot};
use crate::counters::Client;
use crate::latency::Histogram;
use crate::{show, stats};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Sort {
    /// As the device numbers them.
    Number,
    /// By name.
    Name,
    /// Most events per second first.
    Rate,
    /// Most lost first.
    Lost,
    /// Latest first.
    Latency,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Number => Self::Name,
            Self::Name => Self::Rate,
            Self::Rate => Self::Lost,
            Self::Lost => Self::Latency,
            Self::Latency => Self::Number,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Name => "name",
            Self::Rate => "rate",
            Self::Lost => "lost",
            Self::Latency => "latency",
        }
    }
}

/// What is shown, and how.
pub(super) struct View {
    probe: Probe,
    started: Instant,
    first: Snapshot,
    before: Snapshot,
    now: Snapshot,
    pub(super) sort: Sort,
    pub(super) reverse: bool,
    pub(super) paused: bool,
    pub(super) help: bool,
}

/// A source with what changed.
struct SourceLine<'a> {
    info: &'a SourceInfo,
    rate: f64,
    late: Option<&'a Histogram>,
}

/// A subscriber with what changed.
struct ClientLine<'a> {
    client: &'a Client,
    rate: f64,
    lost_rate: f64,
    signal_rate: f64,
    late: Option<&'a Histogram>,
}

fn since(before: u64, now: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        now.saturating_sub(before) as f64 / seconds
    } else {
        0.0
    }
}

/// A rate in few digits.
fn per_second(rate: f64) -> String {
    if rate > 0.0 && rate < 9.95 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.0}")
    }
}

fn quantile(late: Option<&Histogram>, permille: u64) -> String {
    late.and_then(|late| late.quantile(permille))
        .map_or_else(|| "-".to_owned(), show::duration)
}

fn longest(late: Option<&Histogram>) -> String {
    late.filter(|late| late.count() > 0)
        .map_or_else(|| "-".to_owned(), |late| show::duration(late.longest()))
}

fn bars(late: Option<&Histogram>) -> String {
    late.filter(|late| late.count() > 0)
        .map(Histogram::bars)
        .unwrap_or_default()
}

impl View {
    pub(super) fn new(mut probe: Probe, sort: Sort) -> Result<Self> {
        Ok(Self {
            started: Instant::now(),
            first: probe.look()?,
            before: probe.look()?,
            now: probe.look()?,
            probe,
            sort,
            reverse: false,
            paused: false,
            help: false,
        })
    }

    /// Looks again.
    pub(super) fn look(&mut self) -> Result<()> {
        if !self.paused {
            let now = self.probe.look()?;
            self.before = std::mem::replace(&mut self.now, now);
        }
        Ok(())
    }

    /// Ends the load, if there is one of ours.
    pub(super) fn finish(&mut self) {
        self.probe.finish();
    }

    fn seconds(&self) -> f64 {
        (self.now.at - self.before.at).as_secs_f64()
    }

    fn source_lines(&self) -> Vec<SourceLine<'_>> {
        let seconds = self.seconds();
        let mut lines: Vec<_> = self
            .now
            .sources
            .iter()
            .map(|info| {
                let before = self.before.sources.iter();
                let before = before.filter(|b| b.number == info.number);
                let posted = before.map(|b| b.posted).next().unwrap_or(0);
                SourceLine {
                    info,
                    rate: since(posted, info.posted, seconds),
                    late: self.now.late.get(&info.number),
                }
            })
            .collect();
        match self.sort {
            Sort::Number => lines.sort_by_key(|line| line.info.number),
            Sort::Name => lines.sort_by(|a, b| a.info.name.cmp(&b.info.name)),
            Sort::Rate => lines.sort_by(|a, b| b.rate.total_cmp(&a.rate)),
            Sort::Lost => lines.sort_by_key(|line| std::cmp::Reverse(line.info.refused)),
            Sort::Latency => lines.sort_by_key(|line| {
                std::cmp::Reverse(line.late.and_then(|late| late.quantile(990)))
            }),
        }
        if self.reverse {
            lines.reverse();
        }
        lines
    }

    fn client_lines(&self) -> Vec<ClientLine<'_>> {
        let seconds = self.seconds();
        let mut lines: Vec<_> = self
            .now
            .clients
            .iter()
            .map(|(client, late)| {
                let before = self.before.clients.iter();
                let before = before.map(|(b, _)| b).find(|b| b.name == client.name);
                let counts = |name: &str| {
                    let before = before.map_or(0, |b| b.get(name));
                    since(before, client.get(name), seconds)
                };
                ClientLine {
                    client,
                    rate: counts("consumed"),
                    lost_rate: since(before.map_or(0, Client::lost), client.lost(), seconds),
                    signal_rate: counts("signals_sent"),
                    late: Some(late).filter(|late| late.count() > 0),
                }
            })
            .collect();
        match self.sort {
            Sort::Number => {}
            Sort::Name => lines.sort_by(|a, b| a.client.name.cmp(&b.client.name)),
            Sort::Rate => lines.sort_by(|a, b| b.rate.total_cmp(&a.rate)),
            Sort::Lost => lines.sort_by_key(|line| std::cmp::Reverse(line.client.lost())),
            Sort::Latency => lines.sort_by_key(|line| {
                std::cmp::Reverse(line.late.and_then(|late| late.quantile(990)))
            }),
        }
        if self.reverse {
            lines.reverse();
        }
        lines
    }

    /// Lines that a frame needs.
    pub(super) fn height(&self) -> u16 {
        // Borders, heads, the first and the last line.
        let lines = self.now.sources.len().max(1) + self.now.clients.len().max(1) + 8;
        u16::try_from(lines).unwrap_or(u16::MAX).min(400)
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let rows = |lines: usize| u16::try_from(lines.max(1) + 3).unwrap_or(u16::MAX);
        let sources = rows(self.now.sources.len());
        // Subscribers keep room for three, however many sources there are.
        let left = frame.area().height.saturating_sub(2);
        let left = left.saturating_sub(rows(self.now.clients.len()).min(6));
        let [top, middle, bottom, last] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(sources.min(left.max(4))),
            Constraint::Min(4),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), top);
        frame.render_widget(self.sources(), middle);
        frame.render_widget(self.clients(), bottom);
        frame.render_widget(Paragraph::new(self.foot()), last);
        if self.help {
            help(frame);
        }
    }

    fn head(&self) -> Line<'_> {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let rate: f64 = self.source_lines().iter().map(|line| line.rate).sum();
        let lost: u64 = self
            .now
            .clients
            .iter()
            .map(|(client, _)| client.lost())
            .sum();
        let day = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
            % 86_400;
        let mut spans = vec![
            Span::styled("rtnotify top", bold),
            Span::raw(format!(
                "  {:02}:{:02}:{:02} UTC  {}: {} sources, {} subscribers, {} events/s, ",
                day / 3600,
                day / 60 % 60,
                day % 60,
                self.probe.place(),
                self.now.sources.len(),
                self.now.clients.len(),
                per_second(rate),
            )),
            Span::styled(format!("{lost} lost"), alarm(lost > 0)),
        ];
        if self.paused {
            spans.push(Span::styled("  paused", bold));
        }
        Line::from(spans)
    }

    fn foot(&self) -> Line<'_> {
        let order = if self.reverse { ", reversed" } else { "" };
        let keys = format!("by {}{order}  q quit  ? help", self.sort.name());
        Line::from(match self.probe.remark() {
            Some(remark) => format!("{keys}  {remark}"),
            None => keys,
        })
        .style(Style::new().add_modifier(Modifier::DIM))
    }

    fn sources(&self) -> Table<'_> {
        let rows = self.source_lines().into_iter().map(|line| {
            let info = line.info;
            Row::new(vec![
                right(info.number.to_string()),
                Line::from(info.name.clone()),
                Line::from(info.source_type.to_string()),
                right(info.posted.to_string()),
                right(per_second(line.rate)),
                right(info.refused.to_string()).style(alarm(info.refused > 0)),
                right(info.subscribers.to_string()),
                right(quantile(line.late, 500)),
                right(quantile(line.late, 990)),
                right(longest(line.late)),
                Line::from(bars(line.late)),
            ])
        });
        let heads = [
            ("no", true),
            ("name", false),
            ("type", false),
            ("posted", true),
            ("per s", true),
            ("refused", true),
            ("subs", true),
            ("half in", true),
            ("99% in", true),
            ("longest", true),
            ("1µs to 16ms+", false),
        ];
        let widths = [4, 14, 7, 11, 9, 8, 4, 8, 8, 8, 16];
        table(rows, &widths, &heads, " sources ")
    }

    fn clients(&self) -> Table<'_> {
        let rows = self.client_lines().into_iter().map(|line| {
            let client = line.client;
            let unwell = client.state.contains("gone") || client.state.contains("unhandled");
            Row::new(vec![
                Line::from(client.name.clone()).style(alarm(unwell)),
                right(client.get("consumed").to_string()),
                right(per_second(line.rate)),
                right(client.get("queued").to_string()),
                right(client.get("high_water").to_string()),
                right(client.lost().to_string()).style(alarm(client.lost() > 0)),
                right(per_second(line.lost_rate)).style(alarm(line.lost_rate > 0.0)),
                right(per_second(line.signal_rate)),
                right(quantile(line.late, 500)),
                right(quantile(line.late, 990)),
                Line::from(bars(line.late)),
            ])
        });
        let heads = [
            ("name", false),
            ("received", true),
            ("per s", true),
            ("queued", true),
            ("most", true),
            ("lost", true),
            ("per s", true),
            ("signals/s", true),
            ("half in", true),
            ("99% in", true),
            ("1µs to 16ms+", false),
        ];
        let widths = [14, 10, 8, 6, 6, 8, 6, 9, 7, 7, 16];
        table(rows, &widths, &heads, " subscribers ")
    }

    /// What a program gets.
    pub(super) fn as_json(&self) -> serde_json::Value {
        let late = |late: Option<&Histogram>| late.map(stats::as_json);
        let sources: Vec<_> = self
            .source_lines()
            .iter()
            .map(|line| {
                let mut value = crate::sources::as_json(line.info);
                value["posted_per_s"] = line.rate.into();
                value["latency"] = late(line.late).into();
                value
            })
            .collect();
        let clients: Vec<_> = self
            .client_lines()
            .iter()
            .map(|line| {
                let mut value = line.client.as_json();
                value["consumed_per_s"] = line.rate.into();
                value["lost_per_s"] = line.lost_rate.into();
                value["signals_per_s"] = line.signal_rate.into();
                value["latency"] = late(line.late).into();
                value
            })
            .collect();
        json!({
            "place": self.probe.place(),
            "interval_s": self.seconds(),
            "sources": sources,
            "subscribers": clients,
        })
    }

    /// What happened while we looked.
    pub(super) fn summary(&self) -> String {
        let sum = |snapshot: &Snapshot, count: fn(&Client) -> u64| -> u64 {
            snapshot
                .clients
                .iter()
                .map(|(client, _)| count(client))
                .sum()
        };
        let posted =
            |snapshot: &Snapshot| -> u64 { snapshot.sources.iter().map(|info| info.posted).sum() };
        format!(
            "{} posted, {} received, {} lost in {}",
            posted(&self.now).saturating_sub(posted(&self.first)),
            sum(&self.now, |client| client.get("consumed"))
                .saturating_sub(sum(&self.first, |client| client.get("consumed"))),
            sum(&self.now, Client::lost).saturating_sub(sum(&self.first, Client::lost)),
            show::duration(Duration::from_millis(
                self.started.elapsed().as_millis() as u64
            )),
        )
    }
}

fn right(text: String) -> Line<'static> {
    Line::from(text).alignment(Alignment::Right)
}

fn alarm(is: bool) -> Style {
    if is {
        Style::new().fg(Color::Red)
    } else {
        Style::new()
    }
}

fn table<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    widths: &[u16],
    heads: &[(&'static str, bool)],
    title: &'static str,
) -> Table<'a> {
    let heads = heads.iter().map(|&(head, to_right)| {
        let line = Line::from(head);
        if to_right {
            line.alignment(Alignment::Right)
        } else {
            line
        }
    });
    let bold = Style::new().add_modifier(Modifier::BOLD);
    Table::new(rows, widths.iter().map(|&width| Constraint::Length(width)))
        .header(Row::new(heads).style(bold))
        .block(Block::bordered().title(title))
}

const HELP: &str = "\
q, Esc, Ctrl-C   quit
p, space         pause, go on
s                sort by something else
r                reverse the order
+, -             look more rarely, more often
?, h             this

refused   deliveries that a subscriber had no room for
subs      subscriptions now
half in   half of the events arrived within this time
most      most events ever queued at once
1µs to …  how many took below 1, 2, 4 … µs";

fn help(frame: &mut Frame<'_>) {
    let (width, height) = (62, HELP.lines().count() as u16 + 2);
    let area = frame.area();
    let place = Rect {
        x: area.width.saturating_sub(width) / 2,
        y: area.height.saturating_sub(height) / 2,
        width: width.min(area.width),
        height: height.min(area.height),
    };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title(" keys and columns ");
    frame.render_widget(Paragraph::new(HELP).block(block), place);
}
