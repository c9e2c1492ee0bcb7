// SPDX-License-Identifier: MIT OR Apache-2.0

//! Each public function by itself, and each bug that the random tests have found.

mod common;

use common::{pump, Heap, Pending, Shape, Target, COOKIE, SIGNO};
use proptest::prelude::*;
use rtnotify_core::{
    abi::{self, Record},
    handle::{self, Numbering, NUMBER_BITS, OFFSET_BITS},
    machine::{
        Consumer, Counters, Event, Loss, Machine, Mode, Outcome, Signal, SubscribeError,
        SubscriptionId,
    },
    pool::{Block, Pool, PoolError, Unit, UNIT},
    slots::HandleError,
};

fn event(source_seq: u64) -> Event<'static> {
    Event {
        source_seq,
        kind: 0,
        time_ns: source_seq,
        value: None,
        payload: &[],
    }
}

fn post(m: &mut Machine<Heap>, id: SubscriptionId, source_seq: u64) -> Result<(), Loss> {
    m.post(id, &event(source_seq), |_| {}).1
}

/// What is queued, read to the end: kind and source number.
fn read(m: &mut Machine<Heap>) -> Vec<(u16, u64)> {
    let mut out = Vec::new();
    while let Some(claim) = m.claim() {
        out.push((claim.record.kind, claim.record.source_seq));
        m.consume(claim, Consumer::Read);
    }
    out
}

const GAP: u16 = abi::KIND_GAP;

// Machine.

#[test]
fn a_new_machine_is_empty() {
    let mut m = Shape::new(Mode::Window, 1, 4).machine();
    assert!(m.is_empty() && !m.is_refused() && m.claim().is_none());
    assert_eq!(
        (m.queued(), m.quota_used(), m.subscription_count()),
        (0, 0, 0)
    );
    assert_eq!(*m.counters(), Counters::default());
    assert_eq!(m.next_signal(0, false), None);
    assert_eq!(m.next_signal(1, false), None);
    assert_eq!(m.next_signal(99, false), None);
    assert!(!m.needs_pending(0) && !m.needs_pending(99));
    assert!(!m.signal_result(99, Signal::Fallback, Outcome::Sent));
    assert_eq!(m.lane_of(0), Some(0));
    assert_eq!(m.lane_of(u32::from(SIGNO)), Some(0));
    assert_eq!(m.lane_of(u32::from(SIGNO) + 1), None);
    m.counters_mut().spurious += 1;
    assert_eq!(m.counters().spurious, 1);
    assert_eq!(m.discard(), 0);
}

#[test]
fn subscriptions_are_checked() {
    let mut m = Shape::new(Mode::Window, 1, 4).machine();
    assert_eq!(m.subscribe(1, 1, None), Err(SubscribeError::NotFound));
    assert_eq!(m.subscribe(1, 99, None), Err(SubscribeError::NotFound));
    assert_eq!(m.unsubscribe(1), Err(SubscribeError::NotFound));
    for source in 1..=4 {
        m.subscribe(source, 0, None).unwrap();
    }
    assert_eq!(m.subscribe(1, 0, None), Err(SubscribeError::Exists));
    assert_eq!(m.subscribe(5, 0, None), Err(SubscribeError::Full));
    m.unsubscribe(2).unwrap();
    assert_eq!(m.subscription_count(), 3);
    let id = m.subscribe(5, 0, Some(9)).unwrap();
    post(&mut m, id, 1).unwrap();
    let claim = m.claim().unwrap();
    assert_eq!((claim.record.source, claim.record.cookie), (5, 9));
    m.unclaim(claim);
}

#[test]
fn the_payload_travels_in_the_value_or_behind_the_record() {
    let shape = Shape::new(Mode::PerEvent, 4, 8);
    let (mut m, mut arena) = (shape.machine(), shape.arena());
    let id = m.subscribe(3, 0, None).unwrap();
    let cases: [(&[u8], Option<u64>, u16, usize); 4] = [
        (b"12345678", None, abi::RECORD_INLINE, 0),
        (b"123456789", None, 0, 9),
        (b"abc", Some(5), abi::RECORD_VALUE, 3),
        (b"", Some(5), abi::RECORD_VALUE, 0),
    ];
    for (payload, value, flags, trailing) in cases {
        let event = Event {
            payload,
            value,
            kind: 2,
            ..event(1)
        };
        m.post(id, &event, |p| arena[p].copy_from_slice(payload))
            .1
            .unwrap();
        let claim = m.claim().unwrap();
        let r = claim.record;
        assert_eq!(
            (r.flags, r.trailing_len(), r.payload_len),
            (flags, trailing, payload.len() as u32)
        );
        assert_eq!((r.kind, r.cookie, r.signo, r.reason), (2, COOKIE, SIGNO, 0));
        if flags & abi::RECORD_INLINE == 0 {
            assert_eq!(&arena[claim.place.clone()], payload);
            assert_eq!(r.value, value.unwrap_or(0));
        } else {
            assert_eq!(r.value.to_ne_bytes()[..], *payload);
        }
        m.consume(claim, Consumer::Read);
    }
    assert_eq!(m.counters().high_water, 1);
}

#[test]
fn each_loss_has_its_reason_and_gaps_add_up() {
    let mut shape = Shape::new(Mode::Window, 1, 3);
    shape.units = 1;
    let mut m = shape.machine();
    let id = m.subscribe(3, 0, None).unwrap();
    let large = [0; UNIT + 1];
    let fits = &large[..UNIT];
    let send = |m: &mut Machine<Heap>, seq, payload| {
        m.post(
            id,
            &Event {
                payload,
                ..event(seq)
            },
            |_| {},
        )
        .1
    };
    assert_eq!(send(&mut m, 1, fits), Ok(()));
    assert_eq!(m.quota_used(), UNIT);
    // Room for two: the gap goes out at once.
    assert_eq!(send(&mut m, 2, fits), Err(Loss::Quota));
    // Room for one, which is kept for the event after the gap.
    assert_eq!(send(&mut m, 3, &large), Err(Loss::TooLarge));
    assert_eq!(send(&mut m, 4, &[]), Err(Loss::QueueFull));
    let claim = m.claim().unwrap();
    m.consume(claim, Consumer::Read);
    let gap = m.claim().unwrap();
    assert_eq!(gap.record.reason, abi::LOST_QUOTA);
    assert!(gap.record.is_gap() && gap.place.is_empty());
    m.consume(gap, Consumer::Read);
    let gap = m.claim().unwrap();
    let r = gap.record;
    assert_eq!(r.reason, abi::LOST_TOO_LARGE | abi::LOST_QUEUE_FULL);
    assert_eq!(
        (r.source_seq, r.value, r.payload_len, r.time_ns, r.seq),
        (3, 4, 2, 3, 3)
    );
    m.consume(gap, Consumer::Read);
    let c = m.counters();
    assert_eq!(
        (c.lost_quota, c.lost_too_large, c.lost_queue_full, c.gaps),
        (1, 1, 1, 2)
    );
    assert_eq!((c.posted, c.consumed), (4, 1));
}

#[test]
fn what_is_too_long_for_a_handle_is_too_large() {
    let mut shape = Shape::new(Mode::Window, 1, 3);
    shape.units = 1 << 16;
    let mut m = shape.machine();
    let id = m.subscribe(3, 0, None).unwrap();
    let payload = vec![0; abi::MAX_PAYLOAD + 1];
    let too_long = Event {
        payload: &payload,
        ..event(1)
    };
    assert_eq!(m.post(id, &too_long, |_| {}).1, Err(Loss::TooLarge));
    let longest = Event {
        payload: &payload[1..],
        ..event(2)
    };
    assert_eq!(m.post(id, &longest, |_| {}).1, Ok(()));
}

#[test]
fn a_producer_cannot_forge_a_gap() {
    let mut m = Shape::new(Mode::Window, 1, 3).machine();
    let id = m.subscribe(3, 0, None).unwrap();
    m.post(
        id,
        &Event {
            kind: GAP,
            ..event(1)
        },
        |_| {},
    )
    .1
    .unwrap();
    assert_eq!(m.queued(), 1);
    assert_eq!(read(&mut m), [(abi::KIND_EVENT, 1)]);
    assert_eq!((m.counters().consumed, m.counters().gaps), (1, 0));
}

#[test]
fn an_ended_subscription_takes_nothing() {
    let mut m = Shape::new(Mode::Window, 1, 3).machine();
    let id = m.subscribe(3, 0, None).unwrap();
    m.unsubscribe(3).unwrap();
    assert_eq!(post(&mut m, id, 1), Ok(()));
    assert!(m.is_empty());
    assert_eq!(m.counters().posted, 0);
}

#[test]
fn a_gap_of_an_ended_subscription_stays_before_later_events() {
    let mut m = Shape::new(Mode::Window, 1, 2).machine();
    let id = m.subscribe(3, 0, Some(1)).unwrap();
    assert_eq!(post(&mut m, id, 1), Ok(()));
    assert_eq!(post(&mut m, id, 2), Ok(()));
    assert_eq!(post(&mut m, id, 3), Err(Loss::QueueFull));
    m.unsubscribe(3).unwrap();
    let id = m.subscribe(3, 0, Some(2)).unwrap();
    let claim = m.claim().unwrap();
    m.consume(claim, Consumer::Read);
    // There is room for one, but 3 has to be reported first.
    assert_eq!(post(&mut m, id, 4), Err(Loss::QueueFull));
    assert_eq!(read(&mut m), [(0, 2), (GAP, 3), (GAP, 4)]);
    assert_eq!(post(&mut m, id, 5), Ok(()));
    assert_eq!(read(&mut m), [(0, 5)]);
}

#[test]
fn discard_leaves_an_event_with_its_reader() {
    for consume in [true, false] {
        let shape = Shape::new(Mode::PerEvent, 4, 4);
        let (mut m, mut target) = (shape.machine(), Target::new(8));
        let id = m.subscribe(3, 0, None).unwrap();
        let payload = [7; 100];
        let with_payload = Event {
            payload: &payload,
            ..event(1)
        };
        m.post(id, &with_payload, |_| {}).1.unwrap();
        post(&mut m, id, 2).unwrap();
        pump(&mut m, &mut target);
        let claim = m.claim().unwrap();
        assert_eq!(m.discard(), 1);
        assert_eq!((m.queued(), m.subscription_count()), (1, 0));
        // Its place is not given to anybody else meanwhile.
        let id = m.subscribe(4, 0, None).unwrap();
        let mut place = 0..0;
        m.post(id, &with_payload, |p| place = p).1.unwrap();
        assert!(place.start >= claim.place.start + 128 || place.end <= claim.place.start);
        if consume {
            m.consume(claim, Consumer::Read);
        } else {
            m.unclaim(claim);
        }
        assert_eq!(read(&mut m).len(), 1);
        let c = m.counters();
        assert_eq!(
            (c.consumed, c.lost_discarded),
            if consume { (2, 1) } else { (1, 2) }
        );
        assert_eq!((c.posted, m.quota_used()), (3, 0));
    }
}

#[test]
fn nothing_is_sent_for_what_a_discard_left_behind() {
    for mode in [Mode::PerEvent, Mode::Window] {
        let mut m = Shape::new(mode, 1, 4).machine();
        let id = m.subscribe(3, 0, None).unwrap();
        post(&mut m, id, 1).unwrap();
        let claim = m.claim().unwrap();
        m.discard();
        assert_eq!(m.next_signal(0, false), None);
        m.reset_signals(0);
        assert_eq!(m.next_signal(0, false), None);
        m.unclaim(claim);
        assert_eq!(m.next_signal(0, false), None);
        assert!(m.is_empty());
    }
}

#[test]
fn a_reader_turned_away_is_called_back() {
    for mode in [Mode::PerEvent, Mode::Window] {
        let shape = Shape::new(mode, 2, 4);
        let (mut m, mut target) = (shape.machine(), Target::new(8));
        let id = m.subscribe(3, 0, None).unwrap();
        post(&mut m, id, 1).unwrap();
        pump(&mut m, &mut target);
        let held = m.claim().unwrap();
        let Some(Pending::Handle(handle)) = target.take() else {
            panic!("no signal");
        };
        assert!(m.claim().is_none());
        assert_eq!(m.claim_handle(handle).err(), Some(HandleError::Busy));
        m.unclaim(held);
        assert_eq!(pump(&mut m, &mut target), [Signal::Fallback]);
        // Nothing else is sent, or it could merge with the doorbell.
        post(&mut m, id, 2).unwrap();
        assert_eq!(pump(&mut m, &mut target), []);
        target.take();
        assert_eq!(read(&mut m), [(0, 1), (0, 2)]);
        assert_eq!(pump(&mut m, &mut target), []);
        post(&mut m, id, 3).unwrap();
        assert!(matches!(
            pump(&mut m, &mut target)[..],
            [Signal::Queued { .. }]
        ));
    }
}

#[test]
fn a_reader_that_puts_back_what_nobody_missed_rings_nothing() {
    for mode in [Mode::PerEvent, Mode::Window] {
        let shape = Shape::new(mode, 2, 4);
        let (mut m, mut target) = (shape.machine(), Target::new(8));
        let id = m.subscribe(3, 0, None).unwrap();
        post(&mut m, id, 1).unwrap();
        pump(&mut m, &mut target);
        target.take();
        let claim = m.claim().unwrap();
        m.unclaim(claim);
        assert_eq!(pump(&mut m, &mut target), []);
    }
}

#[test]
fn a_signal_sent_during_a_claim_keeps_its_place() {
    let shape = Shape::new(Mode::PerEvent, 1, 4);
    let (mut m, mut target) = (shape.machine(), Target::new(8));
    let id = m.subscribe(3, 0, None).unwrap();
    post(&mut m, id, 1).unwrap();
    post(&mut m, id, 2).unwrap();
    pump(&mut m, &mut target);
    let Some(Pending::Handle(handle)) = target.take() else {
        panic!("no signal");
    };
    let (claim, _) = m.claim_handle(handle).unwrap();
    // Another target: what is queued is announced to it anew.
    m.reset_signals(0);
    pump(&mut m, &mut target);
    m.consume(claim, Consumer::Handle);
    assert_eq!(pump(&mut m, &mut target), []);
    assert_eq!(target.take(), Some(Pending::Handle(handle)));
    assert_eq!(m.claim_handle(handle).err(), Some(HandleError::Stale));
    assert_eq!(pump(&mut m, &mut target).len(), 1);
}

#[test]
fn a_result_told_too_late_does_not_cost_the_window() {
    let shape = Shape::new(Mode::PerEvent, 1, 4);
    let mut m = shape.machine();
    let id = m.subscribe(3, 0, None).unwrap();
    post(&mut m, id, 1).unwrap();
    let signal = m.next_signal(0, false).unwrap();
    assert_eq!(read(&mut m).len(), 1);
    assert!(m.signal_result(0, signal, Outcome::Sent));
    post(&mut m, id, 2).unwrap();
    assert_eq!(m.next_signal(0, true), None);
    assert!(matches!(
        m.next_signal(0, false),
        Some(Signal::Queued { .. })
    ));
}

#[test]
fn a_refused_signal_is_made_good_by_the_fallback() {
    for mode in [Mode::PerEvent, Mode::Window] {
        let shape = Shape::new(mode, 4, 4);
        let (mut m, mut target) = (shape.machine(), Target::new(0));
        let id = m.subscribe(3, 0, None).unwrap();
        post(&mut m, id, 1).unwrap();
        assert_eq!(pump(&mut m, &mut target), [Signal::Fallback]);
        assert!(m.is_refused());
        post(&mut m, id, 2).unwrap();
        assert_eq!(pump(&mut m, &mut target), []);
        assert_eq!(target.take(), Some(Pending::Bare));
        target.limit = 8;
        assert_eq!(read(&mut m).len(), 2);
        assert!(!m.is_refused());
        let c = m.counters();
        assert_eq!((c.signals_refused, c.fallbacks, c.signals_sent), (1, 1, 0));
    }
}

#[test]
fn a_refused_lane_does_not_ring_for_what_a_reader_holds() {
    for mode in [Mode::PerEvent, Mode::Window] {
        let shape = Shape::new(mode, 4, 4);
        let (mut m, mut target) = (shape.machine(), Target::new(0));
        let id = m.subscribe(3, 0, None).unwrap();
        post(&mut m, id, 1).unwrap();
        assert_eq!(pump(&mut m, &mut target), [Signal::Fallback]);
        let claim = m.claim().unwrap();
        target.take();
        assert_eq!(pump(&mut m, &mut target), []);
        m.unclaim(claim);
        assert_eq!(pump(&mut m, &mut target), [Signal::Fallback]);
    }
}

#[test]
fn without_a_target_events_are_kept_until_there_is_one() {
    for mode in [Mode::PerEvent, Mode::Window] {
        let shape = Shape::new(mode, 1, 4);
        let (mut m, mut target) = (shape.machine(), Target::new(8));
        target.alive = false;
        let id = m.subscribe(3, 0, None).unwrap();
        post(&mut m, id, 1).unwrap();
        assert_eq!(pump(&mut m, &mut target), []);
        target.alive = true;
        m.reset_signals(0);
        assert_eq!(pump(&mut m, &mut target).len(), 1);
    }
}

#[test]
fn window_mode_coalesces() {
    let shape = Shape::new(Mode::Window, 2, 8);
    let (mut m, mut target) = (shape.machine(), Target::new(8));
    let id = m.subscribe(3, 0, None).unwrap();
    for seq in 1..=5 {
        post(&mut m, id, seq).unwrap();
        pump(&mut m, &mut target);
    }
    let c = m.counters();
    assert_eq!((c.signals_sent, c.coalesced), (2, 3));
    assert!(!m.needs_pending(0));
}

#[test]
fn counters_add_up() {
    let a = Counters {
        posted: 3,
        high_water: 9,
        ..Counters::default()
    };
    let b = Counters {
        high_water: 4,
        failovers: 1,
        ..a
    };
    let sum = a.plus(b);
    assert_eq!((sum.posted, sum.high_water, sum.failovers), (6, 9, 1));
    let stats = sum.stats(2, 64, abi::STATE_REGISTERED, 1);
    assert_eq!((stats.size, stats.posted, stats.queued), (192, 6, 2));
    assert_eq!(
        (stats.quota_used, stats.state, stats.subscriptions),
        (64, 1, 1)
    );
}

// Handles.

#[test]
fn handles_of_one_registration_mean_nothing_to_another() {
    let mut shape = Shape::new(Mode::PerEvent, 1, 4);
    let mut a = shape.machine();
    shape.base = 0x3ff_0000_0000;
    let mut b = shape.machine();
    for m in [&mut a, &mut b] {
        let id = m.subscribe(1, 0, None).unwrap();
        post(m, id, 1).unwrap();
    }
    let claim = a.claim().unwrap();
    let handle = claim.record.handle;
    assert_eq!(b.claim_handle(handle).err(), Some(HandleError::Stale));
    a.consume(claim, Consumer::Read);
    assert_eq!(a.claim_handle(handle).err(), Some(HandleError::Stale));
    for never in [0, 1 << 20, 1 << 63, u64::MAX, u64::MAX >> 1] {
        assert_eq!(
            a.claim_handle(never).err(),
            Some(HandleError::Invalid),
            "{never:x}"
        );
    }
    assert_eq!((a.counters().stale, b.counters().stale), (6, 1));
}

/// Numbers run over the end of their 42 bits, leave out the two unusable ones, and never repeat.
#[test]
fn numbering_wraps_around() {
    for slots in [1, 2, 3, 16] {
        for base in (1u64 << NUMBER_BITS) - 40..(1 << NUMBER_BITS) {
            let mut shape = Shape::new(Mode::PerEvent, 1, slots);
            shape.base = base;
            let mut m = shape.machine();
            let id = m.subscribe(1, 0, None).unwrap();
            let mut seen = Vec::new();
            for seq in 1..=60 {
                post(&mut m, id, seq).unwrap();
                let claim = m.claim().unwrap();
                let handle = claim.record.handle;
                let parts = handle::unpack(handle).unwrap();
                assert_eq!(parts.offset, 0);
                assert!(parts.number != 0 && parts.number < (1 << NUMBER_BITS) - 1);
                assert!(!seen.contains(&handle));
                seen.push(handle);
                m.unclaim(claim);
                let (claim, offset) = m.claim_handle(handle + 5).unwrap();
                assert_eq!((offset, claim.record.source_seq), (5, seq));
                m.consume(claim, Consumer::Handle);
            }
        }
    }
}

proptest! {
    #[test]
    fn numbering_is_undone(slots in 1usize..70_000, base: u64, generation: u64, slot: u32) {
        let numbering = Numbering::new(slots, base);
        let slot = slot % slots as u32;
        if let Some(number) = numbering.number(slot, generation) {
            prop_assert_eq!(numbering.slot(number), slot);
            let parts = handle::unpack(handle::pack(number) + 77).unwrap();
            prop_assert_eq!((parts.number, parts.offset), (number, 77));
        }
    }

    #[test]
    fn unpacking_takes_everything_or_nothing(h: u64) {
        match handle::unpack(h) {
            Some(p) => {
                prop_assert_eq!(handle::pack(p.number) | p.offset as u64, h);
                prop_assert!(i64::try_from(h + (1 << OFFSET_BITS)).is_ok());
            }
            None => prop_assert!(h >> 63 == 1 || h >> OFFSET_BITS == 0 || h >> OFFSET_BITS == (1 << NUMBER_BITS) - 1),
        }
    }

    #[test]
    fn records_survive_as_bytes(bytes in prop::array::uniform32(any::<[u8; 2]>())) {
        let bytes: [u8; 64] = bytes.concat().try_into().unwrap();
        let record = Record::from_bytes(&bytes);
        prop_assert_eq!(record.to_bytes(), bytes);
        prop_assert_eq!(record.frame_len() % abi::FRAME_ALIGN, 0);
        prop_assert!(record.frame_len() >= Record::BYTES + record.trailing_len());
    }
}

// Pool.

fn units(n: usize) -> Vec<Unit> {
    vec![Unit::default(); n]
}

/// The sizes that can be had from an empty pool, one after the other, largest first.
fn fill(pool: &mut Pool<Vec<Unit>>, total: usize) -> Vec<(usize, Block)> {
    let mut out = Vec::new();
    for order in (0..=total.ilog2()).rev() {
        while let Ok(block) = pool.alloc(UNIT << order) {
            out.push((1 << order, block));
        }
    }
    out
}

#[test]
fn an_empty_arena_holds_nothing() {
    let mut pool = Pool::new(units(0));
    assert_eq!(pool.alloc(1), Err(PoolError::TooLarge));
    assert_eq!(pool.used(), 0);
}

#[test]
fn the_largest_block_is_the_largest_power_of_two() {
    for n in 1..200usize {
        let mut pool = Pool::new(units(n));
        let largest = UNIT << n.ilog2();
        assert_eq!(pool.alloc(largest + 1), Err(PoolError::TooLarge), "{n}");
        assert_eq!(pool.alloc(usize::MAX), Err(PoolError::TooLarge), "{n}");
        let block = pool.alloc(largest).unwrap();
        assert_eq!(block.offset(), 0);
        assert_eq!(pool.alloc(largest).err(), Some(PoolError::Exhausted), "{n}");
        pool.free(block);
        assert_eq!(pool.used(), 0);
    }
}

proptest! {
    #[test]
    fn pool_against_a_bitmap(
        n in 1usize..150,
        ops in prop::collection::vec((any::<bool>(), 1usize..6000, any::<prop::sample::Index>()), 1..200),
    ) {
        let mut pool = Pool::new(units(n));
        let mut map = vec![false; n];
        let mut blocks: Vec<(Block, usize)> = Vec::new();
        for (alloc, len, index) in ops {
            if alloc {
                let size = len.div_ceil(UNIT).next_power_of_two();
                let free = (0..n / size).any(|i| map[i * size..][..size].iter().all(|u| !u));
                match pool.alloc(len) {
                    Ok(block) => {
                        prop_assert!(free);
                        let first = block.offset() / UNIT;
                        prop_assert_eq!(block.offset() % (size * UNIT), 0);
                        prop_assert!(map[first..first + size].iter().all(|u| !u), "overlap");
                        map[first..first + size].fill(true);
                        blocks.push((block, size));
                    }
                    Err(PoolError::TooLarge) => prop_assert!(size > n),
                    Err(PoolError::Exhausted) => prop_assert!(size <= n && !free),
                }
            } else if !blocks.is_empty() {
                let (block, size) = blocks.swap_remove(index.index(blocks.len()));
                let first = block.offset() / UNIT;
                map[first..first + size].fill(false);
                pool.free(block);
            }
            prop_assert_eq!(pool.used(), map.iter().filter(|u| **u).count() * UNIT);
        }
        for (block, _) in blocks {
            pool.free(block);
        }
        prop_assert_eq!(pool.used(), 0);
        // Everything has grown together again: the same blocks as from a new pool.
        let again: Vec<_> = fill(&mut pool, n).into_iter().map(|(s, b)| (s, b.offset())).collect();
        let mut new: Vec<_> = fill(&mut Pool::new(units(n)), n).into_iter().map(|(s, b)| (s, b.offset())).collect();
        let mut again = again;
        again.sort_unstable();
        new.sort_unstable();
        prop_assert_eq!(again, new);
    }
}
