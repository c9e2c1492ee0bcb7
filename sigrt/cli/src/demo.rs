// SPDX-License-Identifier: MIT OR Apache-2.0

//! A load to look at where there is nothing else: a few sources with different habits, on the loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use sigrt::{Device, Source, SourceOptions};

/// The sources, and once started the threads that post to them until this is dropped.
pub(crate) struct Demo {
    sources: Vec<Source>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Makes post number n, or posts.
type Post = fn(&Source, u64) -> sigrt::Result<()>;

impl Demo {
    /// Creates the sources: `adc` posts a value and 16 bytes every millisecond, `door` a word now and then,
    /// `burst` 200 events of 64 bytes at a time, `tick` is a timer.
    pub(crate) fn sources(device: &Device) -> Result<Self> {
        let user = |name| device.create_source(SourceOptions::new(name).max_payload(256));
        Ok(Self {
            sources: vec![
                user("adc")?,
                user("door")?,
                user("burst")?,
                device.create_timer("tick", Duration::from_millis(10), None)?,
            ],
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    /// Starts to post.
    pub(crate) fn start(mut self) -> Self {
        let posts: [(usize, Duration, Post); 3] = [
            (0, Duration::from_millis(1), adc),
            (1, Duration::from_millis(200), door),
            (2, Duration::from_millis(100), burst),
        ];
        for (at, period, post) in posts {
            let source = self.sources[at].clone();
            let stop = Arc::clone(&self.stop);
            self.threads.push(thread::spawn(move || {
                let start = Instant::now();
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) && post(&source, n).is_ok() {
                    n += 1;
                    // Deadlines rather than pauses, so that the rate is what it is said to be.
                    let due = start + period * u32::try_from(n).unwrap_or(u32::MAX);
                    thread::park_timeout(due.saturating_duration_since(Instant::now()));
                }
            }));
        }
        self
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // They do not panic; if one did, there would be nothing left to end.
            thread.join().ok();
        }
    }
}

fn adc(source: &Source, n: u64) -> sigrt::Result<()> {
    // A triangle of 12 bits.
    let level = (n * 64) % 8192;
    let level = level.min(8191 - level);
    let mut payload = [0; 16];
    payload[..8].copy_from_slice(&n.to_le_bytes());
    payload[8..].copy_from_slice(&level.to_le_bytes());
    source.post(Some(level), &payload)
}

fn door(source: &Source, n: u64) -> sigrt::Result<()> {
    let open = n.is_multiple_of(2);
    let text = if open {
        "{\"door\":\"open\"}"
    } else {
        "{\"door\":\"closed\"}"
    };
    source.post_kind(1 + u16::from(open), Some(open.into()), text.as_bytes())
}

fn burst(source: &Source, n: u64) -> sigrt::Result<()> {
    let mut batch = source.batch();
    for part in 0..200_u64 {
        batch.push(0, Some(n), &[part as u8; 64])?;
    }
    batch.send()
}
