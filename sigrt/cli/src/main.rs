// SPDX-License-Identifier: MIT OR Apache-2.0

//! The `rtnotify` command: what works here, what sources there are, what they say, and a way to post.
//!
//! Results go to standard output, as text or with `--json` as one JSON value per line; everything else goes
//! to standard error. The exit status is 0 for success, 1 for failure, 2 for a wrong command line.

mod doctor;
mod interrupt;
mod post;
mod serve;
mod show;
mod sources;
mod stress;
mod watch;

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use sigrt::Device;

/// Looks at, listens to and posts to the rtnotify device.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Args)]
struct Global {
    /// The device: a path, also of a broker's socket (see `serve`), "loopback" (within this process only), or "auto" (the module's device if it is
    /// there, else the loopback).
    #[arg(
        long,
        short,
        global = true,
        env = "RTNOTIFY_DEVICE",
        value_name = "DEVICE",
        help_heading = "Global options"
    )]
    device: Option<String>,
    /// Print JSON, one value per line.
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what works on this machine, and how to mend what does not.
    ///
    /// The exit status is 0 if both the device and the loopback work, else 1.
    Doctor,
    /// List the sources.
    Sources,
    /// Print events as they arrive, until interrupted.
    Watch(watch::Arguments),
    /// Post an event to a source.
    Post(post::Arguments),
    /// Post and receive as fast as this machine can, and account for every event.
    ///
    /// The exit status is 0 only if nothing was lost that need not be, every payload was right, everything
    /// came in order and all counters agree.
    Stress(stress::Arguments),
    /// Be the device for several processes, where the module is not loaded, until interrupted.
    ///
    /// Other commands and programs connect with `--device` and the path of the socket. Everything that they have
    /// registered and created ends with this.
    Serve(serve::Arguments),
}

impl Global {
    /// The device that was asked for, or the one for commands that other processes take part in.
    fn device(&self) -> Result<Device> {
        self.open(self.device.as_deref().unwrap_or(sigrt::DEFAULT_PATH))
    }

    /// The device that was asked for, or whichever there is.
    fn device_or_loopback(&self) -> Result<Device> {
        self.open(self.device.as_deref().unwrap_or("auto"))
    }

    fn open(&self, which: &str) -> Result<Device> {
        match which {
            "loopback" => Ok(Device::loopback()),
            "auto" => Device::auto().context("cannot open the device"),
            path if is_socket(path) => Device::connect(path).context("cannot connect"),
            path => Device::open(path).with_context(|| match &self.device {
                Some(_) => format!("cannot open {path}"),
                None => "no device (`rtnotify doctor` says more)".to_owned(),
            }),
        }
    }
}

/// Whether a broker may be listening there.
fn is_socket(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn act(cli: Cli) -> Result<bool> {
    let global = &cli.global;
    match cli.action {
        Action::Doctor => doctor::command(global),
        Action::Sources => sources::command(global).map(|()| true),
        Action::Watch(arguments) => watch::command(global, &arguments).map(|()| true),
        Action::Post(arguments) => post::command(global, &arguments).map(|()| true),
        Action::Stress(arguments) => stress::command(global, &arguments),
        Action::Serve(arguments) => serve::command(global, &arguments).map(|()| true),
    }
}

/// Whether the reader of our output has gone away, which is no failure (`rtnotify watch … | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn main() -> ExitCode {
    match act(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rtnotify: {error:#}");
            ExitCode::FAILURE
        }
    }
}
