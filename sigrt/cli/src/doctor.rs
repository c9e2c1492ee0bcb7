// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify doctor`: what works here, and how to mend what does not.
//!
//! Where something can be tried it is tried, rather than concluded from versions and permissions.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::resource::{Resource, getrlimit};
use serde_json::json;
use sigrt::{DEFAULT_PATH, Delivery, Device, Error, Mode, SourceOptions};

use crate::{Global, show};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Worth knowing, nothing broken.
    Note,
    Bad,
}

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
}

/// Whether everything works.
pub(crate) fn command(global: &Global) -> Result<bool> {
    let path = match global.device.as_deref() {
        None | Some("auto" | "loopback") => DEFAULT_PATH,
        Some(path) => path,
    };
    let findings = [
        kernel(),
        module(),
        device(Path::new(path)),
        loopback(),
        signals(),
        pending(),
        priority(),
    ];
    for finding in &findings {
        let state = match finding.state {
            State::Good => "ok",
            State::Note => "note",
            State::Bad => "bad",
        };
        if global.json {
            show::json(&json!({
                "check": finding.what,
                "state": state,
                "found": finding.found,
                "mend": finding.mend,
            }))?;
            continue;
        }
        show::line(&format!("{state:<5}{:<20}{}", finding.what, finding.found))?;
        if let Some(mend) = &finding.mend {
            show::line(&format!("{:<25}→ {mend}", ""))?;
        }
    }
    Ok(findings.iter().all(|finding| finding.state != State::Bad))
}

/// Major and minor number of a kernel release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn kernel() -> Finding {
    let what = "kernel";
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let need = "the module needs Linux 7.2 or newer with CONFIG_RUST=y; the loopback works on any";
    match version(release) {
        Some(found) if found >= (7, 2) => {
            let config = fs::read_to_string(format!("/boot/config-{release}"));
            match config {
                Ok(text) if !text.lines().any(|line| line == "CONFIG_RUST=y") => {
                    Finding::note(what, format!("{release}, without Rust"), need)
                }
                _ => Finding::good(what, release),
            }
        }
        _ => Finding::note(what, release, need),
    }
}

fn module() -> Finding {
    let what = "module";
    let Ok(entries) = fs::read_dir("/sys/module/rtnotify") else {
        return Finding::bad(
            what,
            "not loaded",
            "`modprobe rtnotify`; if it is not installed, see notify-kmod/ (`make`, or DKMS)",
        );
    };
    drop(entries);
    let version = fs::read_to_string("/sys/module/rtnotify/version").unwrap_or_default();
    Finding::good(what, format!("loaded {}", version.trim()).trim().to_owned())
}

fn device(path: &Path) -> Finding {
    let what = "device";
    let shown = path.display();
    let device = match Device::open(path) {
        Ok(device) => device,
        Err(Error::NoDevice { .. }) => {
            return Finding::bad(what, format!("{shown} is not there"), "load the module");
        }
        Err(error @ Error::Permission { .. }) => {
            return Finding::bad(
                what,
                error.to_string(),
                "become a member of the group that owns it (60-rtnotify.rules names `rtnotify`)",
            );
        }
        Err(error) => return Finding::bad(what, error.to_string(), "look into the kernel's log"),
    };
    match try_out(&device) {
        Ok(()) => Finding::good(what, format!("{shown}: an event made the round trip")),
        Err(error) => match error.downcast_ref() {
            Some(Error::Permission { .. }) => Finding::note(
                what,
                format!("{shown}: this user may only subscribe"),
                "to post, write permission is needed",
            ),
            _ => Finding::bad(
                what,
                format!("{shown}: {error:#}"),
                "look into the kernel's log",
            ),
        },
    }
}

fn loopback() -> Finding {
    let what = "loopback";
    match try_out(&Device::loopback()) {
        Ok(()) => Finding::good(what, "an event made the round trip"),
        Err(error) => Finding::bad(what, format!("{error:#}"), "please report this"),
    }
}

/// Sends an event around, in both modes.
fn try_out(device: &Device) -> Result<()> {
    for mode in [Mode::PerEvent, Mode::Window] {
        let name = format!("doctor-{}", std::process::id());
        let source = device.create_source(SourceOptions::new(&name))?;
        let subscription = device
            .subscription()
            .mode(mode)
            .subscribe(&source)
            .start()?;
        let payload = b"longer than what fits into a record";
        source.post(Some(7), payload)?;
        match subscription.recv_timeout(Duration::from_secs(5)) {
            Ok(Delivery::Event(event)) if event.payload == payload[..] => {}
            Ok(other) => bail!("something else arrived: {other:?}"),
            Err(_) => bail!("an event did not arrive within 5 s"),
        }
        if !subscription.stats()?.is_balanced() {
            bail!("the counters do not balance");
        }
    }
    Ok(())
}

fn signals() -> Finding {
    let (first, last) = (sigrt::sys::sigrtmin(), sigrt::sys::sigrtmax());
    Finding::good(
        "signal numbers",
        format!("SIGRTMIN {first} to SIGRTMAX {last}"),
    )
}

/// Queued signals of this user: how many there are and may be.
fn queued(status: &str) -> Option<(u64, u64)> {
    let field = status.lines().find_map(|line| line.strip_prefix("SigQ:"))?;
    let (used, limit) = field.trim().split_once('/')?;
    Some((used.parse().ok()?, limit.parse().ok()?))
}

fn pending() -> Finding {
    let what = "queued signals";
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let Some((used, limit)) = queued(&status) else {
        return Finding::note(what, "/proc/self/status does not say", "mount /proc");
    };
    let found = format!("{used} of {limit} in use by this user");
    if limit.saturating_sub(used) < 64 {
        return Finding::note(
            what,
            found,
            "nothing gets lost, but signals arrive without handles; raise RLIMIT_SIGPENDING (`ulimit -i`)",
        );
    }
    Finding::good(what, found)
}

fn priority() -> Finding {
    let what = "real-time priority";
    match getrlimit(Resource::RLIMIT_RTPRIO) {
        Ok((0, _)) => Finding::note(
            what,
            "not allowed to this user",
            "only latency suffers; to allow it raise RLIMIT_RTPRIO (limits.conf, LimitRTPRIO=)",
        ),
        Ok((limit, _)) if limit > 99 => Finding::good(what, "unlimited"),
        Ok((limit, _)) => Finding::good(what, format!("up to {limit}")),
        Err(error) => Finding::note(what, error.to_string(), "only latency suffers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(version("7.2.13-amd64"), Some((7, 2)));
        assert_eq!(version("6.12"), Some((6, 12)));
        assert_eq!(version(""), None);
        assert!(version("10.0").unwrap() > (7, 2));
    }

    #[test]
    fn the_queue_of_signals_is_read() {
        assert_eq!(queued("Name:\tx\nSigQ:\t3/95000\n"), Some((3, 95_000)));
        assert_eq!(queued("Name:\tx\n"), None);
    }
}
