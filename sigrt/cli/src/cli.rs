// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line: what can be said, and who does it.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{
    call, connect, doctor, generate, post, record, replay, serve, sources, stats, stress, top,
    watch,
};

const STATUS: &str = "\
Exit status: 0 all is well; 1 something failed, was lost that must not be, or does not agree;
2 the command line is wrong. Ctrl-C ends a command properly, with its account; a second one at once.

Text is coloured on a terminal only, and never if NO_COLOR is set.";

/// Looks at, listens to and posts to the rtnotify device.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_long_help = STATUS, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    #[command(flatten)]
    pub(crate) place: connect::Place,
    /// Print JSON, one value per line.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
}

/// A command line that cannot be meant, found out after it was parsed.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what works on this machine, and how to mend what does not.
    ///
    /// What can be tried is tried: events go around on the device and on the loopback. The exit status is 0 if
    /// nothing is bad, else 1.
    #[command(after_help = doctor::EXAMPLES)]
    Doctor,
    /// List the sources.
    #[command(after_help = sources::EXAMPLES)]
    Sources(sources::Arguments),
    /// Print events as they arrive, until interrupted.
    #[command(after_help = watch::EXAMPLES)]
    Watch(watch::Arguments),
    /// Post events to a source.
    #[command(after_help = post::EXAMPLES)]
    Post(post::Arguments),
    /// Call the driver behind a source, and print its answer.
    #[command(after_help = call::EXAMPLES)]
    Call(call::Arguments),
    /// Print counters: of every open file of the device, or of sources watched for a while.
    ///
    /// Those of other processes' files are in debugfs (as root) or, for one's own processes, in /proc. A loopback
    /// belongs to one process and a broker tells nobody of the others, so there the only counters are those of what
    /// this command watches itself.
    #[command(after_help = stats::EXAMPLES)]
    Stats(stats::Arguments),
    /// Show rates, queues, losses and latencies as they change.
    #[command(after_help = top::EXAMPLES)]
    Top(top::Arguments),
    /// Write what arrives to a file, with its timing.
    #[command(after_help = record::EXAMPLES)]
    Record(record::Arguments),
    /// Post again what a file says, with its timing; or check such a file.
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Arguments),
    /// Post and receive as fast as this machine can, and account for every event.
    ///
    /// The exit status is 0 only if nothing was lost that need not be, every payload was right, everything
    /// came in order and all counters agree.
    #[command(after_help = stress::EXAMPLES)]
    Stress(stress::Arguments),
    /// Be the device for several processes, where the module is not loaded, until interrupted.
    ///
    /// Other commands and programs connect with `--device` and the path of the socket. Everything that they have
    /// registered and created ends with this.
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::Arguments),
    /// Print a script that completes commands in a shell.
    #[command(after_help = generate::COMPLETION_EXAMPLES)]
    Completions(generate::Completions),
    /// Print the manual page, or write one for each command.
    #[command(after_help = generate::MAN_EXAMPLES)]
    Man(generate::Man),
}

impl Cli {
    /// Does what was asked for; whether all was well.
    pub(crate) fn act(&self) -> Result<bool> {
        let global = &self.global;
        match &self.action {
            Action::Doctor => doctor::command(global),
            Action::Sources(arguments) => sources::command(global, arguments),
            Action::Watch(arguments) => watch::command(global, arguments),
            Action::Post(arguments) => post::command(global, arguments),
            Action::Call(arguments) => call::command(global, arguments),
            Action::Stats(arguments) => stats::command(global, arguments),
            Action::Top(arguments) => top::command(global, arguments),
            Action::Record(arguments) => record::command(global, arguments),
            Action::Replay(arguments) => replay::command(global, arguments),
            Action::Stress(arguments) => stress::command(global, arguments),
            Action::Serve(arguments) => serve::command(global, arguments),
            Action::Completions(arguments) => generate::completions(global, arguments),
            Action::Man(arguments) => generate::man(global, arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Every line of `docs/cli.md` and of the README that starts with `$ rtnotify` is parsed.
    #[test]
    fn documented_commands_parse() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let mut seen = std::collections::BTreeSet::new();
        for page in ["docs/cli.md", "README.md"] {
            let text = std::fs::read_to_string(format!("{root}/{page}")).unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                // What follows a shell's operator is not ours.
                let ours = line.split(" #").next().unwrap_or_default();
                let end = ours.find([';', '|', '>', '<', '&']).unwrap_or(ours.len());
                let mut words = words(&ours[..end]);
                if words.first().is_some_and(|word| word == "sudo") {
                    words.remove(0);
                }
                if words.first().is_none_or(|word| word != "rtnotify") {
                    continue;
                }
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{page}: {line}\n{error}");
                }
                seen.insert(words[1].clone());
            }
        }
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(
                seen.contains(name) || name == "help",
                "docs/cli.md does not show {name}"
            );
        }
    }

    /// Examples in `--help` are parsed as well.
    #[test]
    fn examples_in_help_parse() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            if name == "help" {
                continue;
            }
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let mut shown = 0;
            for line in help.lines().map(str::trim) {
                let line = line.split(" #").next().unwrap_or_default();
                let line = line.rsplit(" | ").next().unwrap_or_default();
                let line = line.trim_start_matches("sudo ");
                if !line.starts_with("rtnotify ") {
                    continue;
                }
                let end = line.find([';', '|', '>', '<']).unwrap_or(line.len());
                if let Err(error) = Cli::try_parse_from(words(&line[..end])) {
                    panic!("{line}\n{error}");
                }
                shown += 1;
            }
            assert!(shown > 0, "{name} shows no example");
        }
    }

    /// The words of a simple shell command: spaces separate, quotes keep together.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word = None::<String>;
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None, ' ') => words.extend(word.take()),
                (_, c) => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }
}
