// SPDX-License-Identifier: MIT OR Apache-2.0

//! A module that is asked to leave: only when nobody uses it.
//!
//! In a test program of its own, so that no other test runs meanwhile. With the paths of the module files in
//! `RTNOTIFY_KO` and `RTNOTIFY_EDU_KO` it unloads and loads both; without them it only tries.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use rtnotify_tests::harness::{Backend, eventually, shared};
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, create_source, request};
use sigrt::abi;
use sigrt::client::{Access, Client};

fn check(name: &str, test: fn(&Backend)) {
    shared(name, &Backend::module(), test);
}

#[test]
fn module_leaves_only_when_unused() {
    check("module_leaves_only_when_unused", |backend| {
        let in_use = |result: Result<(), Errno>| {
            assert!(
                matches!(result, Err(Errno::EWOULDBLOCK | Errno::EBUSY)),
                "{result:?}"
            );
        };
        let client = backend.open(Access::ReadWrite, false);
        in_use(raw::delete_module(c"rtnotify"));
        let source = create_source(&client, 8);
        client.post(source, 0, None, b"alive").unwrap();

        // Nobody needs them here, and they need the module.
        for other in [c"rtnotify_lines", c"rtnotify_echo"] {
            if let Err(errno) = raw::delete_module(other) {
                assert_eq!(errno, Errno::ENOENT);
            }
        }
        let modules = ["RTNOTIFY_KO", "RTNOTIFY_EDU_KO"].map(std::env::var_os);
        let [Some(rtnotify), Some(edu)] = modules else {
            // Without the files it could not be loaded again.
            drop(client);
            in_use(raw::delete_module(c"rtnotify"));
            return;
        };
        for _ in 0..3 {
            let client = backend.open(Access::ReadWrite, false);
            raw::delete_module(c"rtnotify_edu").unwrap();
            assert!(
                client
                    .sources()
                    .unwrap()
                    .iter()
                    .all(|i| sigrt::client::name_of(i) != "edu")
            );
            in_use(raw::delete_module(c"rtnotify"));
            let file = File::open(&edu).unwrap();
            drop(client);
            raw::load_module(file.as_fd()).unwrap();
        }
        drop(client);
        // Still needed by the driver.
        in_use(raw::delete_module(c"rtnotify"));
        raw::delete_module(c"rtnotify_edu").unwrap();
        eventually("nobody has it open any more", || {
            raw::delete_module(c"rtnotify").is_ok()
        });
        for path in [rtnotify, edu] {
            let file = File::open(path).unwrap();
            raw::load_module(file.as_fd()).unwrap();
        }
        eventually("the device node is back", || {
            Client::open(sigrt::DEFAULT_PATH.as_ref(), Access::Read, false).is_ok()
        });
        let client = backend.open(Access::ReadWrite, false);
        eventually("the driver has found its device", || {
            let all = client.sources().unwrap();
            all.iter().any(|i| sigrt::client::name_of(i) == "edu")
        });
    });
}

/// Objects in use of each slab cache, and areas of virtual memory, after everything that can be given back was.
fn kernel_memory() -> BTreeMap<String, i64> {
    fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
    let slabs = fs::read_to_string("/proc/slabinfo").unwrap();
    let mut counts: BTreeMap<_, _> = slabs
        .lines()
        .skip(2)
        .map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let name = fields.next().unwrap().to_owned();
            (name, fields.next().unwrap().parse().unwrap())
        })
        .collect();
    assert!(counts.len() > 20, "{slabs}");
    let areas = fs::read_to_string("/proc/vmallocinfo").unwrap();
    counts.insert("vmalloc".to_owned(), areas.lines().count() as i64);
    counts
}

#[test]
fn slow_thousand_loads_leave_nothing_behind() {
    check("slow_thousand_loads_leave_nothing_behind", |backend| {
        const ROUNDS: i64 = 1000;
        const WARM: i64 = 100;
        let [rtnotify, edu] = ["RTNOTIFY_KO", "RTNOTIFY_EDU_KO"].map(|name| {
            let path = std::env::var_os(name).unwrap_or_else(|| panic!("{name} names no file"));
            File::open(path).unwrap()
        });
        // Most of the time goes into waiting for grace periods.
        fs::write("/sys/kernel/rcu_expedited", "1").unwrap();
        let start = Instant::now();
        let mut warm = BTreeMap::new();
        raw::delete_module(c"rtnotify_edu").unwrap();
        for round in 1..=ROUNDS {
            eventually("the module leaves", || {
                raw::delete_module(c"rtnotify").is_ok()
            });
            raw::load_module(rtnotify.as_fd()).unwrap();
            // The driver takes as long to come and go as the module itself.
            let with_driver = round % 10 == 0;
            if with_driver {
                raw::load_module(edu.as_fd()).unwrap();
            }
            let mut asked = request([abi::MODE_WINDOW, abi::MODE_PER_EVENT][(round % 2) as usize]);
            asked.quota = 4096;
            asked.queue_len = 8;
            let mut rig = Rig::new(backend, asked);
            for n in 0..4_u8 {
                rig.post(&[n; 300]);
            }
            let _ = rig.ring();
            assert_eq!(rig.drain(), 4);
            if round % 3 == 0 {
                // Some end with events queued.
                rig.post(&[0; 300]);
            } else {
                rig.settle();
            }
            drop(rig);
            if with_driver {
                raw::delete_module(c"rtnotify_edu").unwrap();
            }
            if round == WARM {
                warm = kernel_memory();
            }
        }
        let now = kernel_memory();
        raw::load_module(edu.as_fd()).unwrap();
        fs::write("/sys/kernel/rcu_expedited", "0").unwrap();
        println!("{} s", start.elapsed().as_secs());
        // Caches keep some objects per processor; one that is lost in every second round is more than that, and
        // so are five that the driver loses.
        let grown: Vec<_> = now
            .iter()
            .map(|(name, count)| (name, count - warm.get(name).unwrap_or(&0)))
            .filter(|(_, more)| *more >= (ROUNDS - WARM) / 2)
            .collect();
        assert!(
            grown.is_empty(),
            "more objects than at round {WARM}: {grown:?}"
        );
    });
}
