//! The one entry point for everything that is not `cargo build`: guest kernels,
//! the kernel module, virtual machines, tests, the demo, the figures.
//!
//! Run it as `cargo xtask COMMAND`; `cargo xtask --help` lists the commands.

mod apt;
mod bench;
mod cache;
mod cpio;
mod demo;
mod guest;
mod kconfig;
mod kernel;
mod man;
mod module;
mod paths;
mod room;
mod run;
mod shim;
mod source;
mod splat;
mod tally;
mod terminal;
mod test;
mod tools;
mod tsc;
mod vm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::kernel::Flavor;
use crate::vm::Machine;

/// Hidden first argument: become the program in the rest, and end with the
/// parent. See [`run::tied`].
const TIED: &str = "__tied";

/// Builds, boots, tests and measures rtnotify.
///
/// Guest kernels are built from Debian's linux-source package and cached in
/// `RTNOTIFY_CACHE`, by default ~/.cache/rtnotify; missing packages are installed
/// when run as root, and named otherwise.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Build or reuse a guest kernel; prints its image and build directory.
    Kernel(KernelArgs),
    /// Build or reuse the kernel module (and the one that tests the tests) for a
    /// guest kernel; prints the .ko files.
    Module {
        #[command(flatten)]
        kernel: KernelArgs,
        /// Check the module with Clippy instead.
        #[arg(long)]
        clippy: bool,
    },
    /// Boot a guest with the module loaded, and run a command or a shell in it.
    ///
    /// The guest sees the host's whole file system; what it writes there is
    /// forgotten. The exit status is the command's. Any report in the kernel's
    /// log fails the run. Ctrl-] ends a guest that has a terminal.
    Vm(VmArgs),
    /// Run every check and test; the last line is `N passed, N failed`.
    ///
    /// Natively: formatting, Clippy, documentation and the workspace's tests. In
    /// the guest: the module built and checked by Clippy, the tests that need it,
    /// the demo, and the proof that kernel reports are noticed. What cannot be
    /// run counts as failed.
    Test {
        #[arg(value_enum, default_value = "all")]
        place: test::Where,
        #[command(flatten)]
        kernel: KernelArgs,
    },
    /// Run the demo, natively or in the guest.
    Demo {
        /// In the guest, against the real device and a real interrupt.
        #[arg(long)]
        vm: bool,
        /// A Linux 7.2 tree or archive to use instead of Debian's.
        #[arg(long, value_name = "DIR|TARBALL")]
        source: Option<PathBuf>,
        /// Arguments for the demo.
        #[arg(last = true, value_name = "ARGS")]
        arguments: Vec<OsString>,
    },
    /// Measure: time per event here, or instructions per event in the guest.
    Bench {
        #[arg(value_enum, default_value = "native")]
        place: bench::Where,
        /// Also write the figures to this file.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// A Linux 7.2 tree or archive to use instead of Debian's.
        #[arg(long, value_name = "DIR|TARBALL")]
        source: Option<PathBuf>,
    },
    /// Make the manual pages of the device and of the producer interface from
    /// the documentation; prints their files.
    Man,
    /// Install app-shim for C programs: libraries, headers, and files for
    /// pkg-config and cmake; prints what was installed.
    InstallShim {
        /// Where to: files go to its include and lib folders.
        #[arg(long, value_name = "DIR")]
        prefix: PathBuf,
        /// The libraries without optimization.
        #[arg(long)]
        debug: bool,
    },
    /// Remove everything from the cache: sources, tools and kernels.
    CleanCache,
}

/// Which kernel.
#[derive(Args)]
struct KernelArgs {
    /// The sanitizer kernel: clang, KASAN, kmemleak, fault injection.
    #[arg(long, conflicts_with = "lean")]
    debug: bool,
    /// The kernel without any checks, for figures.
    #[arg(long)]
    lean: bool,
    /// A Linux 7.2 tree or archive to use instead of Debian's.
    #[arg(long, value_name = "DIR|TARBALL")]
    source: Option<PathBuf>,
}

impl KernelArgs {
    fn flavor(&self) -> Flavor {
        match (self.debug, self.lean) {
            (true, _) => Flavor::Debug,
            (false, true) => Flavor::Lean,
            (false, false) => Flavor::Checked,
        }
    }
}

#[derive(Args)]
struct VmArgs {
    #[command(flatten)]
    kernel: KernelArgs,
    /// Count instructions: one processor whose time-stamp counter advances by
    /// one per guest instruction.
    #[arg(long)]
    icount: bool,
    /// Processors.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    smp: u32,
    /// Memory, as QEMU writes it.
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    mem: String,
    /// More words for the kernel command line; NAME.PARAMETER=VALUE reaches the
    /// module NAME.
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        allow_hyphen_values = true
    )]
    append: String,
    /// Use hardware virtualization instead of emulation.
    #[arg(long, conflicts_with = "icount")]
    kvm: bool,
    /// Give up after so many seconds; by default after 30 minutes, or never with
    /// a terminal.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// The command to run; by default a shell.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl VmArgs {
    fn machine(&self) -> Machine {
        Machine {
            icount: self.icount,
            kvm: self.kvm,
            smp: self.smp,
            memory: self.mem.clone(),
            append: self.append.clone(),
            timeout: self.timeout.map(Duration::from_secs),
            at_hand: Vec::new(),
        }
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == TIED) {
        return run::become_tied(args);
    }
    match act(Cli::parse().command) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Carries out a command; the status to exit with.
fn act(action: Action) -> Result<u8> {
    match action {
        Action::Kernel(args) => {
            let kernel = kernel::provide(args.flavor(), args.source.as_deref())?;
            println!("{}\n{}", kernel.image().display(), kernel.build.display());
        }
        Action::Module { kernel, clippy } => {
            let kernel = kernel::provide(kernel.flavor(), kernel.source.as_deref())?;
            let folders = [module::PRODUCT, module::SPLAT].into_iter();
            // The others use the product's symbols, which Clippy does not make.
            let others = module::FOR_TESTS.into_iter().filter(|_| !clippy);
            for folder in folders.chain(others) {
                for module in module::provide(&kernel, folder, clippy)? {
                    println!("{}", module.display());
                }
            }
        }
        Action::Vm(args) => {
            let machine = args.machine();
            let (flavor, source) = (args.kernel.flavor(), args.kernel.source.as_deref());
            return vm::command(flavor, source, &machine, args.command);
        }
        Action::Test { place, kernel } => {
            return Ok(test::command(
                place,
                kernel.flavor(),
                kernel.source.as_deref(),
            ));
        }
        Action::Demo {
            vm,
            source,
            arguments,
        } => {
            return demo::command(vm, source.as_deref(), &arguments);
        }
        Action::Bench {
            place,
            json,
            source,
        } => {
            bench::command(place, source.as_deref(), json.as_deref())?;
        }
        Action::Man => {
            for page in man::command()? {
                println!("{}", page.display());
            }
        }
        Action::InstallShim { prefix, debug } => {
            for file in shim::command(&prefix, debug)? {
                println!("{}", file.display());
            }
        }
        Action::CleanCache => {
            let cache = paths::cache()?;
            let _lock = cache::lock(&cache)?;
            for part in ["apt", "source", "kernel", "tools"] {
                cache::remove(&cache.join(part))?;
            }
        }
    }
    Ok(0)
}
