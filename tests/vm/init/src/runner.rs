//! Runs tests inside the guest, each in a process of its own under a watchdog.
//!
//! The list comes from the host, one test per line, tab-separated: seconds
//! allowed, working directory, test program, test name. Every line of it yields
//! one line of output and counts, whatever happens to the test.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rtnotify_vm_init::TESTS;
use rustix::process::{Pid, Signal};

/// One line of the list.
struct Test<'a> {
    limit: Duration,
    directory: &'a str,
    program: &'a str,
    name: &'a str,
}

/// Runs the tests in the list file that is the only argument.
pub(crate) fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(list) = args.next() else {
        eprintln!("run-tests: no list given");
        return ExitCode::from(2);
    };
    let text = match fs::read_to_string(&list) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("run-tests: {}: {error}", list.display());
            return ExitCode::from(2);
        }
    };
    let (mut passed, mut failed) = (0, 0);
    for line in text.lines().filter(|line| !line.is_empty()) {
        if parse(line).is_some_and(|test| run(&test)) {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    println!("{TESTS}{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

fn parse(line: &str) -> Option<Test<'_>> {
    let mut fields = line.splitn(4, '\t');
    Some(Test {
        limit: Duration::from_secs(fields.next()?.parse().ok()?),
        directory: fields.next()?,
        program: fields.next()?,
        name: fields.next()?,
    })
}

/// Runs one test and prints its line; whether it passed.
fn run(test: &Test<'_>) -> bool {
    let target = Path::new(test.program)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    // Cargo's file names end in a hash.
    let target = target.rsplit_once('-').map_or(&*target, |(name, _)| name);
    print!("test {target}::{} ... ", test.name);
    let _ = std::io::stdout().flush();
    let start = Instant::now();
    let (verdict, output) = attempt(test);
    let seconds = start.elapsed().as_secs_f64();
    match &verdict {
        Ok(()) => println!("ok {seconds:.1}s"),
        Err(reason) => {
            println!("FAILED {seconds:.1}s ({reason})");
            println!("---- output of {target}::{} ----", test.name);
            let _ = std::io::stdout().write_all(&output);
            println!("---- end of output ----");
        }
    }
    verdict.is_ok()
}

/// Runs one test: what went wrong, if anything, and all it printed.
fn attempt(test: &Test<'_>) -> (Result<(), String>, Vec<u8>) {
    let spawned = std::io::pipe().and_then(|(reader, writer)| {
        let child = Command::new(test.program)
            .args([test.name, "--exact", "--nocapture", "--test-threads=1"])
            .current_dir(test.directory)
            .env("CARGO_MANIFEST_DIR", test.directory)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        Ok((reader, child))
    });
    let (mut reader, mut child) = match spawned {
        Ok(pair) => pair,
        Err(error) => return (Err(format!("cannot be started: {error}")), Vec::new()),
    };
    let collector = thread::spawn(move || {
        let mut output = Vec::new();
        let _ = reader.read_to_end(&mut output);
        output
    });
    let ended = wait(&mut child, test.limit);
    // Whatever the test left running holds the pipe open.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    if ended.is_none() {
        let _ = child.wait();
    }
    let output = collector.join().unwrap_or_default();
    let verdict = match ended {
        None => Err(format!("still running after {} s", test.limit.as_secs())),
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(status)) if !status.success() => Err(status.to_string()),
        // A name that matches nothing also "succeeds".
        Some(Ok(_)) if !ran_one(&output) => Err("no such test in the program".to_owned()),
        Some(Ok(_)) => Ok(()),
    };
    (verdict, output)
}

/// Waits for `child` for at most `limit`.
fn wait(child: &mut Child, limit: Duration) -> Option<std::io::Result<std::process::ExitStatus>> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(Ok(status)),
            Ok(None) if Instant::now() < deadline => thread::sleep(pause),
            Ok(None) => return None,
            Err(error) => return Some(Err(error)),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Whether the test harness says that exactly one test ran and passed.
fn ran_one(output: &[u8]) -> bool {
    String::from_utf8_lossy(output)
        .lines()
        .any(|line| line.starts_with("test result: ok. 1 passed;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_line_has_four_fields() {
        let test = parse("120\t/src/tests\t/target/vm_a-0123\tmodule::case").unwrap();
        assert_eq!(test.limit, Duration::from_mins(2));
        assert_eq!(test.name, "module::case");
        assert!(parse("120\t/src/tests").is_none());
        assert!(parse("soon\ta\tb\tc").is_none());
    }

    #[test]
    fn only_one_passed_test_counts_as_passed() {
        assert!(ran_one(
            b"x\ntest result: ok. 1 passed; 0 failed; 0 ignored\n"
        ));
        assert!(!ran_one(
            b"test result: ok. 0 passed; 0 failed; 0 ignored\n"
        ));
        assert!(!ran_one(
            b"test result: ok. 0 passed; 0 failed; 1 ignored\n"
        ));
        assert!(!ran_one(b""));
    }

    #[test]
    fn the_watchdog_ends_a_test_that_hangs() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(wait(&mut child, Duration::from_millis(20)).is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
