// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify serve` as an administrator runs it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use nix::unistd::Pid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rtnotify");

/// A directory of its own, removed in the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rtnotify-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A broker that has said where it serves.
struct Serving {
    child: Child,
    said: String,
}

impl Serving {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut said).unwrap();
        Self { child, said }
    }

    fn end(mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        assert!(self.child.wait().unwrap().success(), "{signal}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn serve(socket: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--socket"]).arg(socket);
    command
}

fn rtnotify(device: &Path, arguments: &str) -> Output {
    Command::new(PROGRAM)
        .args(arguments.split_whitespace())
        .arg("--device")
        .arg(device)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Another process receives what a third one posts.
fn expect_service(socket: &Path) {
    let mut watching = Command::new(PROGRAM)
        .args("watch --json --create door -n 1 --timeout 60s --device".split(' '))
        .arg(socket)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It may not have created it yet, or not subscribed.
    let subscribed = || {
        let listed = text(&rtnotify(socket, "sources --json").stdout);
        listed.lines().any(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["subscribers"] == 1
        })
    };
    while watching.try_wait().unwrap().is_none() && !subscribed() {
        std::thread::yield_now();
    }
    let posted = rtnotify(socket, "post door knock");
    assert!(posted.status.success(), "{}", text(&posted.stderr));
    let mut out = String::new();
    watching
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    assert!(watching.wait().unwrap().success(), "{out}");
    assert!(out.contains("door"), "{out}");
}

#[test]
fn serves_until_it_is_interrupted() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let place = Place::new("serve");
        let broker = Serving::start(serve(&place.socket()).args(["--mode", "0620"]));
        assert!(broker.said.starts_with("serving /"), "{}", broker.said);
        let found = std::fs::metadata(place.socket()).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o620);
        expect_service(&place.socket());
        broker.end(signal);
        assert!(!place.socket().exists());
    }
}

#[test]
fn live_broker_is_not_replaced() {
    let place = Place::new("live");
    let broker = Serving::start(&mut serve(&place.socket()));
    let second = serve(&place.socket()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains("another broker serves"), "{said}");
    expect_service(&place.socket());
    drop(broker);
    // That one was killed, so its socket is still there.
    assert!(place.socket().exists());
    let third = Serving::start(&mut serve(&place.socket()));
    expect_service(&place.socket());
    third.end(Signal::SIGTERM);
}

#[test]
fn socket_of_systemd_is_used_and_kept() {
    let place = Place::new("activated");
    let listener: OwnedFd = socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    let address = UnixAddr::new(&place.socket()).unwrap();
    bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &address).unwrap();
    listen(&listener, Backlog::new(8).unwrap()).unwrap();
    let start = |kind: &str, socket: OwnedFd| {
        // As systemd does: the socket is descriptor 3, and the numbers are those of the process itself.
        let script =
            format!("exec 3<&0 </dev/null; LISTEN_PID={kind} LISTEN_FDS=1 exec \"$0\" serve");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, PROGRAM])
            .stdin(Stdio::from(socket));
        command
    };
    let broker = Serving::start(&mut start("$$", listener.try_clone().unwrap()));
    assert_eq!(broker.said, "serving a socket that was passed on\n");
    expect_service(&place.socket());
    broker.end(Signal::SIGTERM);
    assert!(place.socket().exists(), "it is systemd's");
    // Started again when somebody connects.
    let broker = Serving::start(&mut start("$$", listener.try_clone().unwrap()));
    expect_service(&place.socket());
    broker.end(Signal::SIGINT);

    // Meant for another process: not used.
    let own = Place::new("runtime");
    let broker =
        Serving::start(start("1", listener.try_clone().unwrap()).env("XDG_RUNTIME_DIR", &own.0));
    assert!(broker.said.ends_with("/rtnotify.sock\n"), "{}", broker.said);
    broker.end(Signal::SIGTERM);

    // Something else than such a socket.
    let (file, _keep) = std::os::unix::net::UnixStream::pair().unwrap();
    let refused = start("$$", OwnedFd::from(file)).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains("SOCK_SEQPACKET"), "{said}");
}

#[test]
fn wrong_settings_are_explained() {
    for (arguments, status, says) in [
        ("serve --mode 0999", 2, "octal"),
        ("serve --quota-per-peer 1x", 2, "K, M or G"),
        ("serve --max-clients 0", 2, "zero"),
        (
            "serve --socket /no/such/directory/socket",
            1,
            "cannot serve",
        ),
        ("sources --device /no/such/socket", 1, "cannot open"),
    ] {
        let output = Command::new(PROGRAM)
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        let error = text(&output.stderr);
        assert!(error.contains(says), "{arguments}: {error}");
        assert_eq!(output.status.code(), Some(status), "{arguments}");
    }
}

#[test]
fn stress_holds_over_a_broker() {
    let place = Place::new("stress");
    let broker = Serving::start(&mut serve(&place.socket()));
    let output = rtnotify(
        &place.socket(),
        "stress --events 2000 --producers 2 --subscribers 2",
    );
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    assert!(
        out.lines().last().unwrap().ends_with(", 0 discrepancies"),
        "{out}"
    );
    broker.end(Signal::SIGTERM);
}
