// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an administrator sees of the module: `fdinfo`, tracepoints, debugfs, parameters.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use nix::mount::{MsFlags, mount};
use rtnotify_tests::guest::{Fdinfo, word};
use rtnotify_tests::harness::{Backend, isolated, shared, unique};
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, create_source, request};
use sigrt::abi;
use sigrt::client::{Client, name_of};
use sigrt::sys::{self, SignalSet};

/// The counters of `rtnotify_stats`, by name.
fn counters(stats: &abi::Stats) -> BTreeMap<&'static str, u64> {
    BTreeMap::from([
        ("posted", stats.posted),
        ("consumed", stats.consumed),
        ("queued", stats.queued),
        ("lost_queue_full", stats.lost_queue_full),
        ("lost_quota", stats.lost_quota),
        ("lost_too_large", stats.lost_too_large),
        ("lost_discarded", stats.lost_discarded),
        ("lost_oldest", stats.lost_oldest),
        ("lost_superseded", stats.lost_superseded),
        ("gaps", stats.gaps),
        ("signals_sent", stats.signals_sent),
        ("signals_refused", stats.signals_refused),
        ("fallbacks", stats.fallbacks),
        ("coalesced", stats.coalesced),
        ("spurious", stats.spurious),
        ("stale", stats.stale),
        ("failovers", stats.failovers),
        ("high_water", stats.high_water),
        ("quota_used", stats.quota_used),
    ])
}

#[track_caller]
fn agree(info: &Fdinfo, stats: &abi::Stats) {
    for (name, value) in counters(stats) {
        assert_eq!(info.number(name), value, "{name}");
    }
}

fn info(client: &Client) -> Fdinfo {
    Fdinfo::of_own(client.fd().unwrap())
}

#[test]
fn fdinfo_says_what_stats_says() {
    isolated(
        "fdinfo_says_what_stats_says",
        &Backend::module(),
        |backend| {
            let mut asked = request(abi::MODE_PER_EVENT);
            asked.window = 3;
            asked.queue_len = 8;
            asked.capacity = 16;
            asked.quota = 4096;
            asked.cookie = 0xfeed;
            // The second lane's signal as well as the rig's own.
            std::mem::forget(sys::block(&SignalSet::asynchronous()));
            let (tell, told) = mpsc::channel();
            thread::spawn(move || {
                std::mem::forget(sys::block(&SignalSet::asynchronous()));
                tell.send(sys::gettid()).unwrap();
                loop {
                    thread::park();
                }
            });
            asked.failover_tid = told.recv().unwrap();
            let mut rig = Rig::new(backend, asked);
            let second = create_source(&rig.producer, 8);
            rig.subscriber.subscribe(second, Some(0xbeef)).unwrap();

            for n in 0..12 {
                rig.post(&[n; 100]);
            }
            rig.post(&[0; 5000]);
            let _ = rig.subscriber.pread(&mut [0; 8], 5 << 21);
            let (seen, stats) = (info(&rig.subscriber), rig.stats());
            agree(&seen, &stats);
            assert_eq!(stats.queued, 8);
            assert_eq!(stats.stale, 1);
            assert_eq!(seen.number("abi"), u64::from(abi::ABI_VERSION));
            assert_eq!(seen.one("state"), "registered");
            assert_eq!(seen.number("quota"), 4096);
            // Another lane, of the other kind.
            let mut lane = abi::Lane {
                size: abi::Lane::BYTES as u32,
                signo: asked.signo + 1,
                mode: abi::MODE_COALESCED,
                queue_len: 4,
                policy: abi::POLICY_DROP_OLDEST,
                ..abi::Lane::zeroed()
            };
            rig.subscriber.add_lane(&mut lane).unwrap();
            let seen = info(&rig.subscriber);
            let (tid, failover) = (sys::gettid(), asked.failover_tid);
            assert_eq!(
                seen.all("lane"),
                [
                    format!(
                        "signo={} target={tid} failover={failover} mode=per-event window=3 \
                     policy=reject-newest queued=8 queue_len=8",
                        asked.signo
                    ),
                    format!(
                        "signo={} target={tid} failover=0 mode=coalesced window={} \
                     policy=drop-oldest queued=0 queue_len=4",
                        lane.signo, lane.window
                    ),
                ]
            );
            let signo = asked.signo;
            let mut subscriptions = seen.all("subscription");
            subscriptions.sort_unstable();
            assert_eq!(
                subscriptions,
                [
                    format!("source={} signo={signo} cookie=0xfeed", rig.source),
                    format!("source={second} signo={signo} cookie=0xbeef"),
                ]
            );
            // The subscriber owns no source, the producer both, and has no registration.
            assert_eq!(seen.all("source").len(), 0);
            let producer = info(&rig.producer);
            assert_eq!(producer.one("state"), "-");
            assert_eq!(producer.all("quota").len(), 0);
            assert_eq!(producer.all("lane").len(), 0);
            let sources = producer.all("source");
            assert_eq!(sources.len(), 2);
            let all = rig.producer.sources().unwrap();
            let listed = all.iter().find(|i| i.number == rig.source).unwrap();
            assert_eq!(word(sources[0], "number"), Some(&*rig.source.to_string()));
            assert_eq!(word(sources[0], "name"), Some(&*name_of(listed)));
            assert_eq!(word(sources[0], "type"), Some("user"));
            assert_eq!(word(sources[0], "posted"), Some("13"));
            assert_eq!(word(sources[0], "subscribers"), Some("1"));
            assert_eq!(word(sources[0], "refused"), Some("5"));

            rig.settle();
            agree(&info(&rig.subscriber), &rig.stats());
            rig.subscriber.unregister().unwrap();
            let (seen, stats) = (info(&rig.subscriber), rig.stats());
            agree(&seen, &stats);
            assert_eq!(seen.one("state"), "-");
            assert_eq!(seen.all("subscription").len(), 0);
        },
    );
}

/// A tracing instance of this test's own, empty.
struct Trace {
    directory: PathBuf,
}

impl Trace {
    fn start(events: &[&str]) -> Self {
        let root = Path::new("/sys/kernel/tracing");
        if !root.join("instances").exists() {
            let none: Option<&str> = None;
            mount(
                Some("tracefs"),
                root,
                Some("tracefs"),
                MsFlags::empty(),
                none,
            )
            .unwrap();
        }
        let directory = root.join("instances").join(unique("rtnotify"));
        fs::create_dir(&directory).unwrap();
        for event in events {
            let control = directory.join("events/rtnotify").join(event).join("enable");
            fs::write(&control, "1").unwrap_or_else(|e| panic!("{}: {e}", control.display()));
        }
        Self { directory }
    }

    /// What has been recorded of `event`, oldest first: the words after its name.
    fn of(&self, event: &str) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("trace")).unwrap();
        let mark = format!(": {event}: ");
        let lines = text.lines().filter_map(|line| line.split_once(&mark));
        lines.map(|(_, words)| words.to_owned()).collect()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        fs::remove_dir(&self.directory).unwrap();
    }
}

#[track_caller]
fn number(line: &str, key: &str) -> u64 {
    let value = word(line, key).unwrap_or_else(|| panic!("{key} in {line}"));
    match value.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => value.parse().unwrap(),
    }
}

#[test]
fn tracepoints_count_every_event() {
    isolated(
        "tracepoints_count_every_event",
        &Backend::module(),
        |backend| {
            let mut asked = request(abi::MODE_PER_EVENT);
            asked.queue_len = 8;
            asked.window = 4;
            asked.flags = abi::REG_PREAD_RECORD;
            let mut rig = Rig::new(backend, asked);
            let client = info(&rig.subscriber).number("client");
            let trace = Trace::start(&["post", "signal", "refuse", "read", "lost"]);
            // Others may use the module at the same time; not this source, this thread or this client.
            let of = |event: &str, key: &str, value: u64| {
                let mut lines = trace.of(event);
                lines.retain(|line| number(line, key) == value);
                lines
            };

            for n in 0..10_u8 {
                rig.post(&[n; 20]);
            }
            let posts = of("post", "source", rig.source.into());
            assert_eq!(posts.len(), 10);
            for (n, line) in posts.iter().enumerate() {
                assert_eq!(number(line, "seq"), n as u64 + 1);
                assert_eq!(number(line, "len"), 20);
                assert_eq!(number(line, "subscribers"), 1);
                assert_eq!(number(line, "refused"), u64::from(n >= 8));
            }
            let refused = of("refuse", "client", client);
            assert_eq!(refused.len(), 2);
            assert_eq!(number(&refused[0], "seq"), 9);
            assert_eq!(number(&refused[1], "seq"), 10);
            assert!(
                refused
                    .iter()
                    .all(|l| word(l, "reason") == Some("queue-full"))
            );

            let signals = of("signal", "tid", sys::gettid() as u64);
            assert_eq!(signals.len(), 4);
            let taken = rig.ring();
            assert_eq!(number(&signals[0], "handle"), taken.value);
            for line in &signals {
                assert_eq!(word(line, "outcome"), Some("sent"));
                assert_eq!(number(line, "fallback"), 0);
                assert_eq!(number(line, "signo"), u64::from(asked.signo));
            }

            let mut buffer = [0; 84];
            assert_eq!(rig.subscriber.pread(&mut buffer, taken.value), Ok(84));
            rig.ledger.book_all(&buffer);
            let reads = of("read", "client", client);
            assert_eq!(reads.len(), 1);
            assert_eq!(number(&reads[0], "handle"), taken.value);
            assert_eq!(number(&reads[0], "records"), 1);
            assert_eq!(number(&reads[0], "bytes"), 84);
            assert_eq!(of("lost", "client", client), Vec::<String>::new());

            // Seven events, then room for the gap.
            let mut all = [0; 4096];
            let got = rig.subscriber.read(&mut all).unwrap();
            rig.ledger.book_all(&all[..got]);
            rig.post(&[10; 20]);
            let last = rig.subscriber.read(&mut all).unwrap();
            rig.ledger.book_all(&all[..last]);
            let reads = of("read", "client", client);
            let records: u64 = reads.iter().map(|l| number(l, "records")).sum();
            assert_eq!(records, rig.ledger.events + rig.ledger.gaps);
            let bytes: u64 = reads.iter().map(|l| number(l, "bytes")).sum();
            assert_eq!(bytes, (84 + got + last) as u64);
            let lost = of("lost", "client", client);
            assert_eq!(lost.len(), 1);
            assert_eq!(number(&lost[0], "source"), rig.source.into());
            assert_eq!(number(&lost[0], "first"), 9);
            assert_eq!(number(&lost[0], "last"), 10);
            assert_eq!(number(&lost[0], "count"), 2);
            assert_eq!(word(&lost[0], "reason"), Some("queue-full"));

            // What a registration leaves behind is lost too.
            for _ in 0..3 {
                rig.post(&[]);
            }
            assert_eq!(rig.subscriber.unregister(), Ok(3));
            let lost = of("lost", "client", client);
            assert_eq!(lost.len(), 2);
            assert_eq!(number(&lost[1], "count"), 3);
            assert_eq!(word(&lost[1], "reason"), Some("discarded"));
        },
    );
}

#[test]
fn tracepoint_of_signals_tells_refusals() {
    isolated(
        "tracepoint_of_signals_tells_refusals",
        &Backend::module(),
        |backend| {
            let mut rig = Rig::per_event(backend);
            raw::limit_queued_signals(0);
            let trace = Trace::start(&["signal"]);
            rig.post(&[1; 20]);
            let mut lines = trace.of("signal");
            lines.retain(|line| number(line, "tid") == sys::gettid() as u64);
            let outcome = |line: &String| {
                (
                    word(line, "outcome").unwrap().to_owned(),
                    number(line, "fallback"),
                )
            };
            let outcomes: Vec<_> = lines.iter().map(outcome).collect();
            assert_eq!(
                outcomes,
                [("refused".to_owned(), 0), ("sent".to_owned(), 1)]
            );
            rig.settle();
        },
    );
}

/// The lines of a file of the module's in debugfs.
fn debugfs(name: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new("/sys/kernel/debug/rtnotify").join(name)).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn debugfs_lists_clients_and_sources() {
    isolated(
        "debugfs_lists_clients_and_sources",
        &Backend::module(),
        |backend| {
            let mut rig = Rig::per_event(backend);
            for _ in 0..5 {
                rig.post(&[7; 20]);
            }
            let line_of = |client: u64| {
                let mut lines = debugfs("clients");
                lines.retain(|line| number(line, "client") == client);
                lines
            };
            let [subscriber, producer] =
                [&rig.subscriber, &rig.producer].map(|c| info(c).number("client"));
            let lines = line_of(subscriber);
            assert_eq!(lines.len(), 1);
            assert_eq!(number(&lines[0], "pid"), std::process::id().into());
            assert_eq!(number(&lines[0], "uid"), 0);
            assert_eq!(word(&lines[0], "state"), Some("registered"));
            assert_eq!(number(&lines[0], "subscriptions"), 1);
            for (name, value) in counters(&rig.stats()) {
                assert_eq!(number(&lines[0], name), value, "{name}");
            }
            assert_eq!(number(&line_of(producer)[0], "sources"), 1);

            let sources = debugfs("sources");
            let own = sources
                .iter()
                .find(|line| number(line, "number") == rig.source.into())
                .unwrap();
            assert_eq!(number(own, "posted"), 5);
            assert_eq!(number(own, "subscribers"), 1);
            assert_eq!(sources.len(), rig.producer.sources().unwrap().len());
            rig.settle();
            drop(rig);
            assert_eq!(line_of(subscriber), Vec::<String>::new());
            assert_eq!(line_of(producer), Vec::<String>::new());
        },
    );
}

#[test]
fn debugfs_can_be_read_while_everything_comes_and_goes() {
    let name = "debugfs_can_be_read_while_everything_comes_and_goes";
    isolated(name, &Backend::module(), |backend| {
        let done = AtomicBool::new(false);
        let read = thread::scope(|scope| {
            let readers = ["clients", "sources"].map(|name| {
                let done = &done;
                scope.spawn(move || {
                    let mut rounds = 0;
                    while !done.load(Ordering::Relaxed) {
                        let ours = std::process::id().into();
                        for line in debugfs(name) {
                            let key = if name == "clients" {
                                "posted"
                            } else {
                                "number"
                            };
                            let _ = number(&line, key);
                            rounds += u64::from(name == "sources" || number(&line, "pid") == ours);
                        }
                    }
                    rounds
                })
            });
            // At least so long, and until both have seen something of it.
            for _ in 0..60 {
                let mut rig = Rig::per_event(backend);
                rig.post(&[1; 30]);
                assert_eq!(info(&rig.subscriber).number("posted"), 1);
                rig.settle();
            }
            done.store(true, Ordering::Relaxed);
            readers.map(|reader| reader.join().unwrap())
        });
        assert!(read.iter().all(|&lines| lines > 0), "{read:?}");
    });
}

/// The strings of `field` in the file of the loaded module, as `modinfo -F` shows them.
fn modinfo(field: &str) -> Vec<String> {
    let module = std::env::var_os("RTNOTIFY_KO").expect("RTNOTIFY_KO names the module's file");
    let section = std::env::temp_dir().join(unique("modinfo"));
    let copied = Command::new("objcopy")
        .args(["-O", "binary", "--only-section=.modinfo"])
        .arg(module)
        .arg(&section)
        .status()
        .unwrap();
    assert!(copied.success());
    let bytes = fs::read(&section).unwrap();
    fs::remove_file(&section).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let prefix = format!("{field}=");
    let mut values: Vec<_> = text
        .split('\0')
        .filter_map(|line| Some(line.strip_prefix(&prefix)?.to_owned()))
        .collect();
    values.sort_unstable();
    values
}

#[test]
fn modinfo_is_complete() {
    shared("modinfo_is_complete", &Backend::module(), |_| {
        assert_eq!(modinfo("author"), ["The rtnotify authors"]);
        assert_eq!(modinfo("license"), ["GPL v2"]);
        assert_eq!(modinfo("name"), ["rtnotify"]);
        assert_eq!(modinfo("description").len(), 1);
        // One version for the whole of the work.
        assert_eq!(modinfo("version"), [env!("CARGO_PKG_VERSION")]);
        let loaded = fs::read_to_string("/sys/module/rtnotify/version").unwrap();
        assert_eq!(loaded.trim(), env!("CARGO_PKG_VERSION"));

        // Every parameter has a description, a type, and a value in sysfs.
        let name = |line: &String| line.split_once(':').unwrap().0.to_owned();
        let described: Vec<_> = modinfo("parm").iter().map(name).collect();
        let typed: Vec<_> = modinfo("parmtype").iter().map(name).collect();
        assert_eq!(described, typed);
        for (parameter, default) in [
            ("max_clients", "1024"),
            ("max_queued_bytes", "536870912"),
            ("max_sources", "256"),
        ] {
            assert!(
                described.iter().any(|name| name == parameter),
                "{parameter}"
            );
            let path = format!("/sys/module/rtnotify/parameters/{parameter}");
            assert_eq!(fs::read_to_string(&path).unwrap().trim(), default);
            assert!(fs::write(&path, "many").is_err());
            assert_eq!(fs::read_to_string(&path).unwrap().trim(), default);
        }
        for line in modinfo("parm") {
            assert!(line.split_once(':').unwrap().1.len() > 10, "{line}");
        }
    });
}
