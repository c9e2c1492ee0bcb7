// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where `top` gets its numbers: the device's lists, and subscriptions of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use sigrt::{Delivery, Device, Mode, Overflow, SourceInfo, Subscription};

use crate::cli::Global;
use crate::connect;
use crate::counters::{self, Client};
use crate::demo::Demo;
use crate::latency::{self, Histogram};
use crate::selection::{Load, Selection};

/// Everything at one moment.
pub(super) struct Snapshot {
    pub(super) at: Instant,
    pub(super) sources: Vec<SourceInfo>,
    pub(super) clients: Vec<(Client, Histogram)>,
    /// How late the events of each source were, to whom we listened.
    pub(super) late: BTreeMap<u32, Histogram>,
}

/// Latencies by source.
type Late = Arc<Mutex<BTreeMap<u32, Histogram>>>;

fn lock(late: &Late) -> MutexGuard<'_, BTreeMap<u32, Histogram>> {
    late.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A subscriber of this process: a thread that receives and takes the time.
struct Listener {
    name: String,
    subscription: Arc<Subscription>,
    late: Late,
    /// Nothing is ever sent; its end ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Starts the thread, which waits for `pause` after each event.
    fn new(name: &str, subscription: Subscription, pause: Duration) -> Self {
        let subscription = Arc::new(subscription);
        let late = Late::default();
        let (stop, stopped) = bounded(0);
        let thread = thread::spawn({
            let (subscription, late) = (Arc::clone(&subscription), Arc::clone(&late));
            move || listen(&subscription, &late, &stopped, pause)
        });
        Self {
            name: name.to_owned(),
            subscription,
            late,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

fn listen(subscription: &Subscription, late: &Late, stopped: &Receiver<()>, pause: Duration) {
    loop {
        select! {
            recv(subscription) -> delivery => match delivery {
                Ok(Delivery::Event(event)) => {
                    let time = latency::now().saturating_sub(event.time);
                    lock(late).entry(event.source).or_default().add(time);
                }
                Ok(_) => {}
                Err(_) => return,
            },
            recv(stopped) -> _ => return,
        }
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// What is looked at. Fields are in the order in which they have to end.
pub(super) struct Probe {
    demo: Option<Demo>,
    listeners: Vec<Listener>,
    device: Device,
    /// Where the module's counters are, if they are looked at.
    debugfs: Option<PathBuf>,
    node: PathBuf,
    remark: Option<String>,
    load: Option<Load>,
}

impl Probe {
    pub(super) fn new(
        global: &Global,
        selection: &Selection,
        debugfs: Option<&Path>,
    ) -> Result<Self> {
        let node = global.place.node().to_owned();
        if selection.demo && selection.sources.is_empty() {
            let mut probe = Self::demo(selection.device(global)?)?;
            probe.node = node;
            return Ok(probe);
        }
        let (device, listeners, load) = if selection.is_empty() {
            (selection.device(global)?, Vec::new(), None)
        } else {
            let selected = selection.start(global)?;
            let device = selected.device.clone();
            let (subscription, load) = selected.split();
            let listener = Listener::new("top", subscription, Duration::ZERO);
            (device, vec![listener], Some(load))
        };
        if connect::is_own(&device) && listeners.is_empty() {
            bail!(
                "a loopback belongs to one process and begins empty: `rtnotify top --demo` makes a load, \
                 `rtnotify top --timer tick=1ms` a timer"
            );
        }
        let debugfs = match debugfs {
            Some(path) => Some(path.to_owned()),
            None => device.is_kernel().then(|| counters::DEBUGFS.into()),
        };
        Ok(Self {
            demo: None,
            listeners,
            device,
            debugfs,
            node,
            remark: None,
            load,
        })
    }

    /// A load, and three subscribers with different habits.
    fn demo(device: Device) -> Result<Self> {
        let demo = Demo::sources(&device)?;
        let control = device
            .subscription()
            .mode(Mode::PerEvent)
            .subscribe("adc")
            .subscribe("tick")
            .start()?;
        let logger = device
            .subscription()
            .mode(Mode::Coalesced)
            .queue_len(4096)
            .subscribe("adc")
            .subscribe("door")
            .subscribe("burst")
            .start()?;
        let display = device
            .subscription()
            .overflow(Overflow::DropOldest)
            .queue_len(64)
            .channel_capacity(1)
            .subscribe("burst")
            .start()?;
        Ok(Self {
            listeners: vec![
                Listener::new("control", control, Duration::ZERO),
                Listener::new("logger", logger, Duration::ZERO),
                // Too slow for its source, so something is lost.
                Listener::new("display", display, Duration::from_millis(1)),
            ],
            demo: Some(demo.start()),
            device,
            debugfs: None,
            node: PathBuf::new(),
            remark: None,
            load: None,
        })
    }

    /// What is looked at, in a word.
    pub(super) fn place(&self) -> &'static str {
        connect::name(&self.device)
    }

    /// What is not seen, and why.
    pub(super) fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// Ends the load.
    pub(super) fn finish(&mut self) {
        self.demo = None;
        if let Some(load) = &mut self.load {
            load.end();
        }
    }

    pub(super) fn look(&mut self) -> Result<Snapshot> {
        let mut late: BTreeMap<u32, Histogram> = BTreeMap::new();
        let mut clients = Vec::new();
        let own = std::process::id();
        if let Some(debugfs) = &self.debugfs {
            let (all, remark) = counters::of_host(debugfs, &self.node)?;
            self.remark = remark;
            // Files that only list or post have no queue.
            let subscribers = all.into_iter().filter(|client| {
                client.pid != own && (client.state != "-" || client.get("posted") > 0)
            });
            clients.extend(subscribers.map(|client| (client, Histogram::default())));
        }
        for listener in &self.listeners {
            let stats = listener.subscription.stats()?;
            let mut all = Histogram::default();
            for (&source, histogram) in lock(&listener.late).iter() {
                all.merge(histogram);
                late.entry(source).or_default().merge(histogram);
            }
            clients.push((Client::own(&listener.name, &stats), all));
        }
        Ok(Snapshot {
            at: Instant::now(),
            sources: self.device.sources()?,
            clients,
            late,
        })
    }
}
