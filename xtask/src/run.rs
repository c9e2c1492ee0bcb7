//! Running other programs: plainly, for their output, or for a long time with
//! signs of progress.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How often a line of progress appears where there is no terminal.
const QUIET_INTERVAL: Duration = Duration::from_secs(20);

/// Announces a step on standard error.
pub(crate) fn step(text: impl std::fmt::Display) {
    eprintln!("xtask: {text}");
}

/// A command line as one would type it, for messages.
pub(crate) fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs `command` with our own standard streams; an error unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("{}: {status}", shown(command));
    }
    Ok(())
}

/// What `command` prints on standard output; an error with what it says on
/// standard error unless it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}\n{}", shown(command), output.status, said.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first line that `program arguments` prints, or `None` if it cannot run.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let text = output(Command::new(program).args(arguments)).ok()?;
    text.lines().next().map(str::to_owned)
}

/// Makes the child end when this process does, however that happens: a build
/// that nobody waits for must not go on writing into the cache.
pub(crate) fn tied(program: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(crate::TIED).arg(program);
    command
}

/// The other half of [`tied`]: asks for a signal when the parent ends, and becomes
/// the program in `args`.
pub(crate) fn become_tied(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = args.next() else {
        return ExitCode::FAILURE;
    };
    // TERM and not KILL: make then removes the file that it was making.
    let signal = Some(rustix::process::Signal::TERM);
    if let Err(error) = rustix::process::set_parent_process_death_signal(signal) {
        eprintln!(
            "xtask: cannot tie {} to this run: {error}",
            program.display()
        );
    }
    let error = Command::new(&program).args(args).exec();
    eprintln!("xtask: cannot run {}: {error}", program.display());
    ExitCode::from(127)
}

/// Runs a long `command`: all output goes to the file `log`, and the terminal
/// shows how many lines of it were `counted`, and the time.
///
/// # Errors
///
/// With the end of the log and its path, unless the command succeeds.
pub(crate) fn long(
    what: &str,
    command: &mut Command,
    log: &Path,
    counted: impl Fn(&str) -> bool,
) -> Result<()> {
    let start = Instant::now();
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    // Our own copies of the pipe's writing end would keep it open for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (lines, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let text = String::from_utf8_lossy(&line).into_owned();
            if lines.send(text).is_err() {
                break;
            }
            line.clear();
        }
    });

    let mut file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    writeln!(file, "{}", shown(command))?;
    let terminal = std::io::stderr().is_terminal();
    let interval = if terminal {
        Duration::from_millis(200)
    } else {
        QUIET_INTERVAL
    };
    let mut last_shown = start;
    let mut count = 0_usize;
    let mut tail = std::collections::VecDeque::new();
    loop {
        match receiver.recv_timeout(interval.saturating_sub(last_shown.elapsed())) {
            Ok(line) => {
                file.write_all(line.as_bytes())?;
                count += usize::from(counted(&line));
                if tail.len() == 25 {
                    tail.pop_front();
                }
                tail.push_back(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if last_shown.elapsed() >= interval {
            last_shown = Instant::now();
            let seconds = start.elapsed().as_secs();
            let steps = if count > 0 {
                format!("{count} steps, ")
            } else {
                String::new()
            };
            if terminal {
                eprint!("\r\x1b[Kxtask: {what}: {steps}{seconds} s");
            } else {
                eprintln!("xtask: {what}: {steps}{seconds} s");
            }
        }
    }
    if terminal {
        eprint!("\r\x1b[K");
    }
    let status = child.wait()?;
    if !status.success() {
        let tail: String = tail.into_iter().collect();
        bail!(
            "{what} failed ({status}); the end of the log:\n{}\n\nthe whole log: {}",
            tail.trim_end(),
            log.display()
        );
    }
    step(format!("{what}: done in {} s", start.elapsed().as_secs()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_logs_everything() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2"]);
        long("test", &mut command, &log, |_| true).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(
            text.contains("\nout\n") && text.contains("\nerr\n"),
            "{text}"
        );
    }

    #[test]
    fn a_failure_shows_the_end_of_the_log_and_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'error: no such thing'; exit 3"]);
        let error = long("test", &mut command, &log, |_| true)
            .unwrap_err()
            .to_string();
        assert!(error.contains("error: no such thing"), "{error}");
        assert!(error.contains(log.to_str().unwrap()), "{error}");
    }
}
