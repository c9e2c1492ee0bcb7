// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify top`: rates, queues, losses and latencies as they change.
//!
//! What can be known of others is what the module counts: rates, queues and losses of every source and every
//! open file. How late events are is known only to who receives them, so latencies are those of what this
//! command subscribes to itself.

mod probe;
mod screen;
mod view;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use crossbeam_channel::{after, select};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::cli::{Global, Usage};
use crate::selection::Selection;
use crate::{interrupt, parse, show};
use probe::Probe;
use view::View;

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify top --demo                    # a load of its own, on the loopback
  sudo rtnotify top                      # every source and every open file
  sudo rtnotify top adc door             # with latencies of these two
  rtnotify top --demo --once
  rtnotify top --batch --interval 10s -n 6 --json --demo

Keys: q quit, p or space pause, s sort, r reverse, + and - interval, ? help.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Time between looks.
    #[arg(long, short, value_name = "TIME", default_value = "1s", value_parser = parse::duration)]
    interval: Duration,
    /// Print one frame as text, after one interval.
    #[arg(long)]
    once: bool,
    /// Print a frame as text every interval, rather than drawing on the terminal.
    #[arg(long, conflicts_with = "once")]
    batch: bool,
    /// Stop after so many frames.
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
    /// Columns of a frame as text.
    #[arg(long, value_name = "COLUMNS", default_value_t = 110, value_parser = clap::value_parser!(u16).range(60..=400))]
    width: u16,
    /// What to sort by.
    #[arg(long, value_enum, default_value = "number")]
    sort: view::Sort,
    /// Read the counters of all open files there, rather than where debugfs usually is.
    #[arg(long, value_name = "DIRECTORY")]
    debugfs: Option<PathBuf>,
}

/// No shorter pause between looks.
const SHORTEST: Duration = Duration::from_millis(20);

pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    if arguments.interval < SHORTEST {
        bail!(Usage("--interval must be at least 20ms".to_owned()));
    }
    let as_text = arguments.once || arguments.batch || global.json;
    if !as_text && !screen::is_terminal() {
        bail!(Usage(
            "standard output is no terminal: --once or --batch print frames as text".to_owned()
        ));
    }
    let stop = interrupt::channel()?;
    let probe = Probe::new(global, &arguments.selection, arguments.debugfs.as_deref())?;
    let mut view = View::new(probe, arguments.sort)?;
    if as_text {
        print(global, arguments, &mut view, &stop)?;
    } else {
        screen::run(&mut view, arguments.interval, arguments.count, &stop)?;
    }
    view.finish();
    // After a screen that has been restored, or after the last frame of a log.
    if !arguments.once {
        show::remark(&view.summary());
    }
    Ok(true)
}

/// Prints frames as text or as JSON.
fn print(
    global: &Global,
    arguments: &Arguments,
    view: &mut View,
    stop: &crossbeam_channel::Receiver<()>,
) -> Result<()> {
    let count = if arguments.once {
        1
    } else {
        arguments.count.unwrap_or(u64::MAX)
    };
    for number in 0..count {
        select! {
            recv(stop) -> _ => return Ok(()),
            recv(after(arguments.interval)) -> _ => {}
        }
        view.look()?;
        if global.json {
            show::json(&view.as_json())?;
            continue;
        }
        if number > 0 {
            show::line("")?;
        }
        for line in text(view, arguments.width)? {
            show::line(&line)?;
        }
    }
    Ok(())
}

/// A frame as lines of text: what the screen would show, if it were as high as it needs to be.
fn text(view: &View, width: u16) -> Result<Vec<String>> {
    let mut terminal = Terminal::new(TestBackend::new(width, view.height()))?;
    terminal.draw(|frame| view.draw(frame))?;
    let buffer = terminal.backend().buffer();
    let lines = (0..buffer.area.height).map(|y| {
        let cells = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    });
    Ok(lines.collect())
}
