// SPDX-License-Identifier: MIT OR Apache-2.0

//! The counters of open files of the device, of this process and of others.
//!
//! The module keeps them. Root reads all of them in debugfs, everybody those of processes that one may trace in
//! `/proc/PID/fdinfo`. A loopback's are known to its own process only.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use sigrt::abi;

/// Where debugfs is mounted on most machines.
pub(crate) const DEBUGFS: &str = "/sys/kernel/debug/rtnotify";

/// An open file of the device, or a subscription of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Who it is: a process, or what a subscription is called here.
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) state: String,
    counters: BTreeMap<String, u64>,
}

/// Counters of events that were lost, by reason.
const LOST: [&str; 6] = [
    "lost_queue_full",
    "lost_quota",
    "lost_too_large",
    "lost_discarded",
    "lost_oldest",
    "lost_superseded",
];

impl Client {
    /// A subscription of this process.
    pub(crate) fn own(name: &str, stats: &abi::Stats) -> Self {
        let state: Vec<_> = abi::Stats::STATES
            .iter()
            .filter(|(bit, _)| stats.state & bit != 0)
            .map(|&(_, name)| name)
            .collect();
        let more = [("subscriptions", u64::from(stats.subscriptions))];
        Self {
            name: name.to_owned(),
            pid: std::process::id(),
            state: if state.is_empty() {
                "-".to_owned()
            } else {
                state.join(",")
            },
            counters: stats
                .counters()
                .into_iter()
                .chain(more)
                .map(|(name, count)| (name.to_owned(), count))
                .collect(),
        }
    }

    /// A line of debugfs: `client=3 pid=17 … posted=5 …`.
    fn from_line(line: &str) -> Option<Self> {
        let mut words: BTreeMap<_, _> = line
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let number = words.remove("client")?;
        let pid = words.remove("pid")?.parse().ok()?;
        let state = words.remove("state").unwrap_or("-").to_owned();
        Some(Self {
            name: format!("{} #{number}", process_name(pid)),
            pid,
            state,
            counters: numbers(words),
        })
    }

    /// What `/proc/PID/fdinfo/FD` says: `posted:\t5` and so on.
    fn from_fdinfo(pid: u32, text: &str) -> Option<Self> {
        let mut words = BTreeMap::new();
        for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
            // Lanes, subscriptions and sources have a line each; here counts.
            if !matches!(key, "lane" | "source" | "pos" | "flags" | "mnt_id" | "ino") {
                words.insert(key.to_owned(), value.trim());
            }
        }
        let subscriptions = text.lines().filter(|l| l.starts_with("subscription:"));
        let count = subscriptions.count().to_string();
        words.remove("subscription");
        words.insert("subscriptions".to_owned(), &count);
        let number = words.remove("client")?;
        let state = words.remove("state").unwrap_or("-").to_owned();
        Some(Self {
            name: format!("{} #{number}", process_name(pid)),
            pid,
            state,
            counters: numbers(words),
        })
    }

    /// A counter by its name in `struct rtnotify_stats`; 0 for one that this device does not have.
    pub(crate) fn get(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// Events lost, for whatever reason.
    pub(crate) fn lost(&self) -> u64 {
        LOST.iter().map(|name| self.get(name)).sum()
    }

    /// Whether every event is accounted for, as it must be at any time.
    pub(crate) fn is_balanced(&self) -> bool {
        self.get("posted") == self.get("consumed") + self.get("queued") + self.lost()
    }

    pub(crate) fn as_json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "pid": self.pid,
            "state": self.state,
            "lost": self.lost(),
            "balanced": self.is_balanced(),
            "counters": self.counters,
        })
    }

    /// Cells for [`HEADS`].
    pub(crate) fn as_row(&self) -> Vec<String> {
        let mut row = vec![self.name.clone(), self.state.clone()];
        let counts = ["posted", "consumed", "queued"];
        row.extend(counts.map(|name| self.get(name).to_string()));
        row.push(self.lost().to_string());
        let counts = [
            "gaps",
            "signals_sent",
            "signals_refused",
            "fallbacks",
            "coalesced",
            "high_water",
        ];
        row.extend(counts.map(|name| self.get(name).to_string()));
        row
    }
}

/// Columns of a table of clients.
pub(crate) const HEADS: [&str; 12] = [
    "subscriber",
    "state",
    "posted",
    "consumed",
    "queued",
    "lost",
    "gaps",
    "signals",
    "refused",
    "fallbacks",
    "coalesced",
    "most queued",
];

fn numbers(words: BTreeMap<String, &str>) -> BTreeMap<String, u64> {
    words
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.parse().ok()?)))
        .collect()
}

fn process_name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim() {
        "" => format!("[{pid}]"),
        name => format!("{name}[{pid}]"),
    }
}

/// All open files of the device that this user may look into, and a remark if that may not be all.
pub(crate) fn of_host(debugfs: &Path, node: &Path) -> Result<(Vec<Client>, Option<String>)> {
    let path = debugfs.join("clients");
    match fs::read_to_string(&path) {
        Ok(text) => Ok((text.lines().filter_map(Client::from_line).collect(), None)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound
            ) =>
        {
            let remark = format!(
                "only files of processes that you may trace: {} {} (as root it has all; \
                 `mount -t debugfs debugfs /sys/kernel/debug` if it is not there)",
                path.display(),
                if error.kind() == io::ErrorKind::NotFound {
                    "is not there"
                } else {
                    "may not be read"
                }
            );
            Ok((of_processes(node), Some(remark)))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The open files of the device in `/proc`; processes that may not be looked into are left out.
fn of_processes(node: &Path) -> Vec<Client> {
    let mut clients = Vec::new();
    let Ok(processes) = fs::read_dir("/proc") else {
        return clients;
    };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let Ok(open) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for file in open.flatten() {
            if fs::read_link(file.path()).is_ok_and(|target| target == node) {
                let info = process.path().join("fdinfo").join(file.file_name());
                let text = fs::read_to_string(info).unwrap_or_default();
                clients.extend(Client::from_fdinfo(pid, &text));
            }
        }
    }
    // A descriptor that was duplicated is the same open file.
    clients.sort_by(|a, b| a.name.cmp(&b.name));
    clients.dedup_by(|a, b| a.name == b.name);
    clients
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_debugfs_is_understood() {
        let line = "client=7 pid=4194304 uid=0 state=registered,refused sources=1 subscriptions=2 \
                    posted=10 consumed=5 queued=2 lost_queue_full=3 news=4";
        let client = Client::from_line(line).unwrap();
        assert_eq!(client.name, "[4194304] #7");
        assert_eq!(client.state, "registered,refused");
        assert_eq!((client.get("posted"), client.lost()), (10, 3));
        assert_eq!((client.get("news"), client.get("absent")), (4, 0));
        assert!(client.is_balanced());
        assert_eq!(Client::from_line("nothing of the kind"), None);
    }

    #[test]
    fn fdinfo_is_understood() {
        let text = "pos:\t0\nflags:\t02\nabi:\t1\nclient:\t3\nstate:\tregistered\nposted:\t4\n\
                    consumed:\t3\nqueued:\t0\nlost_quota:\t1\nlane:\tsigno=34 queued=0\n\
                    subscription:\tsource=1 signo=34 cookie=0x0\nsubscription:\tsource=2\n";
        let client = Client::from_fdinfo(4_194_304, text).unwrap();
        assert_eq!(client.get("subscriptions"), 2);
        assert_eq!((client.get("posted"), client.lost()), (4, 1));
        assert!(client.is_balanced());
    }

    #[test]
    fn own_counters_have_the_same_names() {
        let mut stats = abi::Stats::zeroed();
        (stats.posted, stats.consumed, stats.lost_oldest) = (3, 2, 1);
        stats.state = abi::STATE_REGISTERED;
        let client = Client::own("me", &stats);
        assert_eq!((client.get("posted"), client.lost()), (3, 1));
        assert!(client.is_balanced());
        assert_eq!(client.as_row().len(), HEADS.len());
    }
}
