// SPDX-License-Identifier: MIT OR Apache-2.0

//! The `rtnotify` command: what works here, what sources there are, what they say, and a way to post.
//!
//! Results go to standard output, as text or with `--json` as one JSON value per line; everything else goes
//! to standard error. `docs/cli.md` shows each command once, and says what the exit status means.

mod call;
mod cli;
mod connect;
mod counters;
mod demo;
mod doctor;
mod generate;
mod interrupt;
mod latency;
mod parse;
mod post;
mod record;
mod replay;
mod selection;
mod serve;
mod show;
mod sources;
mod stats;
mod stress;
mod top;
mod watch;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

/// Whether the reader of our output has gone away, which is no failure (`rtnotify watch … | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for, and go to standard output; that may be closed, too.
            let fine = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            error.print().ok();
            return ExitCode::from(if fine { 0 } else { 2 });
        }
    };
    match cli.act() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let (mark, status) = if error.is::<cli::Usage>() {
                ("rtnotify: usage", 2)
            } else {
                ("rtnotify", 1)
            };
            show::complaint(&format!("{mark}: {error:#}"));
            ExitCode::from(status)
        }
    }
}
