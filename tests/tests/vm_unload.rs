// SPDX-License-Identifier: MIT OR Apache-2.0

//! A module that is asked to leave: only when nobody uses it.
//!
//! In a test program of its own, so that no other test runs meanwhile. With the paths of the module files in
//! `RTNOTIFY_KO` and `RTNOTIFY_EDU_KO` it unloads and loads both; without them it only tries.

use std::os::fd::AsFd;

use nix::errno::Errno;
use rtnotify_tests::harness::{Backend, eventually, shared};
use rtnotify_tests::raw;
use rtnotify_tests::rig::create_source;
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
            let file = std::fs::File::open(&edu).unwrap();
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
            let file = std::fs::File::open(path).unwrap();
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
