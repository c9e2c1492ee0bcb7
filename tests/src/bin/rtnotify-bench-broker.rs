// SPDX-License-Identifier: MIT OR Apache-2.0

//! Events per second over the loopback of this process and over a broker in another, in one run.
//!
//! The producer and the subscriber are two threads; the payload has 64 bytes. Nothing is lost: the producer stays less than
//! a queue ahead. The best of five runs counts.

use std::io::{self, BufRead as _, Read as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sigrt::broker::{Limits, Server};
use sigrt::{Delivery, Device, Mode, SourceOptions};

const EVENTS: u64 = 40_000;
const QUEUE: u64 = 4096;
const RUNS: usize = 5;

/// Seconds for so many events, posted `batch` at a time.
fn stream(device: &Device, mode: Mode, events: u64, batch: u64) -> sigrt::Result<f64> {
    let source = device.create_source(SourceOptions::new("bench"))?;
    let subscription = device
        .subscription()
        .mode(mode)
        .queue_len(QUEUE as u32)
        .quota(4 << 20)
        .channel_capacity(QUEUE as usize)
        .subscribe(&source)
        .start()?;
    let received = AtomicU64::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            while received.load(Ordering::Relaxed) < events {
                match subscription.recv_timeout(Duration::from_secs(10)) {
                    Ok(Delivery::Event(_)) => received.fetch_add(1, Ordering::Release),
                    other => panic!("{other:?} after {received:?}: {:?}", subscription.stats()),
                };
            }
        });
        for first in (0..events).step_by(batch as usize) {
            while first - received.load(Ordering::Acquire) > QUEUE / 2 {
                thread::yield_now();
            }
            let mut frames = source.batch();
            for n in first..(first + batch).min(events) {
                if batch == 1 {
                    source.post(Some(n), &[7; 64])?;
                } else {
                    frames.push(0, Some(n), &[7; 64])?;
                }
            }
            frames.send()?;
        }
        Ok::<_, sigrt::Error>(())
    })?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds from a post to its delivery, on average, one at a time.
fn round_trip(device: &Device, mode: Mode) -> sigrt::Result<f64> {
    const TURNS: u32 = 5000;
    let source = device.create_source(SourceOptions::new("bench"))?;
    let subscription = device
        .subscription()
        .mode(mode)
        .subscribe(&source)
        .start()?;
    let start = Instant::now();
    for n in 0..TURNS {
        source.post(Some(n.into()), &[7; 64])?;
        subscription.recv().map_err(|_| sigrt::Error::DeviceGone)?;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(TURNS))
}

fn best(mut run: impl FnMut() -> sigrt::Result<f64>) -> sigrt::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        best = best.min(run()?);
    }
    Ok(best)
}

fn serve(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut server = Server::bind(path, 0o600, Limits::default())?;
    let stopper = server.stopper();
    thread::spawn(move || {
        io::stdin().read_to_end(&mut Vec::new()).ok();
        stopper.stop();
    });
    println!("ready");
    Ok(server.run()?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = std::env::args().nth(1) {
        return serve(&path);
    }
    let directory = std::env::temp_dir().join(format!("rtnotify-bench-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let path = directory.join("socket");
    let mut broker = Command::new(std::env::current_exe()?)
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let out = broker.stdout.take().ok_or("no output")?;
    io::BufReader::new(out).read_line(&mut String::new())?;
    let devices = [Device::loopback(), Device::connect(&path)?];

    println!("| | loopback in the process | broker in another |");
    println!("|---|---|---|");
    for (what, mode, batch) in [
        ("window, one by one", Mode::Window, 1),
        ("window, 64 in a `write`", Mode::Window, 64),
        ("coalesced, 64 in a `write`", Mode::Coalesced, 64),
        ("per event, one by one", Mode::PerEvent, 1),
        ("per event, 64 in a `write`", Mode::PerEvent, 64),
    ] {
        let mut cells = Vec::new();
        for device in &devices {
            let seconds = best(|| stream(device, mode, EVENTS, batch))?;
            cells.push(format!("{:.0}/s", EVENTS as f64 / seconds));
        }
        println!("| {what} | {} |", cells.join(" | "));
    }
    for (what, mode) in [
        ("window, from post to delivery", Mode::Window),
        ("per event, from post to delivery", Mode::PerEvent),
    ] {
        let mut cells = Vec::new();
        for device in &devices {
            let seconds = best(|| round_trip(device, mode))?;
            cells.push(format!("{:.1} µs", seconds * 1e6));
        }
        println!("| {what} | {} |", cells.join(" | "));
    }
    drop(devices);
    drop(broker.stdin.take());
    broker.wait()?;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
