// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the tests share: waiting with a limit, C compilers, the libraries, C programs.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes that long, however loaded the machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

#[track_caller]
pub(crate) fn eventually(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "it never happened");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Folder of the crate.
pub(crate) fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the C library is: Cargo builds it for this test, beside it.
pub(crate) fn library_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().unwrap();
        for name in ["libapp_shim.a", "libapp_shim.so"] {
            let library = folder.join(name);
            assert!(library.exists(), "there is no {}", library.display());
        }
        folder.to_owned()
    })
}

/// A C or C++ compiler.
#[derive(Clone, Debug)]
pub(crate) struct Compiler {
    pub(crate) c: String,
    pub(crate) cxx: String,
}

/// GCC, and Clang: Debian's packages of a certain version have it in their names.
pub(crate) fn compilers() -> Vec<Compiler> {
    let runs = |name: &String| {
        Command::new(name)
            .arg("--version")
            .output()
            .is_ok_and(|o| o.status.success())
    };
    let clang = std::iter::once(String::new())
        .chain((11..40).rev().map(|version| format!("-{version}")))
        .find(|suffix| runs(&format!("clang{suffix}")))
        .expect("clang, which this test needs; `cargo xtask test` provides it");
    vec![
        Compiler {
            c: "gcc".to_owned(),
            cxx: "g++".to_owned(),
        },
        Compiler {
            c: format!("clang{clang}"),
            cxx: format!("clang++{clang}"),
        },
    ]
}

/// Runs a command, at most so long.
#[track_caller]
pub(crate) fn run(command: &mut Command, limit: Duration) -> Output {
    run_with(command, Stdio::null(), limit)
}

/// The same, with something to read.
#[track_caller]
pub(crate) fn run_with(command: &mut Command, stdin: Stdio, limit: Duration) -> Output {
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let status = wait(&mut child, limit);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    match status {
        Some(status) => Output {
            status,
            stdout,
            stderr,
        },
        None => panic!(
            "{command:?} did not end in {limit:?}; it said:\n{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        ),
    }
}

fn drain(mut from: impl std::io::Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Builds `tests/c/NAME.c` with the static library; the program's path.
#[track_caller]
pub(crate) fn build(compiler: &Compiler, name: &str, more: &[&str]) -> PathBuf {
    // Once in each process: a program that runs cannot be written.
    static BUILT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let test = std::env::current_exe().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(test.file_name().unwrap())
        .join(&compiler.c);
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join(name);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.contains(&program) {
        return program;
    }
    let output = Command::new(&compiler.c)
        .args(["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"])
        .arg("-I")
        .arg(home().join("include"))
        .arg(home().join(format!("tests/c/{name}.c")))
        .arg("-o")
        .arg(&program)
        .args(more)
        .arg(library_folder().join("libapp_shim.a"))
        .args(["-lpthread", "-ldl", "-lm"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name} does not build with {}:\n{}",
        compiler.c,
        String::from_utf8_lossy(&output.stderr)
    );
    built.insert(program.clone());
    program
}

/// Runs a command that must succeed; what it said.
#[track_caller]
pub(crate) fn must(command: &mut Command) -> String {
    let output = run(command, LIMIT);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// All headers below a folder, sorted.
pub(crate) fn headers(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(headers(&path));
        } else if path.extension().is_some_and(|e| e == "h") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A command for a program, without what the environment may say about the shim.
pub(crate) fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("APP_SHIM_") {
            command.env_remove(name);
        }
    }
    command
}

/// Builds and runs a program, which must succeed; what it said.
#[track_caller]
pub(crate) fn succeeds(compiler: &Compiler, name: &str, arguments: &[&str]) -> String {
    let path = build(compiler, name, &[]);
    let output = run(program(&path).args(arguments), LIMIT);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{name} {arguments:?} of {}: {}\n{said}{}",
        compiler.c,
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}
