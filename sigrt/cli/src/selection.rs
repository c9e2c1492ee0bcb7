// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which sources a command listens to, and how: the options that `watch`, `record`, `stats` and `top` share.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use sigrt::{Device, Filter, Mode, Overflow, Source, SourceInfo, SourceOptions, Subscription};

use crate::cli::{Global, Usage};
use crate::demo::Demo;
use crate::parse::{self, Bits};

#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// Sources: names, numbers, or patterns such as 'adc*'.
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    /// Create a source of that name first, for others to post to, and listen to it too.
    #[arg(long, value_name = "NAME")]
    create: Vec<String>,
    /// Create a timer source first and listen to it too; the period is a number with ns, us, ms or s.
    #[arg(long, value_name = "NAME=PERIOD", value_parser = parse::timer)]
    timer: Vec<(String, Duration)>,
    /// Make a load of events on a loopback of this process, and listen to all of it unless sources are named.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Only events of this kind, or of these, such as 3..7.
    #[arg(long, value_name = "KIND[..KIND]", value_parser = parse::kinds)]
    kind: Option<std::ops::RangeInclusive<u16>>,
    /// Only events whose value is this, or agrees with it in the bits of the mask; without a value it is 0.
    #[arg(long, value_name = "VALUE[/MASK]", value_parser = parse::bits)]
    value: Option<Bits>,
    /// How events are announced.
    #[arg(long, value_enum, default_value = "window")]
    mode: ModeName,
    /// What is lost when there is no room.
    #[arg(
        long,
        value_enum,
        default_value = "reject-newest",
        value_name = "POLICY"
    )]
    overflow: OverflowName,
    /// Events that the device queues at most before it counts them as lost.
    #[arg(long, value_name = "EVENTS", default_value_t = 1024)]
    queue: u32,
    /// Bytes of payload that the device queues at most.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    quota: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeName {
    /// A signal for each event.
    PerEvent,
    /// A bounded number of signals outstanding.
    Window,
    /// One signal when there is something after everything was read.
    Coalesced,
}

impl From<ModeName> for Mode {
    fn from(mode: ModeName) -> Self {
        match mode {
            ModeName::PerEvent => Self::PerEvent,
            ModeName::Window => Self::Window,
            ModeName::Coalesced => Self::Coalesced,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverflowName {
    /// The newest event.
    RejectNewest,
    /// The oldest events.
    DropOldest,
    /// All but the latest event of each source.
    LatestOnly,
    /// Nothing, where the producer can wait; elsewhere the newest.
    Block,
}

impl From<OverflowName> for Overflow {
    fn from(policy: OverflowName) -> Self {
        match policy {
            OverflowName::RejectNewest => Self::RejectNewest,
            OverflowName::DropOldest => Self::DropOldest,
            OverflowName::LatestOnly => Self::LatestOnly,
            OverflowName::Block => Self::Block,
        }
    }
}

/// A subscription to what was selected, with whatever keeps its sources alive.
pub(crate) struct Selected {
    pub(crate) subscription: Subscription,
    pub(crate) sources: Vec<SourceInfo>,
    pub(crate) device: Device,
    load: Load,
}

/// What was made to listen to; a source lives as long as who created it.
pub(crate) struct Load {
    demo: Option<Demo>,
    _created: Vec<Source>,
}

impl Selection {
    /// Whether nothing was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.makes_none()
    }

    fn makes_none(&self) -> bool {
        self.create.is_empty() && self.timer.is_empty() && !self.demo
    }

    /// The device that this is about.
    pub(crate) fn device(&self, global: &Global) -> Result<Device> {
        if self.demo {
            if global.place.names_other_than_loopback() {
                let text = "--demo makes its load on the loopback: it goes with no other --device";
                bail!(Usage(text.to_owned()));
            }
            return Ok(Device::loopback());
        }
        if self.sources.is_empty() && self.create.is_empty() && !self.timer.is_empty() {
            // A timer needs nobody else.
            return global.place.any();
        }
        global.place.shared()
    }

    /// Creates what is to be created and subscribes.
    pub(crate) fn start(&self, global: &Global) -> Result<Selected> {
        if self.is_empty() {
            let text = "name a SOURCE, or make one: --timer NAME=PERIOD, --create NAME, --demo \
                        (`rtnotify sources` lists what there is)";
            bail!(Usage(text.to_owned()));
        }
        let device = self.device(global)?;
        let mut created = self.create(&device)?;
        let demo = if self.demo {
            let demo = Demo::sources(&device)?;
            if self.sources.is_empty() {
                created.extend(demo.iter().cloned());
            }
            Some(demo)
        } else {
            None
        };
        let listed = device.sources()?;
        let chosen = self.choose(&listed, &created)?;
        let mut builder = device
            .subscription()
            .mode(self.mode.into())
            .overflow(self.overflow.into())
            .queue_len(self.queue)
            .quota(self.quota);
        let filter = self.filter();
        for info in &chosen {
            builder = match filter {
                Some(filter) => builder.subscribe_filtered(info.number, filter),
                None => builder.subscribe(info.number),
            };
        }
        let subscription = builder.start()?;
        Ok(Selected {
            subscription,
            sources: chosen,
            device,
            load: Load {
                // Events begin when there is somebody to see them.
                demo: demo.map(Demo::start),
                _created: created,
            },
        })
    }

    fn create(&self, device: &Device) -> Result<Vec<Source>> {
        let mut created = Vec::new();
        for name in &self.create {
            let source = device.create_source(SourceOptions::new(name).max_payload(65_536));
            created.push(source.with_context(|| format!("cannot create {name:?}"))?);
        }
        for (name, period) in &self.timer {
            let source = device.create_timer(name, *period, None);
            created.push(source.with_context(|| format!("cannot create the timer {name:?}"))?);
        }
        Ok(created)
    }

    /// What was named, and what was created; each once.
    fn choose(&self, listed: &[SourceInfo], created: &[Source]) -> Result<Vec<SourceInfo>> {
        let mut chosen: Vec<SourceInfo> = Vec::new();
        let mut add = |info: &SourceInfo| {
            if chosen.iter().all(|c| c.number != info.number) {
                chosen.push(info.clone());
            }
        };
        for wanted in &self.sources {
            let found = find(listed, wanted);
            if found.is_empty() {
                bail!("{}", nothing(listed, wanted));
            }
            found.into_iter().for_each(&mut add);
        }
        for info in listed {
            if created.iter().any(|source| source.number() == info.number) {
                add(info);
            }
        }
        Ok(chosen)
    }

    fn filter(&self) -> Option<Filter> {
        if self.kind.is_none() && self.value.is_none() {
            return None;
        }
        let kinds = self.kind.clone();
        let filter = Filter::kinds(kinds.unwrap_or(0..=sigrt::abi::FIRST_RESERVED_KIND - 1));
        Some(match self.value {
            Some(bits) => filter.value(bits.mask, bits.wanted),
            None => filter,
        })
    }
}

/// The sources that a name, number or pattern means.
pub(crate) fn find<'a>(listed: &'a [SourceInfo], wanted: &str) -> Vec<&'a SourceInfo> {
    let number = wanted.parse::<u32>().ok();
    listed
        .iter()
        .filter(|info| {
            info.name == wanted || Some(info.number) == number || {
                parse::is_pattern(wanted) && parse::matches(wanted, &info.name)
            }
        })
        .collect()
}

/// Says that there is no such source, and what there is.
pub(crate) fn nothing(listed: &[SourceInfo], wanted: &str) -> String {
    let names: Vec<_> = listed.iter().take(8).map(|info| &*info.name).collect();
    let there = match (names.len(), listed.len()) {
        (0, _) => "there are none at all".to_owned(),
        (shown, all) if shown < all => format!("there are {} and more", names.join(", ")),
        _ => format!("there are {}", names.join(", ")),
    };
    format!("there is no source {wanted:?}: {there} (`rtnotify sources` lists them)")
}

impl Load {
    /// Ends what posts by itself, but for timers.
    pub(crate) fn end(&mut self) {
        self.demo = None;
    }
}

impl Selected {
    /// The names of sources by number.
    pub(crate) fn names(&self) -> HashMap<u32, String> {
        let names = self.sources.iter();
        names.map(|info| (info.number, info.name.clone())).collect()
    }

    /// Ends the load, so that what is counted afterwards stays as it is.
    pub(crate) fn end_load(&mut self) {
        self.load.end();
    }

    /// The subscription by itself, and what has to live as long.
    pub(crate) fn split(self) -> (Subscription, Load) {
        (self.subscription, self.load)
    }

    /// Why the subscription has ended by itself.
    pub(crate) fn failure(&self) -> anyhow::Error {
        self.subscription.failure().map_or_else(
            || anyhow::anyhow!("the subscription has ended"),
            anyhow::Error::new,
        )
    }
}
