// SPDX-License-Identifier: MIT OR Apache-2.0

//! What one user, and one memory cgroup, may hold.
//!
//! Root may exceed the limits, so each test acts as an ordinary user of the device's group in a forked child.
//! Every test runs in a process of its own, and none beside another: they set parameters of the module.

use std::fs;
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use rtnotify_tests::guest::{DeviceGroup, GROUP, OTHER_USER, Parameter, USER, become_user};
use rtnotify_tests::harness::{Backend, eventually, isolated, unique};
use rtnotify_tests::raw::{self, Shared};
use rtnotify_tests::rig::{Rig, create_source, request, user_source};
use sigrt::client::{Access, Client};
use sigrt::sys::{self, SignalSet};
use sigrt::{DEFAULT_PATH, abi};

fn check(name: &str, test: fn(&Backend)) {
    isolated(name, &Backend::module(), test);
}

/// Runs `act` as an ordinary user who may use the device, in a process of its own.
fn as_user(user: u32, act: impl FnOnce()) {
    let child = raw::fork_child(|| {
        become_user(user, &[GROUP]);
        std::mem::forget(sys::block(&SignalSet::asynchronous()));
        act();
        ExitCode::SUCCESS
    });
    raw::expect_success(child);
}

fn open() -> std::io::Result<Client> {
    Client::open(DEFAULT_PATH.as_ref(), Access::ReadWrite, false)
}

fn refused(result: std::io::Result<Client>) -> bool {
    matches!(result, Err(error) if error.raw_os_error() == Some(libc::EMFILE))
}

#[test]
fn open_files_of_one_user() {
    check("open_files_of_one_user", |_| {
        let _group = DeviceGroup::give();
        let _limit = Parameter::set("max_clients", 5);
        // Again and again: what is closed does not count any more, at once.
        for _ in 0..3 {
            as_user(USER, || {
                let mut held: Vec<_> = (0..5).map(|_| open().unwrap()).collect();
                assert!(refused(open()));
                held.pop();
                held.push(open().unwrap());
                assert!(refused(open()));
                // A copy of a descriptor is the same open file.
                let _copy = held[0].fd().unwrap().try_clone_to_owned().unwrap();
                drop(held.pop());
                drop(open().unwrap());
            });
        }
        // Users do not count together, and root may have more.
        as_user(USER, || {
            let _held: Vec<_> = (0..5).map(|_| open().unwrap()).collect();
            assert!(refused(open()));
        });
        let held: Vec<_> = (0..8).map(|_| open().unwrap()).collect();
        as_user(OTHER_USER, || {
            let _held: Vec<_> = (0..5).map(|_| open().unwrap()).collect();
        });
        drop(held);
    });
}

#[test]
fn sources_of_one_user() {
    check("sources_of_one_user", |backend| {
        let _group = DeviceGroup::give();
        let _limit = Parameter::set("max_sources", 4);
        for _ in 0..3 {
            as_user(USER, || {
                let (one, two) = (open().unwrap(), open().unwrap());
                let first = create_source(&one, 8);
                let mut timer = abi::CreateSource {
                    source_type: abi::SOURCE_TIMER,
                    max_payload: 0,
                    period_ns: 1_000_000_000,
                    ..user_source(0)
                };
                two.create_source(&mut timer).unwrap();
                let _ = (create_source(&one, 8), create_source(&two, 8));
                let full = |client: &Client| {
                    let result = client.create_source(&mut user_source(8));
                    assert_eq!(result, Err(Errno::EDQUOT));
                };
                full(&one);
                full(&two);
                // What could not be created does not count.
                let taken = &mut user_source(8);
                one.destroy_source(first).unwrap();
                timer.size = 0;
                assert_eq!(two.create_source(&mut timer), Err(Errno::EEXIST));
                one.create_source(taken).unwrap();
                full(&one);
                drop(two);
                let _ = (create_source(&one, 8), create_source(&one, 8));
                full(&one);
            });
        }
        let root = backend.open(Access::Write, false);
        for _ in 0..6 {
            let _ = create_source(&root, 8);
        }
    });
}

#[test]
fn memory_of_one_user() {
    check("memory_of_one_user", |_| {
        let _group = DeviceGroup::give();
        let _limit = Parameter::set("max_queued_bytes", 3 << 20);
        let mib = |n: u64| abi::Register {
            quota: n << 20,
            queue_len: 64,
            ..request(abi::MODE_WINDOW)
        };
        for _ in 0..3 {
            as_user(USER, || {
                let clients: Vec<_> = (0..3).map(|_| open().unwrap()).collect();
                // The queue counts as well as the payloads.
                assert_eq!(clients[0].register(&mut mib(3)), Err(Errno::EDQUOT));
                clients[0].register(&mut mib(1)).unwrap();
                clients[1].register(&mut mib(1)).unwrap();
                assert_eq!(clients[2].register(&mut mib(1)), Err(Errno::EDQUOT));
                assert_eq!(clients[2].stats().unwrap().state, 0);
                // A registration that is refused for another reason does not count.
                let mut bad = mib(2);
                bad.target_tid = 1;
                clients[0].unregister().unwrap();
                assert_eq!(clients[2].register(&mut bad), Err(Errno::ESRCH));
                clients[2].register(&mut mib(1)).unwrap();
                clients[1].unregister().unwrap();
                clients[2].unregister().unwrap();
                clients[1].register(&mut mib(2)).unwrap();
            });
        }
        let root = open().unwrap();
        let _mask = sys::block(&SignalSet::asynchronous());
        root.register(&mut mib(8)).unwrap();
        root.unregister().unwrap();
    });
}

#[test]
fn user_namespace_gives_no_more() {
    check("user_namespace_gives_no_more", |_| {
        let _group = DeviceGroup::give();
        let _limit = Parameter::set("max_clients", 4);
        as_user(USER, || {
            let mut held = vec![open().unwrap(), open().unwrap()];
            unshare(CloneFlags::CLONE_NEWUSER).unwrap();
            fs::write("/proc/self/uid_map", format!("0 {USER} 1")).unwrap();
            // It is root there, and has every capability there.
            assert!(nix::unistd::geteuid().is_root());
            held.push(open().unwrap());
            held.push(open().unwrap());
            assert!(refused(open()));
        });
    });
}

#[test]
fn charges_are_exact_under_concurrency_and_kill() {
    check("charges_are_exact_under_concurrency_and_kill", |_| {
        const LIMIT: u64 = 16;
        let _group = DeviceGroup::give();
        let limits = [
            Parameter::set("max_clients", LIMIT),
            Parameter::set("max_sources", LIMIT),
            Parameter::set("max_queued_bytes", 8 << 20),
        ];
        // Words: opened, refused, registered, over the limit.
        let shared = Shared::new(4);
        let small = || abi::Register {
            quota: 1 << 20,
            queue_len: 16,
            ..request(abi::MODE_WINDOW)
        };
        // As many of each as an ordinary user gets, who has never had any.
        let exhaust = || {
            let held: Vec<_> = iter::from_fn(|| open().ok()).collect();
            assert!(refused(open()));
            let made = |client: &&Client| client.create_source(&mut user_source(8)).is_ok();
            let sources = held.iter().filter(made).count();
            assert_eq!(
                held[0].create_source(&mut user_source(8)),
                Err(Errno::EDQUOT)
            );
            let registered = |client: &&Client| client.register(&mut small()).is_ok();
            let registrations = held.iter().filter(registered).count();
            (held.len(), sources, registrations)
        };
        let found = Shared::new(3);
        as_user(OTHER_USER, || {
            let (files, sources, registrations) = exhaust();
            for (word, n) in found.words().iter().zip([files, sources, registrations]) {
                word.store(n as u64, Ordering::Relaxed);
            }
        });
        let found: Vec<_> = found
            .words()
            .iter()
            .map(|w| w.load(Ordering::Relaxed) as usize)
            .collect();
        let untouched = (found[0], found[1], found[2]);
        assert_eq!((untouched.0, untouched.1), (LIMIT as usize, LIMIT as usize));
        assert!((4..8).contains(&untouched.2), "{untouched:?}");
        for round in 0..3 {
            let before = shared.words()[1].load(Ordering::Relaxed);
            let children: Vec<_> = (0..4)
                .map(|_| {
                    raw::fork_child(|| {
                        become_user(USER, &[GROUP]);
                        std::mem::forget(sys::block(&SignalSet::asynchronous()));
                        let words = shared.words();
                        let work = || {
                            std::mem::forget(sys::block(&SignalSet::asynchronous()));
                            loop {
                                let mut held = Vec::new();
                                for _ in 0..6 {
                                    match open() {
                                        Ok(client) => {
                                            words[0].fetch_add(1, Ordering::Relaxed);
                                            if client.register(&mut small()).is_ok() {
                                                words[2].fetch_add(1, Ordering::Relaxed);
                                            }
                                            client.create_source(&mut user_source(8)).ok();
                                            held.push(client);
                                        }
                                        Err(_) => drop(words[1].fetch_add(1, Ordering::Relaxed)),
                                    }
                                }
                            }
                        };
                        thread::scope(|scope| {
                            scope.spawn(work);
                            scope.spawn(work);
                        });
                        ExitCode::SUCCESS
                    })
                })
                .collect();
            // Eight threads want 48 files of 16.
            eventually("some are refused", || {
                shared.words()[1].load(Ordering::Relaxed) > before + 50
            });
            for child in children {
                kill(child, Signal::SIGKILL).unwrap();
                let ended = WaitStatus::Signaled(child, Signal::SIGKILL, false);
                assert_eq!(waitpid(child, None), Ok(ended));
            }
            assert!(shared.words()[0].load(Ordering::Relaxed) > 0);
            assert!(shared.words()[2].load(Ordering::Relaxed) > 0);
            // The whole of each limit is there again: a process that has been waited for holds nothing.
            as_user(USER, || {
                assert_eq!(exhaust(), untouched, "after round {round}");
            });
        }
        drop(limits);
    });
}

/// A memory cgroup with a limit.
struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    fn with_limit(bytes: u64) -> Self {
        let root = std::env::temp_dir().join(unique("cgroup"));
        fs::create_dir(&root).unwrap();
        let none: Option<&str> = None;
        mount(none, &root, Some("cgroup2"), MsFlags::empty(), none).unwrap();
        fs::write(root.join("cgroup.subtree_control"), "+memory").unwrap();
        let path = root.join(unique("small"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("memory.max"), bytes.to_string()).unwrap();
        Self { path }
    }

    /// Moves the calling process into it.
    fn enter(&self) {
        fs::write(self.path.join("cgroup.procs"), "0").unwrap();
    }

    /// Bytes charged to it.
    fn current(&self) -> u64 {
        let text = fs::read_to_string(self.path.join("memory.current")).unwrap();
        text.trim().parse().unwrap()
    }

    fn event(&self, name: &str) -> u64 {
        let text = fs::read_to_string(self.path.join("memory.events")).unwrap();
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap().parse().unwrap()
    }
}

#[test]
fn memory_cgroup_refuses_rather_than_kills() {
    check("memory_cgroup_refuses_rather_than_kills", |backend| {
        let group = Cgroup::with_limit(24 << 20);
        let big = || abi::Register {
            quota: 64 << 20,
            ..request(abi::MODE_WINDOW)
        };
        let child = raw::fork_child(|| {
            group.enter();
            std::mem::forget(sys::block(&SignalSet::asynchronous()));
            let client = backend.open(Access::ReadWrite, false);
            for _ in 0..3 {
                assert_eq!(client.register(&mut big()), Err(Errno::ENOMEM));
                assert_eq!(client.stats().unwrap().state, 0);
                // What was refused left nothing behind, or whatever the process needs next would have it killed.
                assert!(group.current() < 12 << 20);
            }
            client.register(&mut request(abi::MODE_WINDOW)).unwrap();
            client.unregister().unwrap();
            let mut rig = Rig::window(backend);
            for n in 0..100_u8 {
                rig.post(&[n; 1000]);
            }
            rig.settle();
            ExitCode::SUCCESS
        });
        raw::expect_success(child);
        assert!(group.event("max") > 0, "the limit was never reached");
        assert_eq!(group.event("oom_kill"), 0);
        // The same is fine outside.
        let mut rig = Rig::new(backend, big());
        rig.post(&[1; 5000]);
        rig.settle();
    });
}

#[test]
fn memory_cgroup_is_charged() {
    check("memory_cgroup_is_charged", |backend| {
        let group = Cgroup::with_limit(256 << 20);
        let current = || group.current();
        let child = raw::fork_child(|| {
            group.enter();
            std::mem::forget(sys::block(&SignalSet::asynchronous()));
            let client = backend.open(Access::ReadWrite, false);
            let before = current();
            let mut asked = abi::Register {
                quota: 32 << 20,
                ..request(abi::MODE_WINDOW)
            };
            client.register(&mut asked).unwrap();
            // Counters of a cgroup are kept in batches.
            assert!(
                current() > before + (30 << 20),
                "{} -> {}",
                before,
                current()
            );
            client.unregister().unwrap();
            eventually("the memory is given back", || {
                current() < before + (8 << 20)
            });
            ExitCode::SUCCESS
        });
        raw::expect_success(child);
    });
}
