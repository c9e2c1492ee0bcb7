// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify stress`: producers × subscribers × payload sizes, and an exact account.
//!
//! Every producer has a source of its own and every subscriber subscribes to all of them, so each event is
//! delivered once per subscriber. Payloads are made from the number of the event, and made again to compare.
//! Producers wait for the slowest subscriber before its queue can be full, unless told to flood: then every
//! event must be either delivered or in a gap.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use crossbeam_channel::{Receiver, after, select};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use sigrt::{Delivery, Source, SourceOptions, Stats, Subscription};

use crate::watch::{WatchMode, duration};
use crate::{Global, interrupt, show};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Events, all producers together.
    #[arg(long, short = 'n', default_value_t = 1_000_000)]
    events: u64,
    /// Threads that post.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    producers: u32,
    /// Threads that receive.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    subscribers: u32,
    /// Lengths of payloads in bytes, used in turn.
    #[arg(
        long,
        value_name = "BYTES,…",
        value_delimiter = ',',
        default_value = "0,8,64,512"
    )]
    payload: Vec<usize>,
    /// How events are announced.
    #[arg(long, value_enum, default_value = "window")]
    mode: WatchMode,
    /// Events that the device queues at most for each subscriber.
    #[arg(long, value_name = "EVENTS", default_value_t = 1024)]
    queue: u32,
    /// Never wait for subscribers: what the queue cannot hold is lost, and must be accounted for.
    #[arg(long)]
    flood: bool,
    /// Set the limit on queued signals (`ulimit -i`) to this first: with 0 every signal with a handle is refused.
    #[arg(long, value_name = "N")]
    sigpending: Option<u64>,
    /// Give up after so long without progress.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    patience: Duration,
}

/// What all threads share.
struct Plan<'a> {
    arguments: &'a Arguments,
    /// Events of each producer.
    share: Vec<u64>,
    /// Events that a producer may be ahead of the slowest subscriber.
    ahead: u64,
    /// Handled by each subscriber from each producer, delivered or lost.
    progress: Vec<Vec<AtomicU64>>,
    stop: AtomicBool,
}

impl Plan<'_> {
    fn slowest(&self, producer: usize) -> u64 {
        let counts = self
            .progress
            .iter()
            .map(|p| p[producer].load(Ordering::Acquire));
        counts.min().unwrap_or(0)
    }

    fn total(&self) -> u64 {
        let counts = self.progress.iter().flatten();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// What one subscriber saw.
#[derive(Default)]
struct Account {
    events: u64,
    lost: u64,
    gaps: u64,
    discrepancies: Vec<String>,
}

/// Payload number `n` of producer `producer`.
fn fill(producer: usize, n: u64, len: usize, out: &mut Vec<u8>) {
    out.clear();
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ producer as u64;
    while out.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        out.extend_from_slice(&state.to_ne_bytes());
    }
    out.truncate(len);
}

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    if let Some(limit) = arguments.sigpending {
        let (_, hard) = getrlimit(Resource::RLIMIT_SIGPENDING)?;
        setrlimit(Resource::RLIMIT_SIGPENDING, limit, hard)
            .context("cannot set RLIMIT_SIGPENDING")?;
    }
    let interrupted = interrupt::channel()?;
    let device = global.device_or_loopback()?;
    let (producers, queue) = (arguments.producers, arguments.queue);
    if queue < producers {
        bail!("--queue must be at least --producers");
    }
    let longest = arguments.payload.iter().copied().max().unwrap_or(0);
    let mut sources = Vec::new();
    for producer in 0..producers {
        let name = format!("stress-{}-{producer}", std::process::id());
        let options = SourceOptions::new(&name).max_payload(longest);
        sources.push(device.create_source(options)?);
    }
    let mut subscriptions = Vec::new();
    for _ in 0..arguments.subscribers {
        // Blocks of payload are powers of two, so this always suffices.
        let block = longest.next_power_of_two().max(64) as u64;
        let mut builder = device
            .subscription()
            .mode(arguments.mode.into())
            .queue_len(queue)
            .quota(2 * block * u64::from(queue));
        for source in &sources {
            builder = builder.subscribe(source);
        }
        subscriptions.push(builder.start()?);
    }
    let (share, rest) = (
        arguments.events / u64::from(producers),
        arguments.events % u64::from(producers),
    );
    let plan = Plan {
        arguments,
        share: (0..u64::from(producers))
            .map(|p| share + u64::from(p < rest))
            .collect(),
        ahead: u64::from(queue / producers),
        progress: (0..arguments.subscribers)
            .map(|_| (0..producers).map(|_| AtomicU64::new(0)).collect())
            .collect(),
        stop: AtomicBool::new(false),
    };
    let place = if device.is_kernel() {
        "device"
    } else {
        "loopback"
    };
    let started = Instant::now();
    let (posted, accounts) = run(&plan, &sources, &subscriptions, &interrupted)?;
    let elapsed = started.elapsed();
    let stats: Vec<Stats> = subscriptions
        .iter()
        .map(Subscription::stats)
        .collect::<sigrt::Result<_>>()?;
    report(
        global,
        place,
        posted,
        elapsed,
        accounts,
        &stats,
        arguments.flood,
    )
}

/// Runs all threads; how many events were posted, and what each subscriber saw.
fn run(
    plan: &Plan<'_>,
    sources: &[Source],
    subscriptions: &[Subscription],
    interrupted: &Receiver<()>,
) -> Result<(u64, Vec<Account>)> {
    thread::scope(|scope| {
        let consumers: Vec<_> = subscriptions
            .iter()
            .zip(&plan.progress)
            .map(|(subscription, progress)| {
                scope.spawn(move || consume(plan, sources, subscription, progress))
            })
            .collect();
        let producers: Vec<_> = sources
            .iter()
            .enumerate()
            .map(|(number, source)| scope.spawn(move || produce(plan, number, source)))
            .collect();
        watch(plan, interrupted, || {
            consumers.iter().all(thread::ScopedJoinHandle::is_finished)
        });
        plan.stop.store(true, Ordering::Relaxed);
        let mut posted = 0;
        let mut failure = None;
        for producer in producers {
            match producer.join() {
                Ok(Ok(count)) => posted += count,
                Ok(Err(error)) => failure = Some(anyhow::Error::new(error)),
                Err(_) => bail!("a producer panicked"),
            }
        }
        let mut accounts = Vec::new();
        for consumer in consumers {
            match consumer.join() {
                Ok(account) => accounts.push(account),
                Err(_) => bail!("a subscriber panicked"),
            }
        }
        failure.map_or(Ok((posted, accounts)), Err)
    })
}

/// Shows progress until all is done, or somebody presses Ctrl-C.
fn watch(plan: &Plan<'_>, interrupted: &Receiver<()>, done: impl Fn() -> bool) {
    let terminal = std::io::stderr().is_terminal();
    let expected = plan.arguments.events * u64::from(plan.arguments.subscribers);
    let (mut last, mut moved) = (0, Instant::now());
    let mut ticks = 0_u64;
    while !done() {
        select! {
            recv(interrupted) -> _ => break,
            recv(after(Duration::from_millis(20))) -> _ => {}
        }
        let now = plan.total();
        if now != last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() > plan.arguments.patience {
            break;
        }
        ticks += 1;
        // Twice a second for a person, every ten seconds for a log.
        if ticks.is_multiple_of(if terminal { 25 } else { 500 }) {
            let percent = now * 100 / expected.max(1);
            let (start, end) = if terminal { ("\r", "") } else { ("", "\n") };
            eprint!("{start}stress: {now} of {expected} ({percent} %){end}");
            std::io::stderr().flush().ok();
        }
    }
    if terminal {
        eprint!("\r\x1b[K");
    }
}

/// Posts one producer's share; how many were posted.
fn produce(plan: &Plan<'_>, number: usize, source: &Source) -> sigrt::Result<u64> {
    let lens = &plan.arguments.payload;
    let mut payload = Vec::new();
    for n in 0..plan.share[number] {
        let mut spins = 0_u32;
        while !plan.arguments.flood && n - plan.slowest(number) >= plan.ahead {
            if plan.stop.load(Ordering::Relaxed) {
                return Ok(n);
            }
            spins += 1;
            if spins < 100 {
                thread::yield_now();
            } else {
                thread::sleep(Duration::from_micros(50));
            }
        }
        if plan.stop.load(Ordering::Relaxed) {
            return Ok(n);
        }
        fill(number, n, lens[n as usize % lens.len()], &mut payload);
        source.post(Some(n), &payload)?;
    }
    Ok(plan.share[number])
}

/// Receives everything and compares.
fn consume(
    plan: &Plan<'_>,
    sources: &[Source],
    subscription: &Subscription,
    progress: &[AtomicU64],
) -> Account {
    let lens = &plan.arguments.payload;
    let mut account = Account::default();
    let mut next = vec![0; sources.len()];
    let mut expected = Vec::new();
    let mut seq = 0;
    while next
        .iter()
        .zip(&plan.share)
        .any(|(next, share)| next < share)
    {
        let delivery = match subscription.recv_timeout(Duration::from_millis(100)) {
            Ok(delivery) => delivery,
            Err(_) if plan.stop.load(Ordering::Relaxed) => break,
            Err(_) => continue,
        };
        let Some(number) = sources.iter().position(|s| s.number() == delivery.source()) else {
            account
                .discrepancies
                .push(format!("from nowhere: {delivery:?}"));
            continue;
        };
        let (first, last, its_seq) = match &delivery {
            Delivery::Event(event) => (event.source_seq, event.source_seq, event.seq),
            Delivery::Gap(gap) => (gap.first, gap.last, gap.seq),
            Delivery::Gone(gone) => {
                account.discrepancies.push(format!("{gone}"));
                break;
            }
        };
        if first != next[number] + 1 || last < first {
            account.discrepancies.push(format!(
                "producer {number}: after {} comes {first} to {last}",
                next[number]
            ));
        }
        if its_seq != seq + 1 {
            account
                .discrepancies
                .push(format!("after number {seq} comes {its_seq}"));
        }
        seq = its_seq;
        next[number] = last;
        match delivery {
            Delivery::Event(event) => {
                let n = first - 1;
                fill(number, n, lens[n as usize % lens.len()], &mut expected);
                if event.payload != expected[..] {
                    account
                        .discrepancies
                        .push(format!("producer {number}, event {n}: wrong payload"));
                }
                if event.value != Some(n) {
                    account
                        .discrepancies
                        .push(format!("producer {number}, event {n}: {:?}", event.value));
                }
                account.events += 1;
            }
            Delivery::Gap(gap) => {
                if u64::from(gap.count) != last - first + 1 {
                    account.discrepancies.push(format!("{gap}"));
                }
                account.gaps += 1;
                account.lost += u64::from(gap.count);
            }
            Delivery::Gone(_) => {}
        }
        progress[number].store(last, Ordering::Release);
    }
    account
}

fn report(
    global: &Global,
    place: &str,
    posted: u64,
    elapsed: Duration,
    mut accounts: Vec<Account>,
    stats: &[Stats],
    flood: bool,
) -> Result<bool> {
    for (account, stats) in accounts.iter_mut().zip(stats) {
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
        if account.lost > 0 && !flood {
            account
                .discrepancies
                .push(format!("{} lost, though producers waited", account.lost));
        }
    }
    let delivered: u64 = accounts.iter().map(|account| account.events).sum();
    let lost: u64 = accounts.iter().map(|account| account.lost).sum();
    let wrong: usize = accounts
        .iter()
        .map(|account| account.discrepancies.len())
        .sum();
    for (number, account) in accounts.iter().enumerate() {
        for text in account.discrepancies.iter().take(10) {
            eprintln!("subscriber {number}: {text}");
        }
    }
    let rate = delivered as f64 / elapsed.as_secs_f64();
    if global.json {
        let subscribers: Vec<_> = accounts
            .iter()
            .zip(stats)
            .map(|(account, stats)| {
                json!({
                    "delivered": account.events,
                    "lost": account.lost,
                    "gaps": account.gaps,
                    "signals_sent": stats.signals_sent,
                    "signals_refused": stats.signals_refused,
                    "fallbacks": stats.fallbacks,
                    "coalesced": stats.coalesced,
                    "spurious": stats.spurious,
                    "stale": stats.stale,
                    "high_water": stats.high_water,
                    "discrepancies": account.discrepancies,
                })
            })
            .collect();
        show::json(&json!({
            "place": place,
            "posted": posted,
            "delivered": delivered,
            "lost": lost,
            "discrepancies": wrong,
            "seconds": elapsed.as_secs_f64(),
            "subscribers": subscribers,
        }))?;
        return Ok(wrong == 0);
    }
    let heads = [
        "subscriber",
        "delivered",
        "lost",
        "gaps",
        "signals",
        "refused",
        "fallbacks",
        "coalesced",
        "most queued",
    ];
    let rows: Vec<_> = accounts
        .iter()
        .zip(stats)
        .enumerate()
        .map(|(number, (account, stats))| {
            [
                number as u64,
                account.events,
                account.lost,
                account.gaps,
                stats.signals_sent,
                stats.signals_refused,
                stats.fallbacks,
                stats.coalesced,
                stats.high_water,
            ]
            .map(|count| count.to_string())
            .to_vec()
        })
        .collect();
    show::line(show::table(&heads, &rows).trim_end())?;
    show::line(&format!(
        "stress: {posted} posted on the {place}, {delivered} delivered ({rate:.0}/s), {lost} lost, {wrong} discrepancies"
    ))?;
    Ok(wrong == 0)
}
