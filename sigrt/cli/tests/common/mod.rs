// SPDX-License-Identifier: MIT OR Apache-2.0

//! Running the command as a user does.

#![expect(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing here takes longer, on however slow a machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The command with these arguments, which are separated by spaces.
pub fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtnotify"));
    command
        .args(arguments.split_whitespace())
        .env_remove("RTNOTIFY_DEVICE")
        .env_remove("NO_COLOR");
    command
}

/// Waits for the end, and kills what does not come to one.
pub fn finish(child: Child) -> Output {
    finish_within(child, PATIENCE)
}

/// The same for what takes long.
pub fn finish_within(mut child: Child, patience: Duration) -> Output {
    let (done, wait) = mpsc::channel::<()>();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let watchdog = thread::spawn(move || {
        if wait.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok();
        }
    });
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    drop(done);
    watchdog.join().unwrap();
    output
}

pub fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub fn rtnotify(arguments: &str) -> Output {
    finish(spawn(&mut command(arguments)))
}

/// With bytes on standard input.
pub fn rtnotify_with(arguments: &str, input: &[u8]) -> Output {
    let mut child = spawn(&mut command(arguments));
    child.stdin.take().unwrap().write_all(input).unwrap();
    finish(child)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn out(output: &Output) -> String {
    text(&output.stdout)
}

pub fn err(output: &Output) -> String {
    text(&output.stderr)
}

/// What it printed as JSON, a value per line, after it has ended well.
pub fn json(arguments: &str) -> Vec<Value> {
    let output = rtnotify(arguments);
    assert!(output.status.success(), "{arguments}: {}", err(&output));
    values(&output)
}

pub fn values(output: &Output) -> Vec<Value> {
    out(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect()
}

/// Waits until the command prints a line; gives back what is left to read.
pub fn wait_for_line(child: &mut Child) -> (String, BufReader<std::process::ChildStdout>) {
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (line, reader)
}

pub fn interrupt(child: &Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

/// The command on a terminal of its own.
pub struct Terminal {
    child: Child,
    master: std::fs::File,
    output: mpsc::Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    pub fn new(mut command: Command, columns: u16, rows: u16) -> Self {
        let size = nix::pty::Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = nix::pty::openpty(Some(&size), None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = command
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        drop(command);
        drop(pty.slave);
        let master = std::fs::File::from(pty.master);
        let mut reader = master.try_clone().unwrap();
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // EIO when the other end has been closed.
            while let Ok(got @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..got].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            master,
            output,
            seen: String::new(),
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until something has been shown, and forgets what came before.
    pub fn expect(&mut self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(wanted) {
                self.seen.drain(..at + wanted.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(error) => panic!("{wanted:?} is not shown ({error}): {:?}", self.seen),
            }
        }
    }

    /// Waits for the end: its status, and what has been shown meanwhile.
    pub fn end(mut self) -> (std::process::ExitStatus, String) {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.seen += &String::from_utf8_lossy(&bytes);
        }
        // It has closed its terminal.
        (self.child.wait().unwrap(), self.seen)
    }
}
