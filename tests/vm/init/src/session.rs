//! The step between PID 1 and the command: a session of its own.
//!
//! A fresh process of this program calls `setsid`, takes its standard input as
//! the controlling terminal if it is one, and becomes the command. So no code
//! has to run between `fork` and `exec`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Becomes the command in `args`; returns only if that fails.
pub(crate) fn become_session(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    if let Err(error) = rustix::process::setsid() {
        eprintln!("rtnotify-vm: setsid: {error}");
    }
    let stdin = rustix::stdio::stdin();
    if rustix::termios::isatty(stdin)
        && let Err(error) = rustix::process::ioctl_tiocsctty(stdin)
    {
        eprintln!("rtnotify-vm: no controlling terminal: {error}");
    }
    let Some(program) = args.next() else {
        eprintln!("rtnotify-vm: nothing to run");
        return ExitCode::from(2);
    };
    let error = Command::new(&program).args(args).exec();
    eprintln!("rtnotify-vm: cannot run {}: {error}", program.display());
    // As a shell does it: 127 for a command that is not there, 126 for one that
    // cannot be executed.
    ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    })
}
