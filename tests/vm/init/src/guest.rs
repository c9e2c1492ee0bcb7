//! The course of one run, as PID 1: mounts, module, command, verdict, power-off.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rtnotify_vm_init::frame::Kind;
use rtnotify_vm_init::run::Run;
use rtnotify_vm_init::{MODULE_DIR, MOUNT_TAG, PORT, RUN_FILE, VERDICT};
use rustix::mount::MountFlags;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use rustix::pty::OpenptFlags;
use rustix::system::RebootCommand;
use rustix::termios::Winsize;

use crate::modules::Modules;
use crate::pump::{self, Sender};

/// How long the virtio port may take to appear and to be connected.
const PORT_PATIENCE: Duration = Duration::from_secs(20);

/// How long the host may take to say that it has received everything.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the guest and powers it off.
pub(crate) fn main() -> ! {
    let verdict = match run() {
        Ok(status) => format!("exit {status}"),
        Err(error) => format!("failed: {error}"),
    };
    log(&format!("{VERDICT}{verdict}"));
    rustix::fs::sync();
    // Restart first: QEMU runs with -no-reboot, and a machine without ACPI can
    // be restarted but not switched off.
    let _ = rustix::system::reboot(RebootCommand::Restart);
    let _ = rustix::system::reboot(RebootCommand::PowerOff);
    loop {
        thread::park();
    }
}

/// One line for the kernel log, and so for the console, in order with the
/// kernel's own messages and never mixed with them.
fn log(line: &str) {
    let line = line.replace('\n', "; ");
    if let Ok(mut kmsg) = OpenOptions::new().write(true).open("/dev/kmsg") {
        // Level 1, so that no console log level hides it.
        let _ = kmsg.write_all(format!("<1>{line}\n").as_bytes());
    }
}

/// Everything up to the verdict; the command's status, as a shell would put it.
fn run() -> Result<i32, String> {
    mount("devtmpfs", "/dev", "devtmpfs", MountFlags::empty(), "")?;
    let run = fs::read(RUN_FILE).map_err(|error| format!("{RUN_FILE}: {error}"))?;
    let run = Run::decode(&run)?;
    let mut modules = Modules::open(MODULE_DIR, &run.modules)?;
    mount_host()?;
    let port = open_port()?;
    let sender: Sender = Arc::new(Mutex::new(
        port.try_clone().map_err(|error| format!("port: {error}"))?,
    ));

    // From here on a failure can be said on the command's standard error too.
    let tell = |text: String| {
        pump::send(
            &sender,
            Kind::Stderr,
            format!("rtnotify-vm: {text}\n").as_bytes(),
        );
        text
    };
    modules.load().map_err(tell)?;
    let status = run_command(&run, port, &sender).map_err(tell)?;
    scan_for_leaks();
    modules.unload().map_err(tell)?;
    Ok(status)
}

/// Mounts, with an error that names both ends.
fn mount(
    source: &str,
    target: &str,
    kind: &str,
    flags: MountFlags,
    data: &str,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("mount {kind} on {target}: {error}");
    fs::create_dir_all(target).map_err(|error| failed(&error))?;
    let data = CString::new(data).map_err(|error| failed(&error))?;
    rustix::mount::mount(source, target, kind, flags, data.as_c_str())
        .map_err(|error| failed(&error))
}

/// Makes the host's root the guest's root: read-only over 9P, with a layer in
/// memory above it that takes every write and is forgotten.
fn mount_host() -> Result<(), String> {
    let none = MountFlags::empty();
    let read_only = MountFlags::RDONLY;
    // The largest message that the virtio transport allows; nobody else writes
    // to the host's files during a run, so that caching them is safe.
    let options = "trans=virtio,version=9p2000.L,cache=loose,msize=512000";
    mount(MOUNT_TAG, "/host", "9p", read_only, options)?;
    mount("tmpfs", "/layer", "tmpfs", none, "size=75%")?;
    for directory in ["/layer/upper", "/layer/work"] {
        fs::create_dir(directory).map_err(|error| format!("{directory}: {error}"))?;
    }
    let options = "lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work";
    mount("overlay", "/sysroot", "overlay", none, options)?;

    mount("proc", "/sysroot/proc", "proc", none, "")?;
    mount("sysfs", "/sysroot/sys", "sysfs", none, "")?;
    mount("devtmpfs", "/sysroot/dev", "devtmpfs", none, "")?;
    mount(
        "devpts",
        "/sysroot/dev/pts",
        "devpts",
        none,
        "ptmxmode=0666,mode=0620,gid=5",
    )?;
    mount("tmpfs", "/sysroot/dev/shm", "tmpfs", none, "mode=1777")?;
    mount("mqueue", "/sysroot/dev/mqueue", "mqueue", none, "")?;
    mount("debugfs", "/sysroot/sys/kernel/debug", "debugfs", none, "")?;
    mount("tmpfs", "/sysroot/run", "tmpfs", none, "mode=0755")?;
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        let _ = std::os::unix::fs::symlink(target, Path::new("/sysroot/dev").join(link));
    }

    std::env::set_current_dir("/sysroot").map_err(|error| format!("/sysroot: {error}"))?;
    rustix::mount::mount_move(".", "/").map_err(|error| format!("moving the root: {error}"))?;
    rustix::process::chroot(".").map_err(|error| format!("chroot: {error}"))?;
    std::env::set_current_dir("/").map_err(|error| format!("/: {error}"))?;
    let _ = rustix::system::sethostname(b"rtnotify-vm");
    Ok(())
}

/// The virtio port, once it is there and the host has connected to it.
fn open_port() -> Result<File, String> {
    let deadline = Instant::now() + PORT_PATIENCE;
    loop {
        if let Some(path) = find_port() {
            let port = OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            // Until the host's side is known to be open, reads return an end of
            // file and poll reports a hang-up.
            let mut fds = [rustix::event::PollFd::new(
                &port,
                rustix::event::PollFlags::OUT,
            )];
            let _ = rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default()));
            if !fds[0].revents().contains(rustix::event::PollFlags::HUP) {
                return Ok(port);
            }
        }
        if Instant::now() > deadline {
            return Err(format!("no virtio port named {PORT}"));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The device node of the port with our name.
fn find_port() -> Option<PathBuf> {
    for entry in fs::read_dir("/sys/class/virtio-ports").ok()?.flatten() {
        let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if name.trim() == PORT {
            let node = Path::new("/dev").join(entry.file_name());
            return node.exists().then_some(node);
        }
    }
    None
}

/// Runs the command to its end, and everything it left behind to theirs.
fn run_command(run: &Run, port: File, sender: &Sender) -> Result<i32, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    let mut command = Command::new("/proc/self/exe");
    command.arg("session").args(&run.argv).env_clear();
    for item in &run.env {
        let bytes = item.as_bytes();
        if let Some(equals) = bytes.iter().position(|&byte| byte == b'=') {
            let part = std::ffi::OsStr::from_bytes;
            command.env(part(&bytes[..equals]), part(&bytes[equals + 1..]));
        }
    }
    if run.cwd.is_dir() {
        command.current_dir(&run.cwd);
    } else {
        return Err(format!(
            "no such directory in the guest: {}",
            run.cwd.display()
        ));
    }

    let mut outputs = Vec::new();
    let stdin;
    let child;
    if let Some((rows, columns)) = run.terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).map_err(|error| failed("openpt", &error))?;
        rustix::pty::unlockpt(&master).map_err(|error| failed("unlockpt", &error))?;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)
            .map_err(|error| failed("terminal", &error))?;
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&slave, size)
            .map_err(|error| failed("terminal size", &error))?;
        let copy = || {
            slave
                .try_clone()
                .map_err(|error| failed("terminal", &error))
        };
        command.stdin(copy()?).stdout(copy()?).stderr(copy()?);
        child = command.spawn().map_err(|error| failed("session", &error))?;
        // The command object holds the terminal open.
        drop(command);
        drop(slave);
        stdin = master
            .try_clone()
            .map_err(|error| failed("terminal", &error))?;
        outputs.push(pump::outward(
            master.into(),
            Kind::Stdout,
            Arc::clone(sender),
        ));
    } else {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut spawned = command.spawn().map_err(|error| failed("session", &error))?;
        let missing = || "a pipe is missing".to_owned();
        stdin = spawned.stdin.take().ok_or_else(missing)?.into();
        let stdout: std::os::fd::OwnedFd = spawned.stdout.take().ok_or_else(missing)?.into();
        let stderr: std::os::fd::OwnedFd = spawned.stderr.take().ok_or_else(missing)?.into();
        outputs.push(pump::outward(
            stdout.into(),
            Kind::Stdout,
            Arc::clone(sender),
        ));
        outputs.push(pump::outward(
            stderr.into(),
            Kind::Stderr,
            Arc::clone(sender),
        ));
        child = spawned;
    }
    let farewell = pump::inward(port, stdin, run.terminal.is_some());

    let status = reap_until(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
    end_all_processes();
    for output in outputs {
        let _ = output.join();
    }
    pump::send(sender, Kind::Exit, b"");
    let deadline = Instant::now() + FAREWELL_PATIENCE;
    while !farewell.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
    Ok(status)
}

/// Reaps whatever dies until `main` does; its status as a shell would put it.
fn reap_until(main: Option<Pid>) -> i32 {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == main => return shell_status(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // No child left, and none of them was the command: cannot be.
            Err(_) => return 255,
        }
    }
}

/// 0 to 255, with 128 and the signal's number for a death by signal.
fn shell_status(status: WaitStatus) -> i32 {
    let status = ExitStatus::from_raw(status.as_raw());
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(255)
}

/// Kills and reaps every process but this one: the run ends with its command.
fn end_all_processes() {
    // kill(2) with -1 addresses every process except PID 1 itself, and group 1
    // negated is that -1.
    let _ = rustix::process::kill_process_group(Pid::INIT, Signal::KILL);
    while let Ok(Some(_)) | Err(rustix::io::Errno::INTR) =
        rustix::process::wait(WaitOptions::empty())
    {}
}

/// Where the kernel looks for leaked memory, has it look now. What it finds goes
/// to the kernel log, where it fails the run.
fn scan_for_leaks() {
    let control = "/sys/kernel/debug/kmemleak";
    // A leak is reported when an object was unreachable in two scans and is old
    // enough (MSECS_MIN_AGE in mm/kmemleak.c: 5 s).
    for pause in [0, 6] {
        thread::sleep(Duration::from_secs(pause));
        if fs::write(control, "scan").is_err() {
            return;
        }
    }
    for line in fs::read_to_string(control)
        .unwrap_or_default()
        .lines()
        .take(60)
    {
        log(&format!("kmemleak: {line}"));
    }
}
