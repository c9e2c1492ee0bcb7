//! `cargo xtask test`: everything that must hold, natively and in the guest.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rtnotify_vm_init::TESTS;

use crate::kernel::{self, Flavor, Kernel};
use crate::module::{self, PRODUCT, SPLAT};
use crate::run::{output, run, shown, step};
use crate::splat::Severity;
use crate::tally::{CargoTest, Tally};
use crate::vm::{self, Machine, Outcome, Output, Stream};
use crate::{demo, paths, room, tools};

/// Which of the two places to test in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Where {
    /// On this machine: formatting, Clippy, documentation, all tests.
    Native,
    /// In the guest, with the module loaded.
    Vm,
    /// Both.
    All,
}

/// How long one test may take in the guest; five times that where its name has
/// `slow` in it.
const TEST_TIME: Duration = Duration::from_mins(2);

/// The reports that `tests/vm/splat` provokes, and a sign that each must show.
const SPLATS: [(&str, &str); 4] = [
    ("warn", "WARNING:"),
    ("lockdep", "possible circular locking"),
    ("atomic", "sleeping function called"),
    ("oops", "NULL pointer dereference"),
];

/// Runs the tests and prints the summary as the last line; the exit status.
pub(crate) fn command(place: Where, flavor: Flavor, source: Option<&Path>) -> u8 {
    let mut tally = Tally::default();
    // Nothing else could be believed.
    if tally.check("room on the disk", room_on_the_disk).is_some() {
        if place != Where::Vm {
            native(&mut tally);
        }
        if place != Where::Native {
            guest(flavor, source, &mut tally);
        }
    }
    if !tally.failures.is_empty() {
        println!("\nfailed:");
        for failure in &tally.failures {
            println!("  {failure}");
        }
    }
    println!("\n{}", tally.summary());
    u8::from(tally.failed > 0)
}

fn room_on_the_disk() -> Result<()> {
    let target = paths::target();
    let needed = if target.join("debug/deps").exists() {
        room::TESTS_AGAIN
    } else {
        room::TESTS
    };
    room::require(&target, needed)
}

/// The names of the test programs for the guest.
const GUEST_TESTS: &str = "vm_*";

/// Cargo, as the one that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::clean_root());
    command
}

/// All that runs on this machine.
fn native(tally: &mut Tally) {
    tally.check("formatting", || {
        run(cargo().args(["fmt", "--all", "--check"]))
    });
    tally.check("tools for the tests", tools::for_native_tests);
    tally.check("Clippy", || {
        for what in [&["--all-targets"][..], &["--test", GUEST_TESTS]] {
            let mut command = cargo();
            command.args(["clippy", "--workspace"]).args(what);
            run(command.args(["--", "-Dwarnings"]))?;
        }
        Ok(())
    });
    step("== tests of the workspace");
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    match cargo_test(&mut command) {
        Ok((counts, success)) => {
            if counts.ignored > 0 {
                println!(
                    "{} tests are marked as ignored and were not run",
                    counts.ignored
                );
            }
            counts.finish(success, tally);
        }
        Err(error) => {
            println!("{error:#}");
            tally.fail("cargo test");
        }
    }
    tally.check("documentation", || {
        let mut command = cargo();
        command
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-Dwarnings");
        run(&mut command)
    });
}

/// Runs `cargo test`, showing its output as it comes and counting.
fn cargo_test(command: &mut Command) -> Result<(CargoTest, bool)> {
    let (reader, writer) = io::pipe()?;
    let mut child = command
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut counts = CargoTest::default();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    let mut out = io::stdout();
    while reader.read_until(b'\n', &mut line)? > 0 {
        out.write_all(&line)?;
        counts.line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok((counts, child.wait()?.success()))
}

/// All that runs in the guest.
fn guest(flavor: Flavor, source: Option<&Path>, tally: &mut Tally) {
    let after_kernel = ["the module", "the module under Clippy"];
    let after_module = [
        "tests in the guest",
        "the demo in the guest",
        "the C examples build",
    ];
    let Some(kernel) = tally.check("the guest's kernel", || kernel::provide(flavor, source)) else {
        let why = "there is no kernel";
        tally.impossible(&after_kernel, why);
        tally.impossible(&after_module, why);
        for (kind, _) in SPLATS {
            tally.impossible(&[&splat_name(kind)], why);
        }
        return;
    };
    let modules = tally.check(after_kernel[0], || module::provide(&kernel, PRODUCT, false));
    tally.check(after_kernel[1], || module::provide(&kernel, PRODUCT, true));
    if let Some(modules) = &modules {
        // In the guest, where compilers are slow, they would be built otherwise.
        tally.check("the C examples build", || {
            tools::for_native_tests()?;
            let mut command = cargo();
            run(command.args(["test", "--workspace", "--test", "c_examples"]))
        });
        if let Err(error) = guest_tests(&kernel, modules, tally) {
            println!("{error:#}");
            tally.fail(after_module[0]);
        }
        tally.check(after_module[1], || {
            let outcome = demo::in_guest(&kernel, modules, &[])?;
            judge(&outcome)
        });
    } else {
        tally.impossible(&after_module, "there is no module");
    }
    splats(&kernel, tally);
}

/// An error unless nothing at all went wrong in a run.
fn judge(outcome: &Outcome) -> Result<()> {
    outcome.explain();
    if !outcome.is_success() {
        bail!(
            "the run in the guest ended with status {}",
            outcome.exit_status()
        );
    }
    Ok(())
}

/// A test program that is to run in the guest.
struct Program {
    path: PathBuf,
    directory: PathBuf,
    tests: Vec<String>,
}

/// Builds the tests that need the module, runs each in the guest, and counts.
fn guest_tests(kernel: &Kernel, modules: &[PathBuf], tally: &mut Tally) -> Result<()> {
    step("== tests in the guest");
    let programs = guest_programs()?;
    legacy_programs()?;
    let expected: usize = programs.iter().map(|program| program.tests.len()).sum();
    if expected == 0 {
        bail!("there are no tests in targets named {GUEST_TESTS}: there is nothing to run");
    }
    let mut list = String::new();
    let mut total = Duration::from_mins(5);
    for program in &programs {
        for test in &program.tests {
            let limit = if test.contains("slow") {
                TEST_TIME * 5
            } else {
                TEST_TIME
            };
            total += limit;
            let (directory, path) = (program.directory.display(), program.path.display());
            list += &format!("{}\t{directory}\t{path}\t{test}\n", limit.as_secs());
        }
    }
    let list_path = paths::target().join("vm/tests.list");
    fs::create_dir_all(paths::target().join("vm"))?;
    fs::write(&list_path, list)?;

    let argv = vec!["/proc/1/exe".into(), "run-tests".into(), list_path.into()];
    // The watchdogs inside bound every test; this one is for the guest itself.
    let machine = Machine {
        timeout: Some(total.min(Duration::from_mins(40))),
        at_hand: module::provide_for_tests(kernel)?,
        ..Machine::default()
    };
    let mut counts = GuestCounts::default();
    let mut show = |stream, bytes: &[u8]| {
        let _ = match stream {
            Stream::Out => io::stdout().write_all(bytes),
            Stream::Err => io::stderr().write_all(bytes),
        };
        let _ = io::stdout().flush();
        if stream == Stream::Out {
            counts.bytes(bytes);
        }
    };
    let outcome = vm::boot(
        kernel,
        modules,
        &machine,
        argv,
        "tests",
        Output::Function(&mut show),
    )?;
    outcome.explain();
    step(format!("the guest ran for {} s", outcome.elapsed.as_secs()));
    counts.finish(expected, tally);
    // The log is a check of its own: all tests may pass and the kernel complain.
    tally.check("the kernel's log of the tests", || {
        if let Some(report) = outcome.reports.first() {
            bail!(
                "{} reports, the first: {}",
                outcome.reports.len(),
                report.sign
            );
        }
        if let Some(failure) = &outcome.failure {
            bail!("{failure}");
        }
        Ok(())
    });
    Ok(())
}

/// Builds the programs that run on `app-shim`, where its tests for the guest look for them.
fn legacy_programs() -> Result<()> {
    tools::for_native_tests()?;
    let built = paths::target().join("debug");
    // The one that Cargo built for the tests.
    let library = built.join("deps/libapp_shim.a");
    run(Command::new("make")
        .arg("-C")
        .arg(paths::clean_root().join("app-shim/examples"))
        .arg(format!("O={}", built.join("legacy").display()))
        .arg(format!("LIB={}", library.display()))
        .env_remove("MAKEFLAGS"))
}

/// Builds the test programs for the guest and asks each for its tests.
fn guest_programs() -> Result<Vec<Program>> {
    let mut command = cargo();
    // Of the whole workspace, as natively: the features are the same then, and nothing is built twice.
    command.args(["test", "--no-run", "--workspace", "--test", GUEST_TESTS]);
    command.arg("--message-format=json-render-diagnostics");
    let built = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", shown(&command)))?;
    if !built.status.success() {
        bail!("{}: {}", shown(&command), built.status);
    }
    let mut programs = Vec::new();
    for (path, directory) in test_executables(&String::from_utf8_lossy(&built.stdout)) {
        let list = |more: &[&str]| -> Result<Vec<String>> {
            let mut command = Command::new(&path);
            command
                .args(["--list", "--format", "terse"])
                .args(more)
                .current_dir(&directory);
            Ok(listed(&output(&mut command)?))
        };
        let ignored = list(&["--ignored"])?;
        let tests = list(&[])?
            .into_iter()
            .filter(|test| !ignored.contains(test))
            .collect();
        if !ignored.is_empty() {
            println!(
                "{}: {} tests are marked as ignored",
                path.display(),
                ignored.len()
            );
        }
        programs.push(Program {
            path,
            directory,
            tests,
        });
    }
    Ok(programs)
}

/// The executables of targets named `vm_…` in Cargo's messages, with the
/// directory of their package, sorted.
fn test_executables(messages: &str) -> BTreeMap<PathBuf, PathBuf> {
    messages
        .lines()
        .filter_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            let executable = message["executable"].as_str()?;
            let name = message["target"]["name"].as_str()?;
            let manifest = Path::new(message["manifest_path"].as_str()?);
            let wanted = name.starts_with("vm_") && message["profile"]["test"] == true;
            wanted.then(|| {
                (
                    executable.into(),
                    manifest.parent().unwrap_or(manifest).to_owned(),
                )
            })
        })
        .collect()
}

/// The names in a harness's terse list: `module::name: test`.
fn listed(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| Some(line.strip_suffix(": test")?.to_owned()))
        .collect()
}

/// Counts what the runner in the guest says.
#[derive(Default)]
struct GuestCounts {
    line: Vec<u8>,
    passed: usize,
    failures: Vec<String>,
    /// The runner's own last line.
    said: Option<(usize, usize)>,
}

impl GuestCounts {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).into_owned();
            self.line.clear();
            if let Some(rest) = line.strip_prefix(TESTS) {
                let mut numbers = rest.split_ascii_whitespace().filter_map(|x| x.parse().ok());
                self.said = numbers.next().zip(numbers.next());
            } else if let Some((name, result)) = line.rsplit_once(" ... ")
                && let Some(name) = name.strip_prefix("test ")
            {
                if result.starts_with("ok ") {
                    self.passed += 1;
                } else if result.starts_with("FAILED ") {
                    self.failures.push(name.to_owned());
                }
            }
        }
    }

    /// Adds everything to `tally`: of the tests expected, those that nobody has
    /// heard of have failed too.
    fn finish(self, expected: usize, tally: &mut Tally) {
        // The output of a failed test may hold lines that look like results; the
        // runner's own count cannot be fooled.
        let passed = self
            .said
            .map_or(self.passed, |(passed, _)| passed)
            .min(expected);
        let failed = expected - passed;
        tally.passed += passed;
        tally.failed += failed;
        let unheard = failed.saturating_sub(self.failures.len());
        tally.failures.extend(
            self.failures
                .into_iter()
                .map(|name| format!("{name} (guest)")),
        );
        if unheard > 0 {
            tally
                .failures
                .push(format!("{unheard} tests in the guest that did not end"));
        }
    }
}

fn splat_name(kind: &str) -> String {
    format!("a kernel report is noticed: {kind}")
}

/// Shows that the detector works: provokes real reports, each of which must fail
/// its run and be named.
fn splats(kernel: &Kernel, tally: &mut Tally) {
    let module = match module::provide(kernel, SPLAT, false) {
        Ok(modules) => modules.into_iter().next(),
        Err(error) => {
            println!("{error:#}");
            None
        }
    };
    for (kind, sign) in SPLATS {
        let name = splat_name(kind);
        let Some(module) = &module else {
            tally.impossible(&[&name], "its module does not build");
            continue;
        };
        tally.check(&name, || {
            let argv = vec![
                "/proc/1/exe".into(),
                "insmod".into(),
                module.into(),
                format!("kind={kind}").into(),
            ];
            let machine = Machine {
                timeout: Some(Duration::from_mins(3)),
                ..Machine::default()
            };
            let log = format!("splat-{kind}");
            let mut ignore = |_, _: &[u8]| {};
            let outcome = vm::boot(
                kernel,
                &[],
                &machine,
                argv,
                &log,
                Output::Function(&mut ignore),
            )?;
            if outcome.exit_status() == 0 {
                bail!(
                    "the run passed; the kernel's log: {}",
                    outcome.log.display()
                );
            }
            if !outcome
                .reports
                .iter()
                .any(|report| report.text.contains(sign))
            {
                outcome.explain();
                bail!(
                    "no report says \"{sign}\"; the kernel's log: {}",
                    outcome.log.display()
                );
            }
            if outcome
                .reports
                .iter()
                .any(|report| report.severity == Severity::Fatal)
            {
                bail!("taken for the end of the kernel: {}", outcome.log.display());
            }
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_vm_test_programs_are_taken() {
        let message = |name: &str, test: bool, executable: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/w/tests/Cargo.toml\",\
                 \"target\":{{\"name\":\"{name}\"}},\"profile\":{{\"test\":{test}}},\
                 \"executable\":{executable}}}\n"
            )
        };
        let messages = message("vm_device", true, "\"/t/vm_device-1\"")
            + &message("native", true, "\"/t/native-1\"")
            + &message("vm_helper", false, "\"/t/vm_helper\"")
            + &message("vm_lib", true, "null")
            + "{\"reason\":\"build-finished\",\"success\":true}\n";
        let found = test_executables(&messages);
        assert_eq!(found.len(), 1);
        assert_eq!(found[Path::new("/t/vm_device-1")], Path::new("/w/tests"));
    }

    #[test]
    fn the_terse_list_is_read() {
        assert_eq!(
            listed("a::b: test\nc: benchmark\nd: test\n\n"),
            ["a::b", "d"]
        );
    }

    fn counted(text: &str, expected: usize) -> Tally {
        let mut counts = GuestCounts::default();
        // In pieces, as it may come.
        for piece in text.as_bytes().chunks(7) {
            counts.bytes(piece);
        }
        let mut tally = Tally::default();
        counts.finish(expected, &mut tally);
        tally
    }

    #[test]
    fn a_complete_run_is_counted() {
        let tally = counted(
            "test vm_a::x ... ok 0.1s\ntest vm_a::y ... FAILED 1.0s (exit status: 101)\n\
             rtnotify-vm: tests 1 passed, 1 failed\n",
            2,
        );
        assert_eq!(tally.summary(), "1 passed, 1 failed");
        assert_eq!(tally.failures, ["vm_a::y (guest)"]);
    }

    #[test]
    fn tests_that_never_ran_have_failed() {
        let tally = counted("test vm_a::x ... ok 0.1s\ntest vm_a::y ... ", 5);
        assert_eq!(tally.summary(), "1 passed, 4 failed");
        assert_eq!(tally.failures, ["4 tests in the guest that did not end"]);
        assert_eq!(counted("", 3).summary(), "0 passed, 3 failed");
    }

    #[test]
    fn the_output_of_a_test_cannot_add_passes() {
        let tally = counted(
            "test vm_a::y ... FAILED 1.0s (exit status: 101)\ntest fake ... ok 1s\n\
             rtnotify-vm: tests 0 passed, 1 failed\n",
            1,
        );
        assert_eq!(tally.summary(), "0 passed, 1 failed");
    }
}
