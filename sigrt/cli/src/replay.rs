// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify replay`: a trace is checked, or posted again with its timing.
//!
//! The whole file is read first, so what is wrong with it is known before anything is posted. What is intact is
//! then posted all the same, and the status says that it was not everything.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use crossbeam_channel::Receiver;
use serde_json::json;
use sigrt::trace::{Entry, Reader, Totals};
use sigrt::{Delivery, Device, Error, Event, Source, SourceOptions, Subscription};

use crate::cli::{Global, Usage};
use crate::{connect, interrupt, parse, post, show};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify replay door.rtn --verify
  rtnotify replay door.rtn --wait 1              # as it was, once somebody listens
  rtnotify replay door.rtn --speed 10 --loop 5
  rtnotify replay door.rtn --fast --as door=front-door --device loopback

Sources are created under their recorded names. On the loopback nobody else can listen, so the command
does, and compares. With --json the account is one object. The status is 1 if the trace is damaged or
something arrived otherwise than it was posted.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The trace.
    file: PathBuf,
    /// Only check it, and say what it holds; no device is needed.
    #[arg(long)]
    verify: bool,
    /// So many times as fast as it was.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = parse::rate)]
    speed: f64,
    /// As fast as it goes.
    #[arg(long, conflicts_with = "speed")]
    fast: bool,
    /// So many times; 0 is until interrupted.
    #[arg(long = "loop", value_name = "N", default_value_t = 1)]
    times: u64,
    /// Post what a source said under another name.
    #[arg(long = "as", value_name = "RECORDED=NAME", value_parser = renamed)]
    renamed: Vec<(String, String)>,
    /// Post to sources that are there rather than creating them.
    #[arg(long)]
    existing: bool,
    /// Begin when every source has so many subscribers.
    #[arg(long, value_name = "N", default_value_t = 0)]
    wait: u32,
    /// Begin so long after that: time for subscribers to get ready.
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    delay: Option<Duration>,
    /// Subscribe to what is posted, and compare; on the loopback that is done anyway.
    #[arg(long)]
    check: bool,
    /// Put the time of each event in front of its payload: nanoseconds since the first one, 8 bytes, least significant
    /// first. For subscribers who want it exact, such as maps of app-shim that say `time payload`.
    #[arg(long)]
    stamp: bool,
}

fn renamed(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or("RECORDED=NAME is needed")?;
    Ok((from.to_owned(), to.to_owned()))
}

/// What is wrong: how much, and the first of it, for a damaged trace can be as long as it likes.
#[derive(Default)]
struct Complaints {
    count: u64,
    first: Vec<String>,
}

impl Complaints {
    /// So many are kept.
    const KEPT: usize = 10;

    fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < Self::KEPT {
            self.first.push(text());
        }
    }

    fn print(&self, about: &str) {
        for text in &self.first {
            show::complaint(&format!("{about}: {text}"));
        }
        let more = self.count - self.first.len() as u64;
        if more > 0 {
            show::complaint(&format!("{about}: and {more} more"));
        }
    }
}

/// What a trace holds, and what is wrong with it.
#[derive(Default)]
struct Survey {
    version: u16,
    meta: Vec<(String, String)>,
    sources: Vec<sigrt::trace::Source>,
    totals: Totals,
    /// Times of the first and the last event.
    span: Option<(Duration, Duration)>,
    wrong: Complaints,
}

fn reader(arguments: &Arguments) -> Result<Reader<BufReader<File>>> {
    let name = arguments.file.display();
    let file = File::open(&arguments.file).with_context(|| format!("cannot read {name}"))?;
    Reader::new(BufReader::new(file)).with_context(|| format!("{name}"))
}

fn survey(arguments: &Arguments) -> Result<Survey> {
    let mut reader = reader(arguments)?;
    let mut survey = Survey {
        version: reader.version(),
        ..Survey::default()
    };
    // The number of the last event of each source, delivered or lost.
    let mut last: HashMap<u32, u64> = HashMap::new();
    for entry in &mut reader {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                survey.wrong.add(|| error.to_string());
                // What follows a damaged frame is not in sequence.
                last.clear();
                continue;
            }
        };
        match entry {
            Entry::Meta { key, value } => survey.meta.push((key, value)),
            Entry::Source(source) => survey.sources.push(source),
            Entry::Delivery(delivery) => {
                let source = delivery.source();
                if survey.sources.iter().all(|s| s.number != source) {
                    survey
                        .wrong
                        .add(|| format!("a delivery from source {source}, which is not described"));
                }
                let (first, until) = match &delivery {
                    Delivery::Event(event) => {
                        let (from, to) = survey.span.unwrap_or((event.time, event.time));
                        survey.span = Some((from.min(event.time), to.max(event.time)));
                        (event.source_seq, event.source_seq)
                    }
                    Delivery::Gap(gap) => (gap.first, gap.last),
                    Delivery::Gone(_) => continue,
                };
                // A subscription with a filter, or begun later, has holes; numbers never go back.
                if let Some(&before) = last.get(&source)
                    && first <= before
                {
                    survey
                        .wrong
                        .add(|| format!("source {source}: after number {before} comes {first}"));
                }
                last.insert(source, until);
            }
            _ => {}
        }
    }
    survey.totals = reader.totals();
    Ok(survey)
}

impl Survey {
    fn length(&self) -> Duration {
        self.span
            .map_or(Duration::ZERO, |(from, to)| to.saturating_sub(from))
    }

    fn as_json(&self, arguments: &Arguments) -> serde_json::Value {
        let meta: serde_json::Map<_, _> = self
            .meta
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().into()))
            .collect();
        let sources: Vec<_> = self.sources.iter().map(|source| &*source.name).collect();
        json!({
            "file": arguments.file,
            "version": self.version,
            "notes": meta,
            "sources": sources,
            "events": self.totals.events,
            "gaps": self.totals.gaps,
            "lost": self.totals.lost,
            "gone": self.totals.gone,
            "seconds": self.length().as_secs_f64(),
            "damage": self.wrong.first,
            "damage_count": self.wrong.count,
        })
    }

    fn print(&self) -> Result<()> {
        for (key, value) in &self.meta {
            show::line(&format!("{key:<10} {value}"))?;
        }
        for source in &self.sources {
            let text = format!("source     {} ({})", source.name, source.source_type);
            show::line(&text)?;
        }
        show::line(&format!(
            "intact     {} events in {}, {} lost in {} gaps",
            self.totals.events,
            show::duration(self.length()),
            self.totals.lost,
            self.totals.gaps
        ))?;
        Ok(())
    }
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    let survey = survey(arguments)?;
    survey.wrong.print(&arguments.file.display().to_string());
    let intact = survey.wrong.count == 0;
    if arguments.verify {
        if global.json {
            show::json(&survey.as_json(arguments))?;
        } else {
            survey.print()?;
        }
        return Ok(intact);
    }
    let stop = interrupt::channel()?;
    let mut stage = Stage::new(global, arguments, &survey)?;
    let begins =
        stage.wait(arguments, &stop)? && arguments.delay.is_none_or(|d| post::wait(Some(d), &stop));
    let started = Instant::now();
    let mut rounds = 0;
    if begins {
        while arguments.times == 0 || rounds < arguments.times {
            if !stage.round(arguments, &survey, &stop)? {
                break;
            }
            rounds += 1;
        }
    }
    stage.settle()?;
    let elapsed = started.elapsed();
    stage.wrong.print("not as recorded");
    if global.json {
        let mut account = survey.as_json(arguments);
        account["rounds"] = rounds.into();
        account["posted"] = stage.posted.into();
        account["received"] = stage.listener.is_some().then_some(stage.received).into();
        account["differences"] = stage.wrong.count.into();
        account["took_seconds"] = elapsed.as_secs_f64().into();
        show::json(&account)?;
    } else {
        let compared = match stage.listener {
            Some(_) => format!(
                ", {} received, {} differences",
                stage.received, stage.wrong.count
            ),
            None => String::new(),
        };
        show::line(&format!(
            "{} events posted in {}{compared}; {} were lost when this was recorded",
            stage.posted,
            show::duration(elapsed),
            survey.totals.lost
        ))?;
    }
    Ok(intact && stage.wrong.count == 0)
}

/// Bytes of a time in front of a payload.
const STAMP: usize = size_of::<u64>();

/// Bytes of payload that the device queues for us.
const QUOTA: usize = 64 << 20;

/// Where a trace is played.
struct Stage {
    device: Device,
    /// By their numbers in the trace.
    sources: HashMap<u32, Source>,
    listener: Option<Subscription>,
    /// Posted, and not yet received.
    expected: VecDeque<(u32, Event)>,
    /// Their payloads together.
    bytes: usize,
    posted: u64,
    received: u64,
    wrong: Complaints,
}

impl Stage {
    fn new(global: &Global, arguments: &Arguments, survey: &Survey) -> Result<Self> {
        let device = global.place.shared()?;
        for (name, _) in &arguments.renamed {
            if survey.sources.iter().all(|source| source.name != *name) {
                bail!(Usage(format!("the trace has no source {name:?} to rename")));
            }
        }
        let mut sources = HashMap::new();
        for recorded in &survey.sources {
            let renamed = arguments.renamed.iter();
            let name = renamed
                .rev()
                .find(|(from, _)| *from == recorded.name)
                .map_or(&recorded.name, |(_, to)| to);
            let source = if arguments.existing {
                device.source(name.as_str())?
            } else {
                // A timer's events have no payload, and are posted like any other's.
                let room = recorded.max_payload + if arguments.stamp { STAMP } else { 0 };
                let options = SourceOptions::new(name).max_payload(room);
                device.create_source(options).with_context(|| {
                    format!("cannot create {name:?} (--existing posts to one that is there, --as renames)")
                })?
            };
            sources.insert(recorded.number, source);
        }
        let listener = if sources.is_empty() || (!connect::is_own(&device) && !arguments.check) {
            None
        } else {
            let mut builder = device.subscription().quota(QUOTA as u64);
            for source in sources.values() {
                builder = builder.subscribe(source);
            }
            Some(builder.start()?)
        };
        Ok(Self {
            device,
            sources,
            listener,
            expected: VecDeque::new(),
            bytes: 0,
            posted: 0,
            received: 0,
            wrong: Complaints::default(),
        })
    }

    /// Waits for subscribers; false when the command is to end.
    fn wait(&self, arguments: &Arguments, stop: &Receiver<()>) -> Result<bool> {
        loop {
            let listed = self.device.sources()?;
            let missing = self.sources.values().any(|source| {
                let info = listed.iter().find(|info| info.number == source.number());
                info.is_none_or(|info| info.subscribers < arguments.wait)
            });
            if !missing {
                return Ok(true);
            }
            if !post::wait(Some(Duration::from_millis(10)), stop) {
                return Ok(false);
            }
        }
    }

    /// Plays the trace once; false when the command is to end.
    fn round(
        &mut self,
        arguments: &Arguments,
        survey: &Survey,
        stop: &Receiver<()>,
    ) -> Result<bool> {
        let Some((first, _)) = survey.span else {
            return Ok(!interrupt::is_over(stop));
        };
        let start = Instant::now();
        for entry in reader(arguments)?.flatten() {
            let Entry::Delivery(Delivery::Event(mut event)) = entry else {
                continue;
            };
            if arguments.stamp {
                let time = event.time.saturating_sub(first).as_nanos() as u64;
                event.payload = [&time.to_le_bytes()[..], &event.payload].concat().into();
            }
            let due = event.time.saturating_sub(first).as_secs_f64() / arguments.speed;
            let due = Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX);
            let left = || {
                let left = due.checked_sub(start.elapsed());
                left.filter(|left| !arguments.fast && !left.is_zero())
            };
            if left().is_some() {
                // There is time to compare.
                self.settle()?;
            }
            let left = left();
            if !post::wait(left, stop) {
                return Ok(false);
            }
            if !self.post(event, stop)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Posts an event; false when the command is to end.
    fn post(&mut self, event: Event, stop: &Receiver<()>) -> Result<bool> {
        let Some(source) = self.sources.get(&event.source) else {
            // The survey has complained about it.
            return Ok(true);
        };
        let number = source.number();
        loop {
            match source.post_kind(event.kind, event.value, &event.payload) {
                Ok(()) => break,
                Err(Error::Busy { .. }) => {
                    if !post::wait(Some(Duration::from_micros(200)), stop) {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error).context("cannot post"),
            }
        }
        self.posted += 1;
        if self.listener.is_some() {
            self.bytes += event.payload.len();
            self.expected.push_back((number, event));
            // Half of what the device queues, so that nothing can be lost here.
            if self.expected.len() >= 512 || self.bytes >= QUOTA / 4 {
                self.settle()?;
            }
        }
        Ok(true)
    }

    /// Receives what has been posted, and compares.
    fn settle(&mut self) -> Result<()> {
        let Some(listener) = &self.listener else {
            return Ok(());
        };
        self.bytes = 0;
        while let Some((number, posted)) = self.expected.pop_front() {
            let delivery = listener
                .recv_timeout(Duration::from_secs(10))
                .context("what was posted did not arrive")?;
            self.received += 1;
            let same = match &delivery {
                Delivery::Event(event) => {
                    event.source == number
                        && event.kind == posted.kind
                        && event.value == posted.value
                        && event.payload == posted.payload
                }
                _ => false,
            };
            if !same {
                self.wrong
                    .add(|| format!("{posted:?} was posted, {delivery:?} arrived"));
            }
        }
        Ok(())
    }
}
