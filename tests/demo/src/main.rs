// SPDX-License-Identifier: MIT OR Apache-2.0

//! Posts a stream of events with checkable payloads and receives every one of them.
//!
//! A producer thread posts; each event is announced by a real realtime signal; the main thread takes the
//! deliveries out of a channel in `select!` and checks number, order, length and checksum. The producer
//! never runs further ahead than the queue is long: that, and nothing else, is why nothing may be lost.
//! With `--edu N` it also has the edu device compute N factorials, one interrupt each, and checks them.
//!
//! ```text
//! cargo xtask demo -- [--events N] [--device auto|loopback|PATH] [--mode per-event|window|coalesced] [--edu N]
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{after, bounded, select, tick};
use sigrt::{Delivery, Device, Event, Mode, Source, SourceOptions, Subscription};

/// Nothing here takes that long; a stream that stands still has lost something.
const PATIENCE: Duration = Duration::from_mins(1);
/// Events queued at most; the producer keeps to it.
const QUEUE: u32 = 256;
/// Longest payload.
const MAX_PAYLOAD: usize = 4096;
/// Factorials asked for and not yet answered; the edu driver queues 64.
const EDU_AHEAD: u32 = 16;

struct Options {
    events: u64,
    device: String,
    mode: Mode,
    edu: u32,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        events: 10_000,
        device: "auto".to_owned(),
        mode: Mode::PerEvent,
        edu: 0,
    };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or("every option needs a value")?;
        match name.as_str() {
            "--events" => options.events = value.parse()?,
            "--device" => options.device = value,
            "--edu" => options.edu = value.parse()?,
            "--mode" if value == "per-event" => options.mode = Mode::PerEvent,
            "--mode" if value == "window" => options.mode = Mode::Window,
            "--mode" if value == "coalesced" => options.mode = Mode::Coalesced,
            _ => return Err(format!("unknown option {name} {value}").into()),
        }
    }
    Ok(options)
}

/// Length of the payload of event `n`, from 0 to 4096, small ones more often.
fn payload_len(n: u64) -> usize {
    let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    match n % 8 {
        0 => 0,
        7 => MAX_PAYLOAD,
        1..=4 => random as usize % 65,
        _ => random as usize % (MAX_PAYLOAD + 1),
    }
}

/// FNV-1a: enough to notice a byte that is wrong, missing or somebody else's.
fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, &b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Payload of event `n`: pseudo-random bytes, the last eight of which are the checksum of the others.
fn fill(n: u64, payload: &mut Vec<u8>) {
    let len = payload_len(n);
    payload.clear();
    let mut state = n ^ 0x2545_f491_4f6c_dd1d;
    while payload.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        payload.extend_from_slice(&state.to_ne_bytes());
    }
    payload.truncate(len);
    if let Some(body) = len.checked_sub(8) {
        let sum = checksum(n, &payload[..body]);
        payload[body..].copy_from_slice(&sum.to_ne_bytes());
    }
}

/// Checks event number `n`, from 0; `scratch` holds what is expected.
fn check(event: &Event, n: u64, scratch: &mut Vec<u8>) -> Result<(), String> {
    fill(n, scratch);
    let said = event.value;
    if said.is_some_and(|value| value != n) || (said.is_none() && !scratch.is_empty()) {
        return Err(format!("event {n} says it is {said:?}"));
    }
    if event.source_seq != n + 1 {
        return Err(format!("event {n} has number {}", event.source_seq));
    }
    if let Some(body) = event.payload.len().checked_sub(8) {
        let sum = checksum(n, &event.payload[..body]);
        if event.payload[body..] != sum.to_ne_bytes() {
            return Err(format!("the checksum of event {n} is wrong"));
        }
    }
    if event.payload != scratch[..] {
        return Err(format!("the payload of event {n} is wrong"));
    }
    Ok(())
}

/// Posts `events` events, never more than [`QUEUE`] ahead of `received`.
fn produce(
    source: &Source,
    events: u64,
    received: &AtomicU64,
    stop: &AtomicBool,
) -> Result<(), sigrt::Error> {
    let mut payload = Vec::with_capacity(MAX_PAYLOAD + 8);
    for n in 0..events {
        while n - received.load(Ordering::Acquire) >= u64::from(QUEUE) {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            // The consumer unparks us when there is room; the limit is for the end alone.
            thread::park_timeout(Duration::from_millis(100));
        }
        fill(n, &mut payload);
        source.post(Some(n), &payload)?;
    }
    Ok(())
}

fn stream(device: &Device, options: &Options) -> Result<u64, Box<dyn Error>> {
    let name = format!("demo-{}", std::process::id());
    let source = device.create_source(SourceOptions::new(&name).max_payload(MAX_PAYLOAD))?;
    let subscription = device
        .subscription()
        .mode(options.mode)
        // One place more than the producer uses, and room for payloads that are all of the longest kind.
        .queue_len(QUEUE + 1)
        .quota(u64::from(QUEUE + 1) * 2 * MAX_PAYLOAD as u64)
        .channel_capacity(64)
        .subscribe(&source)
        .start()?;
    println!(
        "demo: signal {} (SIGRTMIN+{}) to thread {}, {} delivery",
        subscription.signal(),
        subscription.signal() - sigrt::sys::sigrtmin(),
        subscription.dispatcher(),
        match options.mode {
            Mode::PerEvent => "per event",
            Mode::Window => "windowed",
            Mode::Coalesced => "coalesced",
        },
    );

    let received = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let (done, finished) = bounded(1);
    let producer = {
        let (received, stop, events) = (Arc::clone(&received), Arc::clone(&stop), options.events);
        thread::spawn(move || {
            done.send(produce(&source, events, &received, &stop)).ok();
            source
        })
    };
    let started = Instant::now();
    let result = consume(&subscription, options.events, |n| {
        received.store(n, Ordering::Release);
        // Waking the producer for every event would cost more than the event.
        if n % (u64::from(QUEUE) / 4) == 0 {
            producer.thread().unpark();
        }
    });
    let elapsed = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    producer.thread().unpark();
    let stats = subscription.stats()?;
    finished.recv_timeout(PATIENCE)??;
    drop(producer.join());

    println!(
        "demo: {:.0} events/s; signals: {} sent, {} refused, {} fallbacks, {} coalesced; \
         gaps: {}, stale handles: {}, spurious reads: {}",
        options.events as f64 / elapsed.as_secs_f64(),
        stats.signals_sent,
        stats.signals_refused,
        stats.fallbacks,
        stats.coalesced,
        stats.gaps,
        stats.stale,
        stats.spurious,
    );
    let verified = result?;
    if !stats.is_balanced() || stats.lost() != 0 || stats.consumed != options.events {
        return Err(format!("the counters disagree: {stats:?}").into());
    }
    Ok(verified)
}

/// Receives and checks `events` events.
fn consume(
    subscription: &Subscription,
    events: u64,
    progress: impl Fn(u64),
) -> Result<u64, Box<dyn Error>> {
    let mut scratch = Vec::with_capacity(MAX_PAYLOAD + 8);
    let ticker = tick(Duration::from_secs(1));
    let mut verified = 0;
    while verified < events {
        select! {
            recv(subscription) -> delivery => match delivery? {
                Delivery::Event(event) => {
                    check(&event, verified, &mut scratch)?;
                    verified += 1;
                    progress(verified);
                }
                Delivery::Gap(gap) => return Err(gap.to_string().into()),
                Delivery::Gone(gone) => return Err(gone.to_string().into()),
            },
            recv(ticker) -> _ => println!("demo: {verified} of {events}"),
            recv(after(PATIENCE)) -> _ => {
                return Err(format!("nothing arrived after event {verified}").into());
            }
        }
    }
    if let Ok(extra) = subscription.try_recv() {
        return Err(format!("one too many: {extra:?}").into());
    }
    Ok(verified)
}

/// What the edu device computes: a factorial, modulo 2^32.
fn factorial(n: u32) -> u32 {
    (1..=n).fold(1, u32::wrapping_mul)
}

/// Has the edu driver compute `count` factorials. A request is `{id, n}`, the answer `{id, n, n!}`.
fn edu(device: &Device, count: u32) -> Result<(), Box<dyn Error>> {
    let source = device.source("edu")?;
    let subscription = device.subscription().subscribe(&source).start()?;
    let operand = |id: u32| id % 24;
    let (mut asked, mut interrupts) = (0, 0);
    let mut answered = vec![false; count as usize];
    while interrupts < count {
        while asked < count && asked - interrupts < EDU_AHEAD {
            let mut request = asked.to_ne_bytes().to_vec();
            request.extend(operand(asked).to_ne_bytes());
            source.post(None, &request)?;
            asked += 1;
        }
        let event = match subscription.recv_timeout(PATIENCE)? {
            Delivery::Event(event) => event,
            Delivery::Gap(gap) => return Err(gap.to_string().into()),
            Delivery::Gone(gone) => return Err(gone.to_string().into()),
        };
        let words: Vec<u32> = event
            .payload
            .chunks_exact(4)
            .map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let [id, n, result] = words[..] else {
            return Err(format!("edu answers with {} bytes", event.payload.len()).into());
        };
        let seen = answered
            .get_mut(id as usize)
            .ok_or_else(|| format!("edu answers a request {id} that nobody made"))?;
        if std::mem::replace(seen, true) || n != operand(id) {
            return Err(format!("edu answers request {id} wrongly or twice").into());
        }
        if result != factorial(n) || event.value.is_some_and(|v| v != u64::from(result)) {
            return Err(format!("edu says {n}! = {result}, it is {}", factorial(n)).into());
        }
        interrupts += 1;
    }
    println!("edu: {interrupts} interrupts, {count} factorials verified");
    Ok(())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let device = match options.device.as_str() {
        "auto" => Device::auto()?,
        "loopback" => Device::loopback(),
        path => Device::open(path)?,
    };
    println!(
        "demo: using {}",
        match (device.is_kernel(), options.device.as_str()) {
            (true, "auto") => sigrt::DEFAULT_PATH,
            (true, path) => path,
            (false, _) => "the loopback in this process",
        }
    );
    let verified = stream(&device, &options)?;
    if options.edu > 0 {
        edu(&device, options.edu)?;
    }
    println!("demo: {verified} delivered, 0 lost, {verified} payloads verified");
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}
