// SPDX-License-Identifier: MIT OR Apache-2.0

//! What goes wrong on purpose. Whatever that is, nobody else may notice.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::errno::Errno;
use sigrt::client::{Access, Client};
use sigrt::sys::{self, SIGURG, SignalSet};
use sigrt::{Device, Source, Stats, Subscription, abi, parse_frames};

use super::Plan;
use super::account::Account;
use super::receive::Checker;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Fault {
    /// The first subscriber pauses again and again.
    SlowReader,
    /// One signal of this user may be queued, all others are refused.
    SmallSigpending,
    /// One more subscriber comes and goes, with events left in its queue.
    VanishingSubscriber,
    /// Somebody sends the signals of subscribers, with handles made up.
    ForgedSignals,
    /// One more subscriber, whose thread ends halfway; another one takes over.
    DyingThread,
    /// All of these.
    All,
    /// Subscribers throw an event away: that must be noticed, or the account is worth nothing.
    #[value(hide = true)]
    Discard,
}

/// What a subscriber that comes and goes has seen.
#[derive(Debug, Default)]
pub(super) struct Vanished {
    pub(super) times: u64,
    pub(super) events: u64,
    /// Events in its queue or channel when it left.
    pub(super) left: u64,
    pub(super) discrepancies: Vec<String>,
}

/// Subscribes and leaves, until everybody else has everything.
pub(super) fn vanish(plan: &Plan<'_>, device: &Device, sources: &[Source]) -> Result<Vanished> {
    let mut seen = Vanished::default();
    loop {
        let mut builder = device
            .subscription()
            .queue_len(64)
            .quota(plan.arguments.quota());
        for source in sources {
            builder = builder.subscribe(source);
        }
        let subscription = builder.start()?;
        let mut checker = Checker::joining(plan);
        // A different number each time, so that it leaves at different moments.
        let until = Instant::now() + Duration::from_millis(2 + seen.times % 7);
        while Instant::now() < until {
            if let Ok(delivery) = subscription.recv_timeout(Duration::from_millis(1)) {
                checker.take(&delivery);
            }
        }
        let stats = subscription.stats()?;
        if !stats.is_balanced() {
            let text = format!("a subscriber that leaves does not balance: {stats:?}");
            seen.discrepancies.push(text);
        }
        let account = checker.into_account();
        seen.events += account.events;
        seen.left += stats.queued + (stats.consumed.saturating_sub(account.events));
        seen.times += 1;
        seen.discrepancies.extend(account.discrepancies);
        if plan.done.load(Ordering::Relaxed) {
            return Ok(seen);
        }
    }
}

/// Sends signals that mean nothing, until everybody has everything; how many.
pub(super) fn forge(plan: &Plan<'_>, subscriptions: &[Subscription]) -> u64 {
    let mut forged = 0;
    let mut value = 1_u64;
    loop {
        for subscription in subscriptions {
            value = value
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Impossible, possible and empty handles in turn.
            let handle = [value, value >> 1, 0, value >> 40 << 21][(forged % 4) as usize];
            let sent = if forged % 8 == 7 {
                sys::signal_thread(subscription.dispatcher(), SIGURG)
            } else {
                sys::queue_signal(subscription.dispatcher(), subscription.signal(), handle)
            };
            // The limit on queued signals holds for forgers, too.
            forged += u64::from(sent.is_ok());
            if sent.is_err() {
                value = value.wrapping_add(2);
            }
        }
        if plan.done.load(Ordering::Relaxed) {
            return forged;
        }
        thread::park_timeout(Duration::from_micros(300));
    }
}

/// A subscriber whose thread dies halfway, and the thread that takes over.
pub(super) struct Heir<'a> {
    plan: &'a Plan<'a>,
    client: Client,
    number: usize,
    /// Dropped when it has subscribed, or cannot.
    ready: Sender<()>,
}

/// What both threads share.
struct Estate<'a> {
    plan: &'a Plan<'a>,
    client: &'a Client,
    signals: SignalSet,
    checker: Mutex<Checker<'a>>,
}

impl<'a> Heir<'a> {
    /// Opens the device; subscribes when it starts to wait.
    pub(super) fn new(
        plan: &'a Plan<'a>,
        device: &Device,
        number: usize,
    ) -> Result<(Self, Receiver<()>)> {
        let (ready, subscribed) = bounded(0);
        let heir = Self {
            plan,
            client: device.client(Access::Read, false)?,
            number,
            ready,
        };
        Ok((heir, subscribed))
    }
}

impl Estate<'_> {
    /// Receives until `enough`; only after a signal, since that is what is tried here.
    fn receive(&self, enough: impl Fn(&Checker<'_>) -> bool) -> Result<(), Errno> {
        let mut buffer = vec![0; (64 << 10) + abi::MAX_PAYLOAD];
        loop {
            match sys::take_signal(&self.signals, Some(Duration::from_millis(100))) {
                Ok(_) => {}
                Err(Errno::EAGAIN | Errno::EINTR) => {
                    let checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
                    if enough(&checker) || self.plan.stuck.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    continue;
                }
                Err(errno) => return Err(errno),
            }
            loop {
                let got = match self.client.read(&mut buffer) {
                    Ok(got) => got,
                    Err(Errno::EAGAIN) => break,
                    Err(Errno::EINTR) => continue,
                    Err(errno) => return Err(errno),
                };
                let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
                for delivery in parse_frames(&buffer[..got]) {
                    checker.take(&delivery);
                }
                if enough(&checker) {
                    return Ok(());
                }
            }
        }
    }
}

impl Heir<'_> {
    /// Lets one thread receive the first half and die, and another one the rest.
    pub(super) fn wait(self) -> Account {
        let Self {
            plan,
            client,
            number,
            ready,
        } = self;
        let signo = sys::sigrtmax();
        let estate = Estate {
            plan,
            client: &client,
            signals: SignalSet::of(&[signo, SIGURG]),
            checker: Mutex::new(Checker::new(plan, number)),
        };
        // Both threads inherit this, so nothing can reach them before they wait for it.
        let mask = sys::block(&SignalSet::asynchronous());
        let done = thread::scope(|scope| {
            let (tell, told) = bounded(1);
            let estate = &estate;
            let second = scope.spawn(move || {
                tell.send(sys::gettid()).ok();
                #[expect(
                    clippy::redundant_closure_for_method_calls,
                    reason = "the method is of one lifetime, a closure of any"
                )]
                estate.receive(|checker| checker.has_all())
            });
            let client = &client;
            let first = scope.spawn(move || {
                let failover = told.recv().map_err(|_| Errno::ESRCH)?;
                register(plan, client, signo, failover)?;
                drop(ready);
                let half = plan.arguments.events / 2;
                estate.receive(|checker| checker.account().handled() >= half || checker.has_all())
            });
            join(first).and_then(|()| join(second))
        });
        drop(mask);
        let stats = client.stats().map(Stats).ok();
        let checker = estate.checker;
        let mut account = checker
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .into_account();
        if let Err(errno) = done {
            let text = format!("a thread that receives has failed: {errno}");
            account.discrepancies.push(text);
        }
        account.failed_over = true;
        account.stats = stats;
        account
    }
}

/// Registers the calling thread and subscribes to everything.
fn register(plan: &Plan<'_>, client: &Client, signo: i32, failover: sys::Tid) -> Result<(), Errno> {
    let mut request = abi::Register {
        signo: signo as u32,
        failover_tid: failover,
        mode: abi::MODE_WINDOW,
        queue_len: plan.arguments.queue,
        policy: abi::POLICY_REJECT_NEWEST,
        clock: abi::CLOCK_MONOTONIC,
        quota: plan.arguments.quota(),
        ..abi::Register::zeroed()
    };
    client.register(&mut request)?;
    for &number in &plan.numbers {
        client.subscribe(number, None)?;
    }
    Ok(())
}

fn join(thread: ScopedJoinHandle<'_, Result<(), Errno>>) -> Result<(), Errno> {
    thread.join().unwrap_or(Err(Errno::ECANCELED))
}
