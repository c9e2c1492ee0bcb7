// SPDX-License-Identifier: MIT OR Apache-2.0

//! Lanes that are published to a shared ring instead of being claimed: the caller puts each record into the ring,
//! and consumes as many as the other side says it is done with.

use super::{
    abi::Record,
    lane::{Mode, Policy},
    machine::{Consumer, Machine, Storage},
    pool::Block,
    slots::NONE,
};

/// Why a lane cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// It is already, or has something queued that nobody could claim any more.
    Busy,
    /// What a ring shows cannot be withdrawn or be announced one by one. Producers are waited for only in coalesced
    /// mode: that a ring has been read is heard when the lane is armed.
    Impossible,
}

impl<S: Storage> Machine<S> {
    /// From now on the lane is published. An empty lane that rejects the newest and is not in per-event mode can
    /// be, and one that has producers wait in coalesced mode.
    ///
    /// # Errors
    ///
    /// See [`PublishError`].
    pub fn start_publishing(&mut self, index: usize) -> Result<(), PublishError> {
        let Some(Some(lane)) = self.lanes.get_mut(index) else {
            return Err(PublishError::Impossible);
        };
        if !may_publish(lane.config.policy, lane.config.mode) {
            return Err(PublishError::Impossible);
        }
        if lane.is_published || lane.list.len > 0 {
            return Err(PublishError::Busy);
        }
        lane.is_published = true;
        Ok(())
    }

    /// Whether the lane could be published if it announced events in that mode.
    #[must_use]
    pub fn publishes_in(&self, index: usize, mode: Mode) -> bool {
        matches!(self.lanes.get(index), Some(Some(lane)) if may_publish(lane.config.policy, mode))
    }

    /// Whether the lane is published.
    #[must_use]
    pub fn is_published(&self, index: usize) -> bool {
        matches!(self.lanes.get(index), Some(Some(lane)) if lane.is_published)
    }

    /// The next record to put into the ring, and where its payload lies in the arena.
    pub fn publish(&mut self, index: usize) -> Option<(Record, usize)> {
        let lane = self.lanes.get_mut(index)?.as_mut()?;
        let slot = lane.unpublished;
        if slot == NONE {
            return None;
        }
        lane.unpublished = self.slots.next(slot);
        lane.published += 1;
        let s = self.slots.get(slot);
        Some((s.record, s.block.as_ref().map_or(0, Block::offset)))
    }

    /// Consumes up to `count` of the oldest published records. Returns how many; fewer only if there are no more.
    /// The lane may have something to publish and to ring for afterwards.
    pub fn advance(&mut self, index: usize, count: u32) -> u32 {
        let mut done = 0;
        while done < count {
            let Some(Some(lane)) = self.lanes.get_mut(index) else {
                break;
            };
            if lane.published == 0 {
                break;
            }
            lane.published -= 1;
            lane.refused = false;
            let slot = lane.list.head;
            self.counters.consumed += u64::from(self.slots.get(slot).record.is_event());
            self.remove(slot, Consumer::Read);
            done += 1;
        }
        if done > 0 {
            self.flush_notes(index);
        }
        done
    }
}

fn may_publish(policy: Policy, mode: Mode) -> bool {
    match policy {
        Policy::RejectNewest => mode != Mode::PerEvent,
        Policy::Block => mode == Mode::Coalesced,
        Policy::DropOldest | Policy::LatestOnly => false,
    }
}
