// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every command on the device that `rtnotify serve` is, the way a user goes through them.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Output};

use common::{command, err, finish, interrupt, out, spawn, values, wait_for_line};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A broker, its socket in a directory of its own.
struct Broker {
    child: Child,
    directory: tempfile::TempDir,
}

impl Broker {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let socket = socket.display().to_string();
        let mut child = spawn(&mut command(&format!("serve --json --socket {socket}")));
        let (line, _) = wait_for_line(&mut child);
        let said: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(said["serving"], socket.as_str());
        Self { child, directory }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn command(&self, arguments: &str) -> Child {
        spawn(command(arguments).arg("--device").arg(self.socket()))
    }

    fn run(&self, arguments: &str) -> Output {
        finish(self.command(arguments))
    }

    #[track_caller]
    fn json(&self, arguments: &str) -> Vec<Value> {
        let output = self.run(&format!("{arguments} --json"));
        assert!(output.status.success(), "{arguments}: {}", err(&output));
        values(&output)
    }

    /// Starts a command that listens, and waits until `source` has so many subscribers.
    fn listening(&self, arguments: &str, source: &str, subscribers: u64) -> Child {
        let mut child = self.command(arguments);
        let listens = || {
            let listed = self.json("sources");
            listed.iter().any(|line| {
                line["name"] == source && line["subscribers"].as_u64() >= Some(subscribers)
            })
        };
        while !listens() {
            assert!(child.try_wait().unwrap().is_none(), "{arguments} has ended");
        }
        child
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn arrived(lines: &[Value]) -> usize {
    lines
        .iter()
        .filter(|line| line.get("event").is_some())
        .count()
}

#[test]
fn every_command_works_on_a_broker() {
    let broker = Broker::start();
    assert_eq!(broker.json("sources"), Vec::<Value>::new());

    let checks = broker.run("doctor --json");
    let found = values(&checks);
    let state = |check: &str| {
        let one = found.iter().find(|line| line["check"] == check);
        one.map(|line| line["state"].as_str().unwrap().to_owned())
    };
    assert_eq!(state("broker").as_deref(), Some("ok"), "{}", out(&checks));
    assert_eq!(state("socket").as_deref(), Some("ok"), "{}", out(&checks));
    assert_eq!(state("module"), None, "it is not needed");

    // One process makes the source, others listen and post.
    let watch = broker.listening("watch --create door -n 4 --json", "door", 1);
    let trace = broker.directory.path().join("door.rtn");
    let trace = trace.display();
    let record = broker.listening(&format!("record door -n 4 -o {trace} --json"), "door", 2);
    for value in 1..=4 {
        let posted = broker.json(&format!("post door knock --value {value}"));
        assert!(!posted.is_empty());
    }
    let record = finish(record);
    assert!(record.status.success(), "{}", err(&record));
    let watch = finish(watch);
    assert!(watch.status.success(), "{}", err(&watch));
    assert_eq!(arrived(&values(&watch)), 4, "{}", out(&watch));

    // What was recorded comes again, to whoever listens.
    for arguments in [
        format!("replay {trace} --verify"),
        format!("replay {trace} --fast"),
        format!("replay {trace} --fast --check"),
    ] {
        assert!(!broker.json(&arguments).is_empty(), "{arguments}");
    }

    let mut source = broker.listening("watch --create adc --json", "adc", 1);
    let refused = broker.run("call adc hello");
    assert_eq!(refused.status.code(), Some(1));
    let said = err(&refused);
    assert!(said.contains("only drivers answer calls"), "{said}");
    let counted = broker.json("stats");
    assert!(counted.iter().any(|line| line["source"]["name"] == "adc"));
    let watched = broker.json("stats adc --for 100ms");
    assert!(watched.iter().any(|line| line.get("client").is_some()));
    let seen = broker.json("top --once --interval 50ms");
    assert!(seen.iter().any(|line| line.to_string().contains("adc")));
    let seen = broker.json("top --timer tick=1ms --once --interval 50ms");
    assert!(seen.iter().any(|line| line.to_string().contains("tick")));
    interrupt(&source, Signal::SIGINT);
    drop(source.stdout.take());
    assert_eq!(finish(source).status.code(), Some(0));

    let stressed = broker.json("stress --events 1000 --producers 2 --subscribers 2");
    assert!(!stressed.is_empty());
    assert_eq!(broker.json("sources"), Vec::<Value>::new(), "all has gone");
}

/// Who listens, or posts, when the broker ends is told so, and can start anew with the next.
#[test]
fn broker_that_ends_is_reported() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut broker = Broker::start();
        let watch = broker.listening("watch --create door --json", "door", 1);
        interrupt(&broker.child, signal);
        broker.child.wait().unwrap();
        let watch = finish(watch);
        assert_eq!(watch.status.code(), Some(1), "{}", out(&watch));
        let said = err(&watch);
        assert!(said.contains("the broker is gone"), "{said}");
        let refused = broker.run("sources");
        assert_eq!(refused.status.code(), Some(1));
        assert_helpful(&broker.socket(), &err(&refused));
        let checks = broker.run("doctor --json");
        assert_eq!(checks.status.code(), Some(1));
    }
}

/// Whether there is still a file or not, what helps is said.
#[track_caller]
fn assert_helpful(socket: &Path, said: &str) {
    let helps = if socket.exists() {
        "no broker serves"
    } else {
        "rtnotify serve"
    };
    assert!(said.contains(helps), "{said}");
}
