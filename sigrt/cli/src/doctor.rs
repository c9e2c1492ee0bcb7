// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify doctor`: what works here, and how to mend what does not.
//!
//! Where something can be tried it is tried, rather than concluded from versions and permissions.

mod device;
mod system;

use anyhow::Result;
use serde_json::json;

use crate::cli::Global;
use crate::connect;
use crate::show::{self, Colour};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify doctor
  rtnotify doctor --device /dev/rtnotify --json
  rtnotify doctor --device /run/rtnotify.sock # a broker's socket

With --json a line is a check: check, state (ok, note, bad), found, mend.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// Worth knowing, nothing broken.
    Note,
    Bad,
}

/// The result of one check.
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    mend: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            state: State::Good,
            found: found.into(),
            mend: None,
        }
    }

    fn note(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            state: State::Note,
            mend: Some(mend.into()),
            ..Self::good(what, found)
        }
    }

    fn bad(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            state: State::Bad,
            ..Self::note(what, found, mend)
        }
    }

    fn print(&self, global: &Global) -> Result<()> {
        let (state, colour) = match self.state {
            State::Good => ("ok", Colour::Good),
            State::Note => ("note", Colour::Note),
            State::Bad => ("bad", Colour::Bad),
        };
        if global.json {
            show::json(&json!({
                "check": self.what,
                "state": state,
                "found": self.found,
                "mend": self.mend,
            }))?;
            return Ok(());
        }
        let state = show::paint(colour, &format!("{state:<5}"));
        show::line(&format!("{state}{:<20}{}", self.what, self.found))?;
        if let Some(mend) = &self.mend {
            show::line(&format!("{:<25}→ {mend}", ""))?;
        }
        Ok(())
    }
}

/// Whether nothing is bad.
pub(crate) fn command(global: &Global) -> Result<bool> {
    let node = global.place.node();
    let of_module: [&dyn Fn() -> Finding; 5] = [
        &system::kernel,
        &device::module,
        &|| device::node(node),
        &|| device::group(node),
        &|| device::device(node),
    ];
    let of_broker: [&dyn Fn() -> Finding; 3] =
        [&|| device::socket(node), &|| device::group(node), &|| {
            device::broker(node)
        }];
    // With a broker, neither the module nor its kernel is needed.
    let of_device = if connect::is_socket(node) {
        &of_broker[..]
    } else {
        &of_module[..]
    };
    let of_host: [&dyn Fn() -> Finding; 11] = [
        &device::loopback,
        &device::speed,
        &system::numbers,
        &system::pending,
        &system::sending,
        &system::priority,
        &system::pidfd,
        &system::proc,
        &system::ptrace,
        &system::seccomp,
        &system::container,
    ];
    let mut bad = 0;
    for check in of_device.iter().chain(&of_host) {
        let finding = check();
        bad += u32::from(finding.state == State::Bad);
        // As they are found: some take a moment.
        finding.print(global)?;
    }
    if !global.json {
        show::remark(&match bad {
            0 => "nothing is bad".to_owned(),
            1 => "1 thing is bad".to_owned(),
            bad => format!("{bad} things are bad"),
        });
    }
    Ok(bad == 0)
}
