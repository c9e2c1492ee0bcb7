//! `cargo xtask demo`: the program in `tests/demo`, here or in the guest.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::kernel::{self, Flavor, Kernel};
use crate::module::{self, PRODUCT};
use crate::paths;
use crate::run::run;
use crate::test::cargo;
use crate::vm::{self, Machine, Outcome, Output, Stream};

/// A package of its own, so that nothing is built that it does not need.
const PACKAGE: &str = "rtnotify-demo";

/// Runs the demo; the exit status.
pub(crate) fn command(in_vm: bool, source: Option<&Path>, arguments: &[OsString]) -> Result<u8> {
    if !in_vm {
        let mut command = cargo();
        command.args(["run", "--release", "--quiet", "-p", PACKAGE, "--"]);
        let status = command.args(arguments).status()?;
        return Ok(status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1));
    }
    let kernel = kernel::provide(Flavor::Checked, source)?;
    let modules = module::provide(&kernel, PRODUCT, false)?;
    let outcome = in_guest(&kernel, &modules, arguments)?;
    outcome.explain();
    Ok(outcome.exit_status())
}

/// Builds the demo here and runs it in the guest against the real device and a
/// real interrupt, unless `arguments` say otherwise.
pub(crate) fn in_guest(
    kernel: &Kernel,
    modules: &[PathBuf],
    arguments: &[OsString],
) -> Result<Outcome> {
    run(cargo().args(["build", "--release", "--quiet", "-p", PACKAGE]))?;
    let program = paths::target().join("release").join(PACKAGE);
    let mut argv: Vec<OsString> = vec![program.into()];
    if arguments.is_empty() {
        argv.extend(["--device", "/dev/rtnotify", "--edu", "100"].map(OsString::from));
    } else {
        argv.extend(arguments.iter().cloned());
    }
    let machine = Machine {
        timeout: Some(Duration::from_mins(5)),
        ..Machine::default()
    };
    let mut show = |stream, bytes: &[u8]| {
        let _ = match stream {
            Stream::Out => std::io::stdout().write_all(bytes),
            Stream::Err => std::io::stderr().write_all(bytes),
        };
        let _ = std::io::stdout().flush();
    };
    vm::boot(
        kernel,
        modules,
        &machine,
        argv,
        "demo",
        Output::Function(&mut show),
    )
}
