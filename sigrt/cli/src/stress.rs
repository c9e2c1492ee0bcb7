// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify stress`: producers × subscribers × payloads × policies × faults, and an exact account.
//!
//! Every producer has a source of its own and every subscriber subscribes to all of them, so each event is
//! delivered once per subscriber. Producers wait for the slowest subscriber before its queue can be full, unless
//! told to flood: then every event must be either delivered or in a gap. Ctrl-C stops the producers; what they
//! have posted by then is accounted for all the same.

mod account;
mod fault;
mod payload;
mod produce;
mod receive;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use crossbeam_channel::{Receiver, after, select};
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sigrt::{Device, Source, SourceOptions, Stats, Subscription};

use crate::cli::{Global, Usage};
use crate::selection::{ModeName, OverflowName};
use crate::{connect, interrupt, parse, show};
use account::{Account, Outcome};
use fault::{Fault, Heir};
use payload::Payloads;
use receive::Checker;

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify stress
  rtnotify stress --events 10000000 --producers 2 --subscribers 2
  rtnotify stress --flood --queue 16 --overflow drop-oldest,latest-only --subscribers 2
  rtnotify stress --for 10s --fault slow-reader,forged-signals,dying-thread
  rtnotify stress --device loopback --fault all --json

With --json the account is one object; `discrepancies` is 0 if and only if the status is 0.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Events, all producers together.
    #[arg(long, short = 'n', default_value_t = 1_000_000)]
    events: u64,
    /// Stop posting after so long, whatever --events says.
    #[arg(long = "for", value_name = "TIME", value_parser = parse::duration)]
    period: Option<Duration>,
    /// Threads that post.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    producers: u32,
    /// Threads that receive.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    subscribers: u32,
    /// Lengths of payloads in bytes, used in turn.
    #[arg(
        long,
        value_name = "BYTES,…",
        value_delimiter = ',',
        default_value = "0,8,64,512"
    )]
    payload: Vec<usize>,
    /// Events that a producer posts at once.
    #[arg(long, value_name = "EVENTS", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1024))]
    batch: u64,
    /// How events are announced; several are used by subscribers in turn.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "window")]
    mode: Vec<ModeName>,
    /// What is lost when there is no room; several are used by subscribers in turn.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "reject-newest",
        value_name = "POLICY"
    )]
    overflow: Vec<OverflowName>,
    /// Events that the device queues at most for each subscriber.
    #[arg(long, value_name = "EVENTS", default_value_t = 1024)]
    queue: u32,
    /// Never wait for subscribers: what the queue cannot hold is lost, and must be accounted for.
    #[arg(long)]
    flood: bool,
    /// What is to go wrong meanwhile.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULT,…")]
    fault: Vec<Fault>,
    /// Set the limit on queued signals (`ulimit -i`) to this first: with 0 every signal with a handle is refused.
    #[arg(long, value_name = "N")]
    sigpending: Option<u64>,
    /// Give up after so long without progress.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse::duration)]
    patience: Duration,
}

/// What all threads share.
struct Plan<'a> {
    arguments: &'a Arguments,
    payloads: Payloads,
    /// Numbers of the sources, in the order of producers.
    numbers: Vec<u32>,
    /// Events of each producer; less when it has been stopped early.
    goals: Vec<AtomicU64>,
    /// Events that a producer may be ahead of the slowest subscriber.
    ahead: u64,
    /// Handled by each subscriber from each producer, delivered or lost.
    progress: Vec<Vec<AtomicU64>>,
    /// Producers are to stop.
    enough: AtomicBool,
    /// Nothing moves any more: everybody is to stop.
    stuck: AtomicBool,
    /// Everybody has everything.
    done: AtomicBool,
}

impl Plan<'_> {
    fn slowest(&self, producer: usize) -> u64 {
        let counts = self
            .progress
            .iter()
            .map(|p| p[producer].load(Ordering::Acquire));
        counts.min().unwrap_or(0)
    }

    fn handled(&self) -> u64 {
        let counts = self.progress.iter().flatten();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn has(&self, fault: Fault) -> bool {
        let faults = &self.arguments.fault;
        faults.contains(&fault) || (fault != Fault::Discard && faults.contains(&Fault::All))
    }
}

impl Arguments {
    fn policy(&self, subscriber: usize) -> OverflowName {
        self.overflow[subscriber % self.overflow.len()]
    }

    /// Bytes of payload that can be queued: blocks are powers of two, so this always suffices.
    fn quota(&self) -> u64 {
        let longest = self.payload.iter().copied().max().unwrap_or(0);
        let block = longest.next_power_of_two().max(64) as u64;
        2 * block * u64::from(self.queue)
    }
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    let (producers, queue) = (arguments.producers, arguments.queue);
    if queue < producers {
        let text = "--queue must be at least --producers, so that each may have an event queued";
        bail!(Usage(text.to_owned()));
    }
    let small = [Fault::SmallSigpending, Fault::All];
    let limit = match arguments.sigpending {
        None if arguments.fault.iter().any(|f| small.contains(f)) => Some(1),
        limit => limit,
    };
    if let Some(limit) = limit {
        let (_, hard) = getrlimit(Resource::RLIMIT_SIGPENDING)?;
        setrlimit(Resource::RLIMIT_SIGPENDING, limit.min(hard), hard)
            .context("cannot set RLIMIT_SIGPENDING")?;
    }
    let interrupted = interrupt::channel()?;
    let device = global.place.any()?;
    let longest = arguments.payload.iter().copied().max().unwrap_or(0);
    let mut sources = Vec::new();
    for producer in 0..producers {
        let name = format!("stress-{}-{producer}", std::process::id());
        let mut options = SourceOptions::new(&name).max_payload(longest);
        if arguments.overflow.contains(&OverflowName::Block) {
            options = options.blocking();
        }
        sources.push(device.create_source(options)?);
    }
    let mut subscriptions = Vec::new();
    for number in 0..arguments.subscribers as usize {
        let mut builder = device
            .subscription()
            .mode(arguments.mode[number % arguments.mode.len()].into())
            .overflow(arguments.policy(number).into())
            .queue_len(queue)
            .quota(arguments.quota())
            .channel_capacity(1024);
        for source in &sources {
            builder = builder.subscribe(source);
        }
        subscriptions.push(builder.start()?);
    }
    let share = arguments.events / u64::from(producers);
    let rest = arguments.events % u64::from(producers);
    let mut plan = Plan {
        arguments,
        payloads: Payloads::new(&arguments.payload),
        numbers: sources.iter().map(Source::number).collect(),
        goals: (0..u64::from(producers))
            .map(|p| AtomicU64::new(share + u64::from(p < rest)))
            .collect(),
        ahead: u64::from(queue / producers),
        progress: Vec::new(),
        enough: AtomicBool::new(false),
        stuck: AtomicBool::new(false),
        done: AtomicBool::new(false),
    };
    let heirs = usize::from(plan.has(Fault::DyingThread));
    plan.progress = (0..subscriptions.len() + heirs)
        .map(|_| (0..producers).map(|_| AtomicU64::new(0)).collect())
        .collect();
    let started = Instant::now();
    let mut outcome = run(&plan, &device, &sources, &subscriptions, &interrupted)?;
    outcome.elapsed = started.elapsed();
    for (account, subscription) in outcome.accounts.iter_mut().zip(&subscriptions) {
        account.stats = Some(subscription.stats()?);
    }
    outcome.place = connect::name(&device);
    outcome.judge(&plan);
    outcome.print(global)
}

/// Runs all threads; what was posted, and what each subscriber saw.
fn run(
    plan: &Plan<'_>,
    device: &Device,
    sources: &[Source],
    subscriptions: &[Subscription],
    interrupted: &Receiver<()>,
) -> Result<Outcome> {
    let heir = if plan.has(Fault::DyingThread) {
        Some(Heir::new(plan, device, subscriptions.len())?)
    } else {
        None
    };
    thread::scope(|scope| {
        let mut consumers: Vec<_> = subscriptions
            .iter()
            .enumerate()
            .map(|(number, subscription)| {
                let checker = Checker::new(plan, number);
                scope.spawn(move || receive::consume(plan, subscription, checker))
            })
            .collect();
        if let Some((heir, ready)) = heir {
            consumers.push(scope.spawn(move || heir.wait()));
            // Nothing is ever sent: it ends when there is a subscription.
            ready.recv().ok();
        }
        let vanishing = plan
            .has(Fault::VanishingSubscriber)
            .then(|| scope.spawn(move || fault::vanish(plan, device, sources)));
        let forger = plan
            .has(Fault::ForgedSignals)
            .then(|| scope.spawn(move || fault::forge(plan, subscriptions)));
        let producers: Vec<_> = sources
            .iter()
            .enumerate()
            .map(|(number, source)| scope.spawn(move || produce::produce(plan, number, source)))
            .collect();
        watch(plan, interrupted, || {
            consumers.iter().all(thread::ScopedJoinHandle::is_finished)
        });
        plan.enough.store(true, Ordering::Relaxed);
        let mut outcome = Outcome::default();
        let mut failure = None;
        for producer in producers {
            match producer.join() {
                Ok(Ok(count)) => outcome.posted += count,
                Ok(Err(error)) => failure = Some(anyhow::Error::new(error)),
                Err(_) => bail!("a producer panicked"),
            }
        }
        for consumer in consumers {
            match consumer.join() {
                Ok(account) => outcome.accounts.push(account),
                Err(_) => bail!("a subscriber panicked"),
            }
        }
        plan.done.store(true, Ordering::Relaxed);
        if let Some(vanishing) = vanishing {
            match vanishing.join() {
                Ok(seen) => outcome.vanished = Some(seen?),
                Err(_) => bail!("a subscriber that was to vanish panicked"),
            }
        }
        if let Some(forger) = forger {
            outcome.forged = forger.join().ok();
        }
        failure.map_or(Ok(outcome), Err)
    })
}

/// Shows progress until all is done, or stops the producers at Ctrl-C or when the time is up.
fn watch(plan: &Plan<'_>, interrupted: &Receiver<()>, done: impl Fn() -> bool) {
    let readers = plan.progress.len() as u64;
    let expected = plan.arguments.events * readers;
    let bar = ProgressBar::new(expected);
    let template = "{wide_bar} {human_pos} of {human_len} ({per_sec}, {eta} left)";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let started = Instant::now();
    let (mut last, mut moved) = (0, started);
    let mut told = started;
    let mut interrupted = Some(interrupted);
    while !done() {
        let never = crossbeam_channel::never();
        select! {
            recv(interrupted.unwrap_or(&never)) -> _ => {
                interrupted = None;
                plan.enough.store(true, Ordering::Relaxed);
                bar.println("stopping: what has been posted is still accounted for");
            }
            recv(after(Duration::from_millis(20))) -> _ => {}
        }
        if plan
            .arguments
            .period
            .is_some_and(|period| started.elapsed() >= period)
        {
            plan.enough.store(true, Ordering::Relaxed);
        }
        let now = plan.handled();
        bar.set_position(now);
        if now != last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() > plan.arguments.patience {
            plan.stuck.store(true, Ordering::Relaxed);
            plan.enough.store(true, Ordering::Relaxed);
        }
        // A log gets a line now and then.
        if bar.is_hidden() && told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            let percent = now * 100 / expected.max(1);
            show::remark(&format!("stress: {now} of {expected} ({percent} %)"));
        }
    }
    bar.finish_and_clear();
}

/// Losses of a subscriber that has them by its own choice.
fn may_lose(plan: &Plan<'_>, subscriber: usize) -> bool {
    match plan.arguments.policy(subscriber) {
        OverflowName::LatestOnly => true,
        OverflowName::Block => false,
        OverflowName::RejectNewest | OverflowName::DropOldest => plan.arguments.flood,
    }
}

/// The counters of a subscriber and what it saw.
fn compare(account: &mut Account, stats: Stats, posted: u64) {
    let mut compare = |what: &str, seen: u64, said: u64| {
        if seen != said {
            account
                .discrepancies
                .push(format!("{what}: {seen} seen, the device says {said}"));
        }
    };
    compare("posted", posted, stats.posted);
    compare("delivered", account.events, stats.consumed);
    compare("lost", account.lost, stats.lost());
    compare("queued", 0, stats.queued);
    if !stats.is_balanced() {
        account
            .discrepancies
            .push("the counters do not balance".to_owned());
    }
    if account.events + account.lost != posted {
        account.discrepancies.push(format!(
            "{posted} posted, {} delivered and {} lost",
            account.events, account.lost
        ));
    }
}
