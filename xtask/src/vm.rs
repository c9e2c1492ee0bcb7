//! Boots a guest, runs one command in it, and judges the run.
//!
//! Kernel messages arrive on QEMU's standard output (the guest's serial port),
//! the command's input and output as frames on a Unix socket (a virtio port).
//! Two threads read these; the main thread alone decides.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rtnotify_vm_init::frame::{self, Kind};
use rtnotify_vm_init::run::Run;
use rtnotify_vm_init::{MOUNT_TAG, PORT, VERDICT};

use crate::kernel::{Flavor, Kernel};
use crate::run::{step, tied};
use crate::splat::{Detector, Report, Severity};
use crate::{guest, paths, terminal, tools, tsc};

/// How long a dead or stuck kernel may go on printing its report.
const REPORT_TIME: Duration = Duration::from_secs(3);

/// How long QEMU may take to end after the guest's verdict.
const POWER_OFF_TIME: Duration = Duration::from_secs(10);

/// The key that ends an interactive guest: Ctrl-].
const ESCAPE: u8 = 0x1d;

/// How the guest's machine is put together.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) icount: bool,
    pub(crate) kvm: bool,
    pub(crate) smp: u32,
    pub(crate) memory: String,
    pub(crate) append: String,
    pub(crate) timeout: Option<Duration>,
    /// Modules that are not loaded, but named to the command like those that are.
    pub(crate) at_hand: Vec<PathBuf>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            icount: false,
            kvm: false,
            smp: 2,
            memory: "1G".to_owned(),
            append: String::new(),
            timeout: None,
            at_hand: Vec::new(),
        }
    }
}

/// Where the command's output goes.
pub(crate) enum Output<'a> {
    /// To our own standard output and error; our input goes to the command.
    /// With a terminal at both ends the command gets one too.
    Ours,
    /// To a function, for the two outputs; the command has no input.
    Function(&'a mut dyn FnMut(Stream, &[u8])),
}

/// One of a command's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The command's status, if it came to an end that was reported.
    pub(crate) status: Option<i32>,
    /// Why there is none, or why it does not count.
    pub(crate) failure: Option<String>,
    /// What the kernel reported.
    pub(crate) reports: Vec<Report>,
    /// The kernel's log.
    pub(crate) log: PathBuf,
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// Whether nothing at all went wrong.
    pub(crate) fn is_success(&self) -> bool {
        self.status == Some(0) && self.failure.is_none() && self.reports.is_empty()
    }

    /// The status to exit with: the command's own, unless the run is bad.
    pub(crate) fn exit_status(&self) -> u8 {
        let status = u8::try_from(self.status.unwrap_or(1)).unwrap_or(255);
        if status == 0 && !self.is_success() {
            1
        } else {
            status
        }
    }

    /// Prints what there is to say about a bad run.
    pub(crate) fn explain(&self) {
        for report in &self.reports {
            eprintln!(
                "xtask: the kernel reported \"{}\":\n{}",
                report.sign, report.text
            );
        }
        if let Some(failure) = &self.failure {
            eprintln!("xtask: {failure}");
            if self.reports.is_empty() {
                let text = fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                eprintln!("the end of the kernel's log:");
                for line in &lines[lines.len().saturating_sub(15)..] {
                    eprintln!("{line}");
                }
            }
        }
        if self.failure.is_some() || !self.reports.is_empty() {
            eprintln!("xtask: the kernel's whole log: {}", self.log.display());
        }
    }
}

/// What the reading threads tell.
enum Event {
    Log(String),
    LogEnd,
    Connected(UnixStream),
    Frame(Kind, Vec<u8>),
    Input(Vec<u8>),
    InputEnd,
}

/// Boots `kernel`, loads `modules` and runs `argv`. `name` tells the logs of
/// several boots apart.
pub(crate) fn boot(
    kernel: &Kernel,
    modules: &[PathBuf],
    machine: &Machine,
    argv: Vec<OsString>,
    name: &str,
    output: Output<'_>,
) -> Result<Outcome> {
    let start = Instant::now();
    let qemu = tools::qemu()?;
    let init = guest::build_init()?;
    let ours = matches!(output, Output::Ours);
    let interactive = ours && terminal::is_interactive();
    let run = Run {
        argv,
        env: environment(modules.iter().chain(&machine.at_hand)),
        cwd: std::env::current_dir()?,
        terminal: interactive.then(terminal::size),
        modules: modules
            .iter()
            .filter_map(|path| Some(path.file_name()?.to_owned()))
            .collect(),
    };

    // Several boots may run at once, so each has a directory of its own; the
    // socket's path must be short (108 bytes), so that one is elsewhere.
    let directory = paths::target().join("vm");
    fs::create_dir_all(&directory)?;
    let id = std::process::id();
    let ram_disk = directory.join(format!("{name}.{id}.cpio"));
    let ram_disk = Temporary(ram_disk);
    fs::write(&ram_disk.0, guest::ram_disk(&init, modules, &run)?)?;
    let log_path = directory.join(format!("{name}.log"));
    let mut log = File::create(&log_path).with_context(|| log_path.display().to_string())?;
    let socket = Temporary(std::env::temp_dir().join(format!("rtnotify-vm-{id}.sock")));
    let _ = fs::remove_file(&socket.0);
    let listener =
        UnixListener::bind(&socket.0).with_context(|| format!("socket {}", socket.0.display()))?;

    let mut command = tied(Path::new(&qemu));
    command.args(qemu_arguments(kernel, machine, &ram_disk.0, &socket.0));
    let mut child = Running(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting QEMU")?,
    );

    let (events, receiver) = mpsc::channel();
    read_log(
        child.0.stdout.take().context("QEMU's output")?,
        events.clone(),
    );
    let mut complaints = child.0.stderr.take().context("QEMU's output")?;
    let complaints = thread::spawn(move || {
        let mut text = String::new();
        let _ = complaints.read_to_string(&mut text);
        text
    });
    read_frames(listener, events.clone());
    if ours {
        read_input(interactive, events);
    } else {
        drop(events);
    }

    let raw = if interactive {
        terminal::Raw::enter()
    } else {
        None
    };
    let mut judge = Judge {
        output,
        detector: Detector::default(),
        verdict: None,
        failure: None,
        port: None,
        size: terminal::size(),
        held: Vec::new(),
    };
    let mut end_at = machine.timeout.map(|limit| start + limit);
    let mut log_open = true;
    while log_open {
        // Short, so that changes of the terminal's size are seen.
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(Event::Log(line)) => {
                log.write_all(line.as_bytes())?;
                let before = judge.verdict.is_some();
                if judge.log_line(&line) == Some(Severity::Fatal) && judge.failure.is_none() {
                    judge.failure = Some("the kernel is dead or stuck".to_owned());
                    end_at = Some(Instant::now() + REPORT_TIME);
                } else if judge.verdict.is_some() && !before {
                    end_at = Some(Instant::now() + POWER_OFF_TIME);
                }
            }
            Ok(Event::LogEnd) => log_open = false,
            Ok(Event::Connected(stream)) => {
                // Nobody else is to come, and what is gone cannot be left behind.
                let _ = fs::remove_file(&socket.0);
                judge.connected(stream, !ours);
            }
            Ok(Event::Frame(kind, body)) => judge.frame(kind, &body)?,
            Ok(Event::Input(bytes)) if interactive && bytes.contains(&ESCAPE) => {
                judge.failure = Some("ended from the keyboard".to_owned());
                break;
            }
            Ok(Event::Input(bytes)) => judge.send(Kind::Stdin, &bytes),
            Ok(Event::InputEnd) => judge.send(Kind::StdinEnd, &[]),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if interactive {
            judge.check_size();
        }
        if end_at.is_some_and(|end| Instant::now() > end) {
            if judge.failure.is_none() && judge.verdict.is_none() {
                let seconds = machine.timeout.unwrap_or_default().as_secs();
                judge.failure = Some(format!("the guest was still running after {seconds} s"));
            }
            break;
        }
    }
    child.end();
    // What QEMU had sent before it ended.
    while let Ok(event) = receiver.recv_timeout(Duration::from_millis(50)) {
        match event {
            Event::Log(line) => {
                log.write_all(line.as_bytes())?;
                judge.log_line(&line);
            }
            Event::Frame(kind, body) => judge.frame(kind, &body)?,
            _ => {}
        }
    }
    drop(raw);
    let complaints = complaints.join().unwrap_or_default();
    let mut failure = judge.failure;
    let mut status = None;
    match judge.verdict {
        Some(Ok(code)) => status = Some(code),
        Some(Err(text)) => failure = failure.or(Some(format!("the guest says: {text}"))),
        None if failure.is_none() => {
            let said = complaints.trim();
            failure = Some(if said.is_empty() {
                "the guest ended without a verdict".to_owned()
            } else {
                format!("QEMU has ended: {said}")
            });
        }
        None => {}
    }
    Ok(Outcome {
        status,
        failure,
        reports: judge.detector.reports().to_vec(),
        log: log_path,
        elapsed: start.elapsed(),
    })
}

/// The state of a run, as far as it is known.
struct Judge<'a> {
    output: Output<'a>,
    detector: Detector,
    /// The command's status, or why there is none.
    verdict: Option<Result<i32, String>>,
    failure: Option<String>,
    port: Option<UnixStream>,
    size: (u16, u16),
    /// Frames for the guest from before it was connected.
    held: Vec<(Kind, Vec<u8>)>,
}

impl Judge<'_> {
    fn log_line(&mut self, line: &str) -> Option<Severity> {
        if let Some(verdict) = verdict(line) {
            self.verdict = Some(verdict);
        }
        self.detector.line(line)
    }

    fn connected(&mut self, stream: UnixStream, no_input: bool) {
        self.port = Some(stream);
        for (kind, body) in std::mem::take(&mut self.held) {
            self.send(kind, &body);
        }
        if no_input {
            self.send(Kind::StdinEnd, &[]);
        }
    }

    /// Sends a frame; a guest that is gone is noticed elsewhere.
    fn send(&mut self, kind: Kind, body: &[u8]) {
        match &mut self.port {
            Some(port) => drop(frame::write(port, kind, body)),
            None => self.held.push((kind, body.to_vec())),
        }
    }

    fn frame(&mut self, kind: Kind, body: &[u8]) -> Result<()> {
        let stream = match kind {
            Kind::Stdout => Stream::Out,
            Kind::Stderr => Stream::Err,
            Kind::Exit => {
                self.send(Kind::Bye, &[]);
                return Ok(());
            }
            _ => return Ok(()),
        };
        match (&mut self.output, stream) {
            (Output::Function(function), _) => function(stream, body),
            (Output::Ours, Stream::Out) => {
                let mut out = std::io::stdout().lock();
                out.write_all(body)
                    .and_then(|()| out.flush())
                    .context("standard output")?;
            }
            (Output::Ours, Stream::Err) => {
                std::io::stderr()
                    .write_all(body)
                    .context("standard error")?;
            }
        }
        Ok(())
    }

    fn check_size(&mut self) {
        let size = terminal::size();
        if size != self.size {
            self.size = size;
            let [r0, r1] = size.0.to_le_bytes();
            let [c0, c1] = size.1.to_le_bytes();
            self.send(Kind::Resize, &[r0, r1, c0, c1]);
        }
    }
}

/// The verdict, if `line` of the kernel's log is it.
fn verdict(line: &str) -> Option<Result<i32, String>> {
    let text = line.split_once(VERDICT)?.1.trim();
    let code = text
        .strip_prefix("exit ")
        .and_then(|code| code.parse().ok());
    Some(code.ok_or_else(|| text.strip_prefix("failed: ").unwrap_or(text).to_owned()))
}

fn read_log(from: impl std::io::Read + Send + 'static, events: Sender<Event>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let text = String::from_utf8_lossy(&line).replace('\r', "");
            if events.send(Event::Log(text)).is_err() {
                return;
            }
            line.clear();
        }
        let _ = events.send(Event::LogEnd);
    });
}

fn read_frames(listener: UnixListener, events: Sender<Event>) {
    thread::spawn(move || {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        let Ok(writer) = stream.try_clone() else {
            return;
        };
        let _ = events.send(Event::Connected(writer));
        let mut reader = BufReader::new(stream);
        while let Ok(Some((kind, body))) = frame::read(&mut reader) {
            if events.send(Event::Frame(kind, body)).is_err() {
                return;
            }
        }
    });
}

/// Never ends while a terminal is open, so nobody waits for it.
fn read_input(interactive: bool, events: Sender<Event>) {
    thread::spawn(move || {
        let mut buffer = vec![0; if interactive { 1024 } else { frame::MAX }];
        let mut input = std::io::stdin().lock();
        loop {
            match input.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    if events.send(Event::Input(buffer[..count].to_vec())).is_err() {
                        return;
                    }
                }
            }
        }
        let _ = events.send(Event::InputEnd);
    });
}

/// What of our environment the command sees, and where the modules are: the file
/// of `rtnotify_edu` is in `RTNOTIFY_EDU_KO`, and so on, for tests that unload and
/// load them.
fn environment<'a>(modules: impl Iterator<Item = &'a PathBuf>) -> Vec<OsString> {
    let names = [
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "TERM", "CI", "NO_COLOR", "SHELL",
    ];
    let prefixes = [
        "LC_",
        "RUST_",
        "RTNOTIFY_",
        "PROPTEST_",
        "SIGRT_",
        "APP_SHIM_",
    ];
    let mut environment: Vec<OsString> = std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            names.contains(&&*name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
        })
        .map(|(name, value)| {
            let mut item = name;
            item.push("=");
            item.push(value);
            item
        })
        .collect();
    for module in modules {
        let name = module
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .to_uppercase();
        let mut item = OsString::from(format!("{name}_KO="));
        item.push(module);
        environment.push(item);
    }
    environment.push("RTNOTIFY_VM=1".into());
    environment
}

fn qemu_arguments(
    kernel: &Kernel,
    machine: &Machine,
    ram_disk: &Path,
    socket: &Path,
) -> Vec<OsString> {
    let smp = if machine.icount { 1 } else { machine.smp };
    let accelerator = match (machine.kvm, machine.icount) {
        (true, _) => "kvm",
        (false, true) => "tcg,thread=single",
        (false, false) => "tcg,thread=multi",
    };
    // With five-level page tables KASAN misreports early in boot.
    let cpu = if kernel.flavor == Flavor::Debug {
        "max,la57=off"
    } else {
        "max"
    };
    // 0x608 is where the firmware puts the timer of QEMU's `pc` machine.
    let mut command_line =
        "console=ttyS0 rdinit=/init panic=-1 reboot=t loglevel=7 printk.devkmsg=on pmtmr=0x608"
            .to_owned();
    if kernel.flavor == Flavor::Checked {
        // All checks of the slab allocator but one: to record who allocated each
        // object costs more than all others together (`--append slab_debug=FZPU`).
        command_line += " slab_debug=FZP";
    }
    if !machine.kvm {
        // A busy host makes an emulated CPU look stuck long before it is.
        command_line += " watchdog_thresh=40";
        // Under --icount one instruction takes one nanosecond.
        let rate = if machine.icount {
            1_000_000
        } else {
            tsc::kilohertz()
        };
        command_line += &format!(" tsc=reliable tsc_early_khz={rate}");
    }
    command_line += " ";
    command_line += &machine.append;
    let mut words: Vec<OsString> = Vec::new();
    let mut add = |items: &[&str]| words.extend(items.iter().map(OsString::from));
    add(&[
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
    ]);
    add(&[
        "-machine",
        "pc",
        "-accel",
        accelerator,
        "-cpu",
        cpu,
        "-m",
        &machine.memory,
    ]);
    if machine.icount {
        add(&["-icount", "shift=0,sleep=off"]);
    }
    // One core per socket: the firmware's table of processors, which is all that
    // a kernel without ACPI has, names one per socket.
    add(&["-smp", &format!("{smp},sockets={smp},cores=1,threads=1")]);
    add(&["-device", "edu", "-serial", "stdio"]);
    add(&["-virtfs"]);
    add(&[&format!(
        "local,path=/,mount_tag={MOUNT_TAG},security_model=none,readonly=on,multidevs=remap"
    )]);
    add(&[
        "-chardev",
        &format!("socket,id=port,path={},server=off", socket.display()),
    ]);
    add(&["-device", "virtio-serial-pci"]);
    add(&[
        "-device",
        &format!("virtserialport,chardev=port,name={PORT}"),
    ]);
    add(&["-append", &command_line, "-kernel"]);
    words.push(kernel.image().into());
    words.push("-initrd".into());
    words.push(ram_disk.into());
    words
}

/// A file that is removed at the end.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// QEMU, which does not outlive us.
struct Running(Child);

impl Running {
    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// `cargo xtask vm`.
pub(crate) fn command(
    flavor: Flavor,
    source: Option<&Path>,
    machine: &Machine,
    argv: Vec<OsString>,
) -> Result<u8> {
    let interactive = terminal::is_interactive();
    let mut argv = argv;
    if argv.is_empty() {
        if !interactive {
            bail!("without a terminal there is no shell to run: give a command after `--`");
        }
        argv.push(std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into()));
    }
    let kernel = crate::kernel::provide(flavor, source)?;
    let modules = crate::module::provide(&kernel, crate::module::PRODUCT, false)?;
    let mut machine = machine.clone();
    machine.at_hand = crate::module::provide_for_tests(&kernel)?;
    if machine.timeout.is_none() && !interactive {
        machine.timeout = Some(DEFAULT_TIMEOUT);
    }
    if interactive {
        step("booting; Ctrl-] ends the guest");
    }
    let outcome = boot(&kernel, &modules, &machine, argv, "vm", Output::Ours)?;
    outcome.explain();
    Ok(outcome.exit_status())
}

/// What bounds a run that nobody watches, unless something else is asked for.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_mins(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_from_the_log() {
        let line = |text: &str| format!("[    2.345678] {VERDICT}{text}\n");
        assert_eq!(verdict(&line("exit 0")), Some(Ok(0)));
        assert_eq!(verdict(&line("exit 137")), Some(Ok(137)));
        assert_eq!(
            verdict(&line("failed: no port")),
            Some(Err("no port".into()))
        );
        assert_eq!(verdict(&line("what")), Some(Err("what".into())));
        assert_eq!(verdict("[    2.345678] exit 0\n"), None);
    }

    #[test]
    fn a_bad_run_never_exits_with_zero() {
        let outcome = |status, failure: Option<&str>, reports: Vec<Report>| Outcome {
            status,
            failure: failure.map(str::to_owned),
            reports,
            log: PathBuf::new(),
            elapsed: Duration::ZERO,
        };
        let report = Report {
            sign: "BUG:",
            severity: Severity::Report,
            text: String::new(),
        };
        assert_eq!(outcome(Some(0), None, vec![]).exit_status(), 0);
        assert_eq!(outcome(Some(7), None, vec![]).exit_status(), 7);
        assert_eq!(
            outcome(Some(0), None, vec![report.clone()]).exit_status(),
            1
        );
        assert_eq!(outcome(Some(7), None, vec![report]).exit_status(), 7);
        assert_eq!(outcome(Some(0), Some("x"), vec![]).exit_status(), 1);
        assert_eq!(outcome(None, Some("x"), vec![]).exit_status(), 1);
    }
}
