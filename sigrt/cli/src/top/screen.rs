// SPDX-License-Identifier: MIT OR Apache-2.0

//! `top` on a terminal: draws frames, takes keys, and leaves the terminal as it was.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use crossbeam_channel::Receiver;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::SHORTEST;
use super::view::View;
use crate::interrupt;

/// No longer pause between looks.
const LONGEST: Duration = Duration::from_mins(1);
/// How soon a signal or the end of a pause is noticed.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Shows frames until told to end.
pub(super) fn run(
    view: &mut View,
    interval: Duration,
    count: Option<u64>,
    stop: &Receiver<()>,
) -> Result<()> {
    // Also has a panic restore the terminal.
    let mut terminal = ratatui::try_init().context("cannot draw on this terminal")?;
    let done = drive(&mut terminal, view, interval, count, stop);
    ratatui::try_restore().context("cannot restore the terminal (`reset` does)")?;
    done
}

fn drive(
    terminal: &mut DefaultTerminal,
    view: &mut View,
    mut interval: Duration,
    count: Option<u64>,
    stop: &Receiver<()>,
) -> Result<()> {
    let mut looked = Instant::now();
    let mut frames = 0;
    loop {
        terminal.draw(|frame| view.draw(frame))?;
        let left = interval.saturating_sub(looked.elapsed());
        if event::poll(left.min(PATIENCE))? {
            // A change of size only needs drawing again.
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
                && !act(key, view, &mut interval)
            {
                return Ok(());
            }
        }
        if interrupt::is_over(stop) {
            return Ok(());
        }
        if looked.elapsed() >= interval {
            view.look()?;
            looked = Instant::now();
            frames += 1;
            if count.is_some_and(|count| frames >= count) {
                return Ok(());
            }
        }
    }
}

/// Does what a key asks for; false to end.
fn act(key: KeyEvent, view: &mut View, interval: &mut Duration) -> bool {
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
        KeyCode::Esc if view.help => view.help = false,
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Char('p' | ' ') => view.paused = !view.paused,
        KeyCode::Char('s') => view.sort = view.sort.next(),
        KeyCode::Char('r') => view.reverse = !view.reverse,
        KeyCode::Char('+') => *interval = (*interval * 2).min(LONGEST),
        KeyCode::Char('-') => *interval = (*interval / 2).max(SHORTEST),
        KeyCode::Char('?' | 'h') => view.help = !view.help,
        _ => {}
    }
    true
}
