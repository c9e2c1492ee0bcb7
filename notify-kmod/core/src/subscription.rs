// SPDX-License-Identifier: MIT OR Apache-2.0

//! A subscription of a registration to a source: where its events go, which of them, and what was lost.

use super::abi;

/// Which events of a source a subscription wants. A convenience, not a boundary: the source sees none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// First kind that passes.
    pub kind_first: u16,
    /// Last kind that passes.
    pub kind_last: u16,
    /// Bits of the value that matter.
    pub value_mask: u64,
    /// What those bits must be.
    pub value_match: u64,
}

impl Default for Filter {
    /// Everything passes.
    fn default() -> Self {
        Self {
            kind_first: 0,
            kind_last: u16::MAX,
            value_mask: 0,
            value_match: 0,
        }
    }
}

impl Filter {
    /// What a request asks for, or `None` if its flags and fields do not fit together.
    #[must_use]
    pub fn from_request(request: &abi::Subscribe) -> Option<Self> {
        let filter = Self {
            kind_first: request.kind_first,
            kind_last: request.kind_last,
            value_mask: request.value_mask,
            value_match: request.value_match,
        };
        if request.flags & !abi::SUB_FLAGS != 0
            || request.reserved != 0
            || (request.flags & abi::SUB_COOKIE == 0 && request.cookie != 0)
        {
            return None;
        }
        if request.flags & abi::SUB_FILTER != 0 {
            // One that nothing can pass is a mistake.
            let possible = filter.kind_first <= filter.kind_last
                && filter.kind_first < abi::FIRST_RESERVED_KIND
                && filter.value_match & !filter.value_mask == 0;
            return possible.then_some(filter);
        }
        let nothing = Self {
            kind_first: 0,
            kind_last: 0,
            value_mask: 0,
            value_match: 0,
        };
        (filter == nothing).then(Self::default)
    }

    /// Whether an event passes; one without a value has 0.
    #[must_use]
    pub fn passes(&self, kind: u16, value: Option<u64>) -> bool {
        (self.kind_first..=self.kind_last).contains(&kind)
            && value.unwrap_or(0) & self.value_mask == self.value_match
    }
}

/// One subscription of the registration to a source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subscription {
    pub(super) source: u32,
    pub(super) lane: u8,
    pub(super) in_use: bool,
    pub(super) cookie: u64,
    pub(super) filter: Filter,
    pub(super) gap: Option<Gap>,
    /// The source has ended, and the record that says so is not in the stream yet.
    pub(super) gone: Option<Gone>,
}

/// What posting takes from a subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posting {
    pub(super) source: u32,
    pub(super) lane: u8,
    pub(super) cookie: u64,
}

impl Subscription {
    /// Whether another subscription can take this place.
    pub(super) fn is_free(&self) -> bool {
        !self.in_use && !self.has_note()
    }

    /// What posting takes from it.
    pub(super) fn posting(&self) -> Posting {
        Posting {
            source: self.source,
            lane: self.lane,
            cookie: self.cookie,
        }
    }

    /// Whether something about the source waits for room in the lane.
    pub(super) fn has_note(&self) -> bool {
        self.gap.is_some() || self.gone.is_some()
    }
}

/// Consecutive losses of one source, not yet in the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: u32,
    pub(super) reason: u16,
    pub(super) time_ns: u64,
}

/// The end of a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    pub(super) last: u64,
    pub(super) time_ns: u64,
}

/// Names a subscription to [`super::machine::Machine::post`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionId(pub(super) u8);

impl SubscriptionId {
    /// Its place, for [`super::machine::Machine::subscription`].
    #[must_use]
    pub fn place(self) -> usize {
        self.0.into()
    }
}
