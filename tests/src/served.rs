// SPDX-License-Identifier: MIT OR Apache-2.0

//! Brokers in processes of their own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where Cargo puts `rtnotify-test-broker`, which it builds before it runs this package's tests.
///
/// # Panics
///
/// If this is no test program.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // It lies in `deps`, beside which the programs are.
    let directory = test.parent().and_then(Path::parent).unwrap();
    directory.join("rtnotify-test-broker")
}

/// A broker that runs until this is dropped, or this process ends.
#[derive(Debug)]
pub struct Served {
    child: Child,
    directory: PathBuf,
    path: PathBuf,
    arguments: Vec<String>,
    program: PathBuf,
}

impl Served {
    /// Starts `program`, which is `rtnotify-test-broker`, and waits until it listens.
    #[must_use]
    pub fn start(program: &Path) -> Self {
        Self::with_limits(program, &[])
    }

    /// The same, with limits per user: clients, sources, bytes; or none.
    #[must_use]
    pub fn with_limits(program: &Path, limits: &[u64]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rtnotify-test-{}-{n}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        // What a test that was killed has left behind, under the same number.
        fs::remove_dir_all(&directory).ok();
        let path = directory.join("socket");
        let program = program.to_owned();
        let arguments: Vec<_> = limits.iter().map(u64::to_string).collect();
        Self {
            child: spawn(&program, &path, &arguments),
            directory,
            path,
            arguments,
            program,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Kills it, without a chance to clean up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it end, and waits for that. The directory of its socket is there afterwards, and empty.
    pub fn stop(&mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        fs::create_dir_all(&self.directory).unwrap();
    }

    /// Starts it again, at the same place.
    pub fn restart(&mut self) {
        self.child = spawn(&self.program, &self.path, &self.arguments);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It may be gone already.
        self.child.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn spawn(program: &Path, path: &Path, arguments: &[String]) -> Child {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut child = Command::new(program)
        .arg(path)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    child
}

/// A client in a process of its own, killed when dropped.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `program`, which is `rtnotify-test-peer`, and waits until it is ready.
    #[must_use]
    pub fn start(program: &str, role: &str, broker: &Served, source: &str) -> Self {
        let mut child = Command::new(program)
            .arg(role)
            .arg(broker.path())
            .arg(source)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut peer = Self { child, output };
        assert_eq!(peer.line(), "ready");
        peer
    }

    /// The next line that it prints; empty at the end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Says something to it.
    pub fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it and waits for that.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
