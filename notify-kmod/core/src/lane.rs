// SPDX-License-Identifier: MIT OR Apache-2.0

//! A lane: the queue of one signal number, how it announces events, and what it does when it is full.
//!
//! Plain data; what happens to it is in [`super::machine`] and `overflow`.

use super::{
    abi,
    slots::{List, NONE},
};

/// How a lane announces events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One queued signal per event, at most `window` events signalled and not yet consumed.
    PerEvent,
    /// At most `window` signals outstanding; later events ride on the drain.
    Window,
    /// One signal when the lane goes from drained to non-empty, none until it has been found empty again.
    Coalesced,
}

/// What becomes of an event that finds its lane full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It is lost.
    RejectNewest,
    /// The oldest events of the lane are lost, as many as needed.
    DropOldest,
    /// Of each source only the latest event is kept, full or not.
    LatestOnly,
    /// Producers that are able to wait do so; of the others it is lost.
    Block,
}

/// What a lane is created with.
#[derive(Clone, Copy, Debug)]
pub struct LaneConfig {
    /// Signal number.
    pub signo: u16,
    /// Delivery mode.
    pub mode: Mode,
    /// Signals outstanding at most, at least 1.
    pub window: u32,
    /// Records queued at most, at least 1; at least 2 if the policy withdraws.
    pub queue_len: u32,
    /// What happens on overflow.
    pub policy: Policy,
}

impl LaneConfig {
    /// What a request asks for, with the defaults for zeros; `None` if anything is out of range. The signal
    /// number is the caller's to check.
    #[must_use]
    pub fn from_request(
        signo: u32,
        mode: u32,
        window: u32,
        queue_len: u32,
        policy: u32,
    ) -> Option<Self> {
        let policy = match policy {
            abi::POLICY_REJECT_NEWEST => Policy::RejectNewest,
            abi::POLICY_DROP_OLDEST => Policy::DropOldest,
            abi::POLICY_LATEST_ONLY => Policy::LatestOnly,
            abi::POLICY_BLOCK => Policy::Block,
            _ => return None,
        };
        let queue_len = match queue_len {
            0 => abi::DEFAULT_QUEUE,
            len => len,
        };
        // What is withdrawn leaves a gap in its place, so the newer event needs another.
        let least = if policy.withdraws() { 2 } else { 1 };
        if !(least..=abi::MAX_QUEUE).contains(&queue_len) {
            return None;
        }
        let signo = u16::try_from(signo).ok()?;
        let (mode, window) = announcement(
            signo,
            Mode::from_request(mode)?,
            window_from_request(window)?,
        )?;
        Some(Self {
            signo,
            mode,
            window,
            queue_len,
            policy,
        })
    }
}

impl Policy {
    /// Whether events that are queued already can be lost to it.
    #[must_use]
    pub fn withdraws(self) -> bool {
        matches!(self, Policy::DropOldest | Policy::LatestOnly)
    }
}

impl Mode {
    /// The mode of that number in the ABI.
    #[must_use]
    pub fn from_request(mode: u32) -> Option<Self> {
        match mode {
            abi::MODE_PER_EVENT => Some(Mode::PerEvent),
            abi::MODE_WINDOW => Some(Mode::Window),
            abi::MODE_COALESCED => Some(Mode::Coalesced),
            _ => None,
        }
    }
}

/// How a lane of that signal number announces events when it is asked for `mode` and `window`; `None` if it
/// cannot. A standard signal names no event and has a window of 1; see [`abi::is_standard_signal`].
#[must_use]
pub fn announcement(signo: u16, mode: Mode, window: u32) -> Option<(Mode, u32)> {
    if !abi::is_standard_signal(signo.into()) {
        return Some((mode, window));
    }
    (mode != Mode::PerEvent).then_some((mode, 1))
}

/// A window, or the default for 0; `None` if it is too large.
#[must_use]
pub fn window_from_request(window: u32) -> Option<u32> {
    match window {
        0 => Some(abi::DEFAULT_WINDOW),
        1..=abi::MAX_WINDOW => Some(window),
        _ => None,
    }
}

/// Why a lane cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneError {
    /// The registration has a lane of that number already.
    Exists,
    /// There are [`super::abi::MAX_LANES`] lanes already.
    TooMany,
    /// The lanes' queues would exceed the capacity of the registration.
    Capacity,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) config: LaneConfig,
    pub(super) list: List,
    /// Records among those on the list that are not events.
    pub(super) notes: u32,
    /// Places kept by `Machine::reserve`.
    pub(super) reserved: u32,
    /// First slot that no signal has announced (per-event mode), or `NONE`.
    pub(super) unsignalled: u32,
    /// Per event: signalled and not consumed. Window: sent since the target last had none pending.
    pub(super) outstanding: u32,
    /// Per event: consumed by `read` although their signal was sent, so it may still be pending. They keep
    /// their place in the window until the target has none pending, or a consumer that never takes its
    /// signals would fill the limit on queued ones.
    pub(super) ghosts: u32,
    /// Window and coalesced mode: something was queued that no doorbell has been rung for.
    pub(super) unannounced: bool,
    /// Coalesced mode: the lane was found empty and no doorbell has been rung since.
    pub(super) armed: bool,
    /// A signal was refused and nothing was consumed since.
    pub(super) refused: bool,
    /// Subscriptions of this lane with a gap or an end that is not on the list yet.
    pub(super) pending_notes: u32,
    /// Records on the list that a reader holds.
    pub(super) claimed: u32,
    /// A reader found nothing but claimed records, or asked for one of them by handle.
    pub(super) turned_away: bool,
    /// A record came back after a reader had been turned away from it: its signal may have been taken in
    /// vain, so fallback doorbells and nothing else are rung until somebody has drained. A handle sent
    /// meanwhile would merge with a valueless doorbell that left only its pending bit, and replace it.
    pub(super) recall: bool,
    /// Its records go into a shared ring, and cannot be claimed.
    pub(super) is_published: bool,
    /// Records on the list that are in the ring: the oldest.
    pub(super) published: u32,
    /// The first that is not, or `NONE`.
    pub(super) unpublished: u32,
}

impl Lane {
    pub(super) fn new(config: LaneConfig) -> Self {
        Self {
            config,
            list: List::default(),
            notes: 0,
            reserved: 0,
            unsignalled: NONE,
            outstanding: 0,
            ghosts: 0,
            unannounced: false,
            armed: true,
            refused: false,
            pending_notes: 0,
            claimed: 0,
            turned_away: false,
            recall: false,
            is_published: false,
            published: 0,
            unpublished: NONE,
        }
    }

    pub(super) fn room(&self) -> u32 {
        self.config.queue_len - self.list.len - self.reserved
    }

    /// Everything but the list itself as if no signal had ever been sent; `first` is the first record that
    /// needs one.
    pub(super) fn forget_signals(&mut self, first: u32) {
        self.unsignalled = first;
        self.outstanding = 0;
        self.ghosts = 0;
        self.refused = false;
        self.recall = false;
        self.armed = true;
        self.unannounced = first != NONE;
    }
}
