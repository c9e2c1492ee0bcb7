// SPDX-License-Identifier: MIT OR Apache-2.0

//! The examples run, and say what their pages promise. Cargo builds them with these tests.

use std::path::PathBuf;
use std::process::Command;

fn run(name: &str) -> String {
    // target/debug/deps/examples-… → target/debug/examples/NAME
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    let output = Command::new(&path).output();
    let output = output.unwrap_or_else(|error| {
        panic!(
            "{name}: {error}; `cargo test -p sigrt` builds the examples, `--test examples` does not"
        )
    });
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name}: {}\n{text}{complaint}",
        output.status
    );
    text
}

#[test]
fn tokio_service() {
    assert_eq!(run("service"), "service: 100 jobs done, 0 lost\n");
}

#[test]
fn button() {
    let text = run("button");
    assert!(text.ends_with("button: pressed 3 times\n"), "{text}");
}

#[test]
fn instead_of_sigio() {
    let all: Vec<_> = (0..5).map(|n| format!("message {n}")).collect();
    assert_eq!(run("sigio"), format!("sigio: {}\n", all.join(", ")));
}

#[test]
fn instead_of_a_pipe_to_oneself() {
    let text = run("self_pipe");
    assert!(
        text.starts_with("self_pipe: 10000 signals in order"),
        "{text}"
    );
}
