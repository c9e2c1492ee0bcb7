//! PID 1 of the test guest: makes the host's root usable, loads the module, runs
//! one command, reports how it ended, powers off.
//!
//! It is linked statically, because it starts before there is any library, and
//! it must not panic: the end of PID 1 is a kernel panic (which `xtask` then
//! reports, so that even that is not silent). The same program serves, inside
//! the guest, as the helper that makes a session for the command (`session`), as
//! the runner of test programs (`run-tests`) and as a loader of modules (`insmod`),
//! reached as `/proc/1/exe`.

mod guest;
mod modules;
mod pump;
mod runner;
mod session;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if std::process::id() == 1 {
        guest::main();
    }
    match args.next() {
        Some(word) if word == "session" => session::become_session(args),
        Some(word) if word == "run-tests" => runner::main(args),
        Some(word) if word == "insmod" => modules::insmod(args),
        _ => {
            eprintln!("this is PID 1 of the rtnotify test guest: use `cargo xtask vm`");
            ExitCode::from(2)
        }
    }
}
