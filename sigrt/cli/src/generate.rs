// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify completions` and `rtnotify man`: what is made of the command line's own description.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use crate::cli::{Cli, Global};
use crate::show;

pub(crate) const COMPLETION_EXAMPLES: &str = "\
Examples:
  rtnotify completions bash > ~/.local/share/bash-completion/completions/rtnotify
  rtnotify completions fish > ~/.config/fish/completions/rtnotify.fish
  rtnotify completions zsh > ~/.zfunc/_rtnotify";

pub(crate) const MAN_EXAMPLES: &str = "\
Examples:
  rtnotify man | man -l -
  rtnotify man ~/.local/share/man/man1";

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Write the pages of all commands into this directory; without it, print that of the whole.
    directory: Option<PathBuf>,
}

/// Prints text that was made; as a JSON string where JSON is wanted.
fn print(global: &Global, what: &str, text: &[u8]) -> Result<()> {
    if global.json {
        show::json(&json!({ what: String::from_utf8_lossy(text) }))?;
    } else {
        let mut out = io::stdout().lock();
        out.write_all(text)?;
        out.flush()?;
    }
    Ok(())
}

pub(crate) fn completions(global: &Global, arguments: &Completions) -> Result<bool> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "rtnotify", &mut text);
    print(global, "script", &text)?;
    Ok(true)
}

pub(crate) fn man(global: &Global, arguments: &Man) -> Result<bool> {
    let mut command = Cli::command();
    command.build();
    let Some(directory) = &arguments.directory else {
        let mut text = Vec::new();
        clap_mangen::Man::new(command).render(&mut text)?;
        print(global, "page", &text)?;
        return Ok(true);
    };
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let own: Vec<_> = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
        .cloned()
        .collect();
    for page in own.into_iter().chain([command]) {
        let page = clap_mangen::Man::new(page);
        let path = directory.join(page.get_filename());
        let mut text = Vec::new();
        page.render(&mut text)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        if global.json {
            show::json(&json!({ "page": path }))?;
        } else {
            show::line(&path.display().to_string())?;
        }
    }
    Ok(true)
}
