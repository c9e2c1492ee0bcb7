// SPDX-License-Identifier: MIT OR Apache-2.0

//! Legacy programs of every facade, fed by `rtnotify replay` through a broker.

mod common;
#[path = "common/replayed.rs"]
mod legacy;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use common::{LIMIT, home, library_folder, run};
use legacy::Case;

/// The programs, as the Makefile beside them builds them.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
        let output = run(
            Command::new("make")
                .arg("-C")
                .arg(home().join("examples"))
                .arg(format!("O={}", folder.display()))
                .arg(format!(
                    "LIB={}",
                    library_folder().join("libapp_shim.a").display()
                ))
                .env_remove("MAKEFLAGS"),
            LIMIT,
        );
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(!errors.contains("warning"), "{errors}");
        folder
    })
}

/// The command, built if need be: Cargo does that by itself for tests of the same package only.
fn rtnotify() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        // target/PROFILE/deps/test-HASH
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let name = match profile.file_name().and_then(|n| n.to_str()).unwrap() {
            "debug" => "dev",
            other => other,
        };
        // Together with a test, and for the whole workspace: only so does Cargo choose the features that it has chosen
        // for `cargo test --workspace`, and leaves the program that other tests may be running where it is.
        let output = run(
            Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--workspace", "--profile", name])
                .args(["--bin", "rtnotify", "--test", env!("CARGO_CRATE_NAME")])
                .arg("--target-dir")
                .arg(profile.parent().unwrap())
                .current_dir(home()),
            Duration::from_mins(15),
        );
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        profile.join("rtnotify")
    })
}

/// A broker of its own.
struct Broker {
    folder: tempfile::TempDir,
    child: Child,
}

impl Broker {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(rtnotify())
            .args(["serve", "--socket"])
            .arg(folder.path().join("socket"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let broker = Self { folder, child };
        let deadline = Instant::now() + LIMIT;
        while !broker.socket().exists() {
            assert!(Instant::now() < deadline, "no socket");
            thread::sleep(Duration::from_millis(5));
        }
        broker
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[track_caller]
fn says(case: &Case) {
    let broker = Broker::start();
    legacy::replayed(case, rtnotify(), &broker.socket(), programs());
}
