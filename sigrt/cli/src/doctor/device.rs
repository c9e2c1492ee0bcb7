// SPDX-License-Identifier: MIT OR Apache-2.0

//! The module, its device, a broker, and the loopback.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgroups};
use sigrt::{Delivery, Device, Error, Mode, SourceOptions};

use super::Finding;
use crate::latency::{self, Histogram};
use crate::show;

pub(super) fn module() -> Finding {
    let what = "module";
    if !Path::new("/sys/module/rtnotify").is_dir() {
        return Finding::bad(
            what,
            "not loaded",
            "`modprobe rtnotify`; if it is not installed, see notify-kmod/ (`make`, or DKMS)",
        );
    }
    let version = fs::read_to_string("/sys/module/rtnotify/version").unwrap_or_default();
    Finding::good(what, format!("loaded {}", version.trim()).trim().to_owned())
}

pub(super) fn node(path: &Path) -> Finding {
    let what = "device node";
    let shown = path.display();
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => return Finding::bad(what, format!("{shown}: {error}"), "load the module"),
    };
    if !meta.file_type().is_char_device() {
        let mend = "name the device that the module has made";
        return Finding::bad(what, format!("{shown} is no character device"), mend);
    }
    let found = rights(path, &meta);
    if meta.mode() & 0o007 != 0 {
        let mend = "everybody may use it: 0660 and a group are what 60-rtnotify.rules sets";
        return Finding::note(what, found, mend);
    }
    Finding::good(what, found)
}

/// Mode and owners, in words.
fn rights(path: &Path, meta: &fs::Metadata) -> String {
    let user = User::from_uid(Uid::from_raw(meta.uid())).ok().flatten();
    format!(
        "{}: mode {:04o}, owner {}, group {}",
        path.display(),
        meta.mode() & 0o7777,
        user.map_or(meta.uid().to_string(), |user| user.name),
        group_name(meta.gid()),
    )
}

/// Who may connect to a broker.
pub(super) fn socket(path: &Path) -> Finding {
    let what = "socket";
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            let mend = "start a broker: `rtnotify serve`";
            return Finding::bad(what, format!("{}: {error}", path.display()), mend);
        }
    };
    let found = rights(path, &meta);
    if meta.mode() & 0o002 != 0 {
        let mend = "everybody may connect: `rtnotify serve --mode 0660` lets in a group";
        return Finding::note(what, found, mend);
    }
    Finding::good(what, found)
}

/// Whether a broker serves.
pub(super) fn broker(path: &Path) -> Finding {
    let what = "broker";
    let shown = path.display();
    let tried = Device::connect(path)
        .map_err(anyhow::Error::from)
        .and_then(|device| try_out(&device));
    let Err(error) = tried else {
        return Finding::good(what, format!("{shown}: an event made the round trip"));
    };
    let mend = match error.downcast_ref() {
        Some(Error::NoBroker { .. }) => {
            "`rtnotify serve`, or have systemd start it (docs/broker.md)"
        }
        Some(Error::Permission { .. }) => "become a member of the group that owns the socket",
        Some(Error::Limit { .. }) => "end some of this user's, or serve with more --max-clients",
        Some(Error::BrokerGone) => "it ended meanwhile: look at what it said",
        _ => "are `rtnotify` and the broker of one version?",
    };
    Finding::bad(what, format!("{shown}: {error:#}"), mend)
}

fn group_name(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    group.map_or(gid.to_string(), |group| group.name)
}

/// Whether this process is in the group that may use the device.
pub(super) fn group(path: &Path) -> Finding {
    let what = "group";
    let owner = fs::metadata(path).ok().map(|meta| meta.gid());
    let wanted = match owner {
        Some(gid) => Some(gid),
        // What the rules would give it.
        None => Group::from_name("rtnotify")
            .ok()
            .flatten()
            .map(|group| group.gid.as_raw()),
    };
    let Some(wanted) = wanted else {
        let mend =
            "`groupadd -rf rtnotify`, and install notify-kmod/60-rtnotify.rules, to let users in";
        return Finding::note(what, "there is no group rtnotify", mend);
    };
    let name = group_name(wanted);
    let mine = getgroups().unwrap_or_default();
    if mine.iter().any(|gid| gid.as_raw() == wanted) || getegid().as_raw() == wanted {
        return Finding::good(what, format!("this process is in {name}"));
    }
    if geteuid().is_root() {
        return Finding::good(what, format!("not in {name}, but root"));
    }
    let mend = format!("`usermod -aG {name} $USER`, then log in again");
    Finding::note(what, format!("this process is not in {name}"), mend)
}

pub(super) fn device(path: &Path) -> Finding {
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

pub(super) fn loopback() -> Finding {
    let what = "loopback";
    match try_out(&Device::loopback()) {
        Ok(()) => Finding::good(what, "an event made the round trip, by real signals"),
        Err(error) => Finding::bad(
            what,
            format!("{error:#}"),
            "see pidfd, /proc and sending below: the loopback needs them",
        ),
    }
}

/// Sends an event around, in each mode.
fn try_out(device: &Device) -> Result<()> {
    for mode in [Mode::PerEvent, Mode::Window, Mode::Coalesced] {
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

/// Round trips of the self-test.
const ROUNDS: u64 = 500;
/// Events of its burst.
const BURST: u64 = 20_000;

/// How fast the loopback is here: one event after the other, then as many as fit.
pub(super) fn speed() -> Finding {
    let what = "loopback speed";
    match measure() {
        Ok((late, rate)) => Finding::good(
            what,
            format!(
                "half of {ROUNDS} events arrived within {}, 99 % within {}; {BURST} at {rate:.0} events/s",
                late.quantile(500).map_or("-".into(), show::duration),
                late.quantile(990).map_or("-".into(), show::duration),
            ),
        ),
        Err(error) => Finding::bad(
            what,
            format!("{error:#}"),
            "signals are sent but do not arrive in time: is the machine overloaded?",
        ),
    }
}

fn measure() -> Result<(Histogram, f64)> {
    let device = Device::loopback();
    let source = device.create_source(SourceOptions::new("speed"))?;
    let subscription = device
        .subscription()
        .mode(Mode::PerEvent)
        .subscribe(&source)
        .start()?;
    let receive = || {
        let delivery = subscription.recv_timeout(Duration::from_secs(5));
        let delivery = delivery.context("an event did not arrive within 5 s")?;
        delivery.event().context("an event was lost")
    };
    let mut late = Histogram::default();
    for n in 0..ROUNDS {
        source.post(Some(n), b"")?;
        let event = receive()?;
        late.add(latency::now().saturating_sub(event.time));
    }
    let started = Instant::now();
    let mut received = 0;
    for n in 0..BURST {
        source.post(Some(n), b"")?;
        // Half of what the queue takes.
        while n - received >= 512 {
            receive()?;
            received += 1;
        }
    }
    while received < BURST {
        receive()?;
        received += 1;
    }
    Ok((late, BURST as f64 / started.elapsed().as_secs_f64()))
}
