// SPDX-License-Identifier: GPL-2.0

//! What a system administrator can see: `/proc/PID/fdinfo/FD` of an open file, and debugfs.
//!
//! Process context. What is shown is taken under the lock that guards it, one item at a time, and printed
//! without; so lines of one file can be of slightly different moments, while the counters of one client are of
//! one. Lock order: the table of clients, then whatever is locked for a client or a source.

use super::{
    abi,
    client::Client,
    machine::{Mode, Policy},
    registration::Registration,
    source,
};
use core::ops::Deref;
use kernel::{
    bindings, error::from_result, ffi::c_int, fmt, prelude::*, seq_file::SeqFile, seq_print,
    str::BStr, sync::Arc,
};

mod c {
    extern "C" {
        pub(super) fn rtnotify_debugfs_init();
        pub(super) fn rtnotify_debugfs_exit();
    }
}

/// Every open file.
struct Clients {
    all: KVVec<Arc<Client>>,
    next: u64,
}

kernel::sync::global_lock! {
    // SAFETY: Initialised by `init` before the device can be used.
    unsafe(uninit) static CLIENTS: Mutex<Clients> = Clients { all: KVVec::new(), next: 1 };
}

/// Initialises the table of clients.
///
/// # Safety
///
/// Called exactly once, before anything else in this file.
pub(crate) unsafe fn init() {
    // SAFETY: Promised by the caller.
    unsafe { CLIENTS.init() };
}

/// Frees the table's memory, which a static would leave behind when the module is unloaded.
pub(crate) fn exit() {
    drop(core::mem::take(&mut CLIENTS.lock().all));
}

/// A number for a client.
pub(crate) fn next_client() -> u64 {
    let mut clients = CLIENTS.lock();
    let number = clients.next;
    clients.next += 1;
    number
}

/// Lists a client.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn add_client(client: Arc<Client>) -> Result {
    let mut clients = CLIENTS.lock();
    clients.all.push(client, GFP_KERNEL_ACCOUNT)?;
    Ok(())
}

/// Takes a client off the list; it is not looked at any more when this returns.
pub(crate) fn remove_client(number: u64) {
    CLIENTS.lock().all.retain(|client| client.number != number);
}

/// The files in debugfs; dropping this waits for their readers.
pub(crate) struct Debugfs(());

impl Debugfs {
    /// Creates them, where there is a debugfs. The tables are initialised.
    pub(crate) fn new() -> Self {
        // SAFETY: Called once, when the module is loaded.
        unsafe { c::rtnotify_debugfs_init() };
        Self(())
    }
}

impl Drop for Debugfs {
    fn drop(&mut self) {
        // SAFETY: The files were created by `new`.
        unsafe { c::rtnotify_debugfs_exit() };
    }
}

/// The names of `STATE_*` bits, separated by commas; `-` if none is set.
struct State(u32);

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in abi::Stats::STATES.iter().filter(|(bit, _)| self.0 & bit != 0) {
            f.write_str(separator)?;
            f.write_str(name)?;
            separator = ",";
        }
        if separator.is_empty() {
            f.write_str("-")?;
        }
        Ok(())
    }
}

/// A source in `key=value` form.
struct Source(abi::SourceInfo);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.0;
        let len = info.name.iter().position(|&byte| byte == 0);
        let name = BStr::from_bytes(&info.name[..len.unwrap_or(0)]);
        let source_type = match info.source_type {
            abi::SOURCE_USER => "user",
            abi::SOURCE_TIMER => "timer",
            abi::SOURCE_DRIVER => "driver",
            _ => "other",
        };
        f.write_fmt(fmt!(
            "number={} name={name} type={source_type} max_payload={} period_ns={}",
            info.number,
            info.max_payload,
            info.period_ns
        ))?;
        f.write_fmt(fmt!(
            " posted={} refused={} subscribers={}",
            info.posted,
            info.refused,
            info.subscribers
        ))
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::PerEvent => "per-event",
        Mode::Window => "window",
        Mode::Coalesced => "coalesced",
    }
}

fn policy_name(policy: Policy) -> &'static str {
    match policy {
        Policy::RejectNewest => "reject-newest",
        Policy::DropOldest => "drop-oldest",
        Policy::LatestOnly => "latest-only",
        Policy::Block => "block",
    }
}

/// `/proc/PID/fdinfo/FD`: `key:<tab>value` lines; `docs/abi.md` lists them.
pub(crate) fn show_fdinfo(out: &SeqFile, client: &Client) {
    let stats = client.stats();
    seq_print!(out, "abi:\t{}\n", abi::ABI_VERSION);
    seq_print!(out, "client:\t{}\n", client.number);
    seq_print!(out, "state:\t{}\n", State(stats.state));
    if let Some(quota) = client.look(Registration::quota) {
        seq_print!(out, "quota:\t{quota}\n");
    }
    for (name, value) in stats.counters() {
        seq_print!(out, "{name}:\t{value}\n");
    }
    for lane in 0..abi::MAX_LANES {
        let Some((config, queued, [target, failover])) = client
            .look(|r| {
                let config = r.machine.lane_config(lane)?;
                Some((config, r.machine.lane_len(lane)?, r.tids(lane)))
            })
            .flatten()
        else {
            continue;
        };
        seq_print!(
            out,
            "lane:\tsigno={} target={target} failover={failover} mode={} window={}",
            config.signo,
            mode_name(config.mode),
            config.window
        );
        seq_print!(
            out,
            " policy={} queued={queued} queue_len={}\n",
            policy_name(config.policy),
            config.queue_len
        );
    }
    for place in 0..abi::MAX_SUBSCRIPTIONS {
        if let Some((source, signo, cookie)) = client
            .look(|r| {
                let (source, lane, cookie) = r.machine.subscription(place)?;
                Some((source, r.machine.lane_config(lane)?.signo, cookie))
            })
            .flatten()
        {
            seq_print!(
                out,
                "subscription:\tsource={source} signo={signo} cookie={cookie:#x}\n"
            );
        }
    }
    for (source, _) in client.owned.lock().iter() {
        seq_print!(out, "source:\t{}\n", Source(source.info()));
    }
}

/// # Safety
///
/// `out` is being written by this thread alone.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_show_clients(out: *mut bindings::seq_file) -> c_int {
    // SAFETY: Promised by the caller.
    let out = unsafe { SeqFile::from_raw(out) };
    for client in CLIENTS.lock().all.iter().map(Deref::deref) {
        let stats = client.stats();
        seq_print!(
            out,
            "client={} pid={} uid={} state={} sources={}",
            client.number,
            client.opener.number(),
            client.charge.uid().into_uid_in_current_ns(),
            State(stats.state),
            client.owned.lock().len()
        );
        seq_print!(out, " subscriptions={}", stats.subscriptions);
        for (name, value) in stats.counters() {
            seq_print!(out, " {name}={value}");
        }
        seq_print!(out, "\n");
    }
    0
}

/// # Safety
///
/// `out` is being written by this thread alone.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_show_sources(out: *mut bindings::seq_file) -> c_int {
    // SAFETY: Promised by the caller.
    let out = unsafe { SeqFile::from_raw(out) };
    from_result(|| {
        for info in source::list(0)? {
            seq_print!(out, "{}\n", Source(info));
        }
        Ok(0)
    })
}
