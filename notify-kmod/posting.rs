// SPDX-License-Identifier: GPL-2.0

//! How an event gets from a source to its subscribers.
//!
//! A small payload is copied to each subscriber under the locks. A large one would keep interrupts off for too
//! long, so it takes three steps: room for it is *reserved* at every subscriber, the payload is written there
//! without any lock, and then the event is *committed*, which numbers it. A driver can take these steps itself and
//! have its hardware's data go to where the subscriber reads it ([`Source::reserve`]).
//!
//! Between the first step and the last the subscribers' memory must stay. So whoever takes a subscriber off the
//! list, or ends the source, waits until nothing is reserved there; that is short, for those who reserve do not
//! sleep before they commit or cancel. A source has a few reservations at a time; who finds none copies under the
//! locks.
//!
//! A producer that is able to wait ([`Source::post_wait`]) reserves room at every subscriber that asked to be
//! waited for before it posts to any; so each is served exactly once and in order, whoever else posts into the
//! same queues. If one has no room, what was kept is given back before the producer sleeps, holding nothing,
//! until that one's queue changes.

use super::{
    abi,
    client::Client,
    machine::{Event, Loss, Make, Outline, Room},
    outbox::Part,
    registration::Way,
    source::{now, Source, State, Subscriber},
    trace,
};
use core::ptr::NonNull;
use kernel::{prelude::*, sync::Arc};

/// Reservations of one source at once.
const RESERVATIONS: usize = 4;
/// The place of what is kept and used under one hold of the source's state.
const LOCKED: usize = RESERVATIONS;
/// Places for what is kept at a subscriber.
pub(super) const KEPT: usize = RESERVATIONS + 1;
/// Longest payload that is copied under the locks, in bytes.
pub(crate) const COPY_LOCKED: usize = 512;
/// Events posted under one hold of the locks at most.
pub(crate) const RUN: usize = 16;

/// What a reservation keeps at one subscriber.
pub(super) enum Kept {
    Nothing,
    Room {
        room: Room,
        /// Where the payload goes, until it is being written.
        to: Option<NonNull<u8>>,
    },
    /// There was none.
    Refused(Loss),
}

// SAFETY: The pointer says where the holder of the reservation may write; it is only handed on.
unsafe impl Send for Kept {}

impl Subscriber {
    /// Whether no reservation keeps anything here.
    pub(super) fn keeps_nothing(&self) -> bool {
        self.kept.iter().all(|kept| matches!(kept, Kept::Nothing))
    }
}

/// Room for one event at the subscribers of a source. To be given to [`Source::commit`] or [`Source::cancel`],
/// before the caller sleeps.
#[must_use = "what is not committed or cancelled keeps subscribers from going"]
pub(crate) struct Reservation {
    place: usize,
    outline: Outline,
    /// Where the payload goes first; `None`: nobody needs it.
    to: Option<NonNull<u8>>,
}

impl Reservation {
    /// Where the payload goes; `None`: nobody has room for it.
    pub(crate) fn to(&self) -> Option<NonNull<u8>> {
        self.to
    }

    /// Names the reservation among those of its source.
    pub(crate) fn place(&self) -> u32 {
        self.place as u32
    }

    /// The reservation of that name, as [`Source::reserve`] has returned it.
    ///
    /// # Errors
    ///
    /// `EINVAL`: there is no such name.
    pub(crate) fn named(place: u32, outline: Outline, to: Option<NonNull<u8>>) -> Result<Self> {
        let place = place as usize;
        if place >= RESERVATIONS {
            return Err(EINVAL);
        }
        Ok(Self { place, outline, to })
    }
}

/// Where there is no room: the client, and the state of its queue at the time.
struct Full {
    client: Arc<Client>,
    since: u64,
}

/// Why nothing is reserved.
enum NotReserved {
    /// Every reservation is in use.
    Busy,
    Gone,
    Full(Full),
}

/// An event of a [`Source::post_run`].
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) value: Option<u64>,
    pub(crate) payload: &'a [u8],
}

impl Message<'_> {
    /// For filling arrays.
    pub(crate) const NOTHING: Self = Message {
        kind: 0,
        value: None,
        payload: &[],
    };

    fn outline(&self) -> Outline {
        Outline {
            kind: self.kind,
            value: self.value,
            len: self.payload.len(),
        }
    }

    fn event(&self, source_seq: u64, time_ns: u64) -> Event<'_> {
        Event {
            source_seq,
            kind: self.kind,
            time_ns,
            value: self.value,
            payload: self.payload,
        }
    }
}

impl Source {
    /// Posts an event to every subscriber, latched at `time_ns`; any context but NMI. Returns how many
    /// subscribers refused it.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE`: the payload is longer than the source announced. `EINVAL`: the kind is reserved. `ENODEV`:
    /// the source is gone.
    pub(crate) fn post(
        &self,
        kind: u16,
        value: Option<u64>,
        payload: &[u8],
        time_ns: u64,
    ) -> Result<u32> {
        let message = Message {
            kind,
            value,
            payload,
        };
        self.check_post(kind, payload.len())?;
        if payload.len() > COPY_LOCKED {
            match self.try_reserve(message.outline(), false) {
                Ok(reservation) => {
                    self.fill(&reservation, payload);
                    return Ok(self.commit_filled(reservation, payload, time_ns));
                }
                Err(NotReserved::Gone) => return Err(ENODEV),
                Err(NotReserved::Busy | NotReserved::Full(_)) => {}
            }
        }
        let mut state = self.state.lock();
        if state.gone {
            return Err(ENODEV);
        }
        Ok(state.post(&message, time_ns, LOCKED, || Way::Find))
    }

    /// [`Source::post`] of what lies in an outbox, latched now: it is copied once, so that all subscribers get the
    /// same. Process context.
    ///
    /// # Errors
    ///
    /// Those of [`Source::post`]; `ENOMEM`.
    pub(crate) fn post_part(&self, kind: u16, value: Option<u64>, part: &Part<'_>) -> Result<u32> {
        if part.len() > COPY_LOCKED {
            let outline = Outline {
                kind,
                value,
                len: part.len(),
            };
            match self.reserve(outline) {
                Ok(reservation) => {
                    if let Some(to) = reservation.to {
                        // SAFETY: The room is for that many bytes, and for this reservation alone.
                        unsafe { part.copy_to(to.as_ptr()) };
                    }
                    // SAFETY: It is of this source, and as it was returned.
                    return unsafe { self.commit(reservation, part.len(), now()) };
                }
                Err(e) if e == EBUSY => {}
                Err(e) => return Err(e),
            }
        }
        self.post(kind, value, &part.copied()?, now())
    }

    /// Posts small events that happened at `time_ns`, one after the other, at most [`RUN`]; the caller has
    /// checked them.
    ///
    /// # Errors
    ///
    /// `ENODEV`: the source is gone, and nothing has been posted.
    pub(crate) fn post_run(&self, messages: &[Message<'_>], time_ns: u64) -> Result {
        let mut state = self.state.lock();
        if state.gone {
            return Err(ENODEV);
        }
        let first = state.posted + 1;
        let events = || {
            (first..)
                .zip(messages)
                .map(|(seq, message)| message.event(seq, time_ns))
        };
        let mut refused = [0; RUN];
        for subscriber in &state.subscribers {
            let id = subscriber.id;
            subscriber.client.deliver_run(id, events(), &mut refused);
        }
        for (event, refused) in events().zip(refused) {
            state.posted(&event, refused);
        }
        Ok(())
    }

    /// [`Source::post`] that waits for the subscribers that asked for it, until `deadline` on
    /// `CLOCK_MONOTONIC` if there is one; a deadline that has passed only tries. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// Those of [`Source::post`]; `EAGAIN`: there was no room in time; `ERESTARTSYS`: a signal came. Nothing
    /// has been posted then.
    pub(crate) fn post_wait(
        &self,
        kind: u16,
        value: Option<u64>,
        payload: &[u8],
        time_ns: Option<u64>,
        deadline: Option<u64>,
    ) -> Result<u32> {
        let message = Message {
            kind,
            value,
            payload,
        };
        self.check_post(kind, payload.len())?;
        loop {
            let mut tried = Err(NotReserved::Busy);
            if payload.len() > COPY_LOCKED {
                tried = self
                    .try_reserve(message.outline(), true)
                    .map(|reservation| {
                        self.fill(&reservation, payload);
                        let time_ns = time_ns.unwrap_or_else(now);
                        self.commit_filled(reservation, payload, time_ns)
                    });
            }
            if matches!(tried, Err(NotReserved::Busy)) {
                let mut state = self.state.lock();
                tried = if state.gone {
                    Err(NotReserved::Gone)
                } else {
                    state.try_post(&message, time_ns)
                };
            }
            match tried {
                Ok(refused) => return Ok(refused),
                // It may be the last reference, so it is dropped without a lock.
                Err(NotReserved::Full(full)) => full.client.wait_for_room(full.since, deadline)?,
                Err(NotReserved::Gone) => return Err(ENODEV),
                Err(NotReserved::Busy) => {}
            }
        }
    }

    /// Reserves room for an event at every subscriber; any context but NMI.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE`, `EINVAL`, `ENODEV` as [`Source::post`]; `EINVAL` also for no payload. `EBUSY`: too many are
    /// reserved already.
    pub(crate) fn reserve(&self, outline: Outline) -> Result<Reservation> {
        self.check_post(outline.kind, outline.len)?;
        if outline.len == 0 {
            return Err(EINVAL);
        }
        self.try_reserve(outline, false).map_err(|e| match e {
            NotReserved::Gone => ENODEV,
            NotReserved::Busy | NotReserved::Full(_) => EBUSY,
        })
    }

    /// Posts an event of which `len` bytes of payload have been written to where its reservation says, latched
    /// at `time_ns`; any context but NMI. Returns how many subscribers refused it.
    ///
    /// # Errors
    ///
    /// `EINVAL`: that is more than was reserved. The reservation is still there, for its name.
    ///
    /// # Safety
    ///
    /// The reservation is of this source, and [`Reservation::to`] is what [`Source::reserve`] has returned, or
    /// memory of the caller's of the same length if the payload travels in the record.
    pub(crate) unsafe fn commit(
        &self,
        reservation: Reservation,
        len: usize,
        time_ns: u64,
    ) -> Result<u32> {
        if len > reservation.outline.len {
            return Err(EINVAL);
        }
        let payload = match reservation.to {
            // SAFETY: By the caller's promise that many bytes are there; they are initialised, as all of an arena
            // is, and nobody else writes there.
            Some(to) => unsafe { core::slice::from_raw_parts(to.as_ptr().cast_const(), len) },
            None => &[],
        };
        self.fill_rest(&reservation, payload);
        Ok(self.commit_filled(reservation, payload, time_ns))
    }

    /// Gives back what was reserved; any context but NMI.
    pub(crate) fn cancel(&self, reservation: Reservation) {
        let mut state = self.state.lock();
        let all = state.subscribers.len();
        state.release(reservation.place, all);
        self.end(&mut state, &reservation);
    }

    /// Sleeps until a reservation has ended.
    pub(super) fn wait_settled(
        &self,
        state: &mut kernel::sync::lock::Guard<'_, State, super::irq_lock::IrqSpin>,
    ) {
        state.waiting += 1;
        self.settled.wait(state);
        state.waiting -= 1;
    }

    fn check_post(&self, kind: u16, len: usize) -> Result {
        if len > self.max_payload {
            return Err(EMSGSIZE);
        }
        if kind >= abi::FIRST_RESERVED_KIND {
            return Err(EINVAL);
        }
        Ok(())
    }

    fn try_reserve(&self, outline: Outline, wait: bool) -> Result<Reservation, NotReserved> {
        let mut state = self.state.lock();
        if state.gone {
            return Err(NotReserved::Gone);
        }
        let place = state.reserved.trailing_ones() as usize;
        if place >= RESERVATIONS {
            return Err(NotReserved::Busy);
        }
        state
            .reserve(&outline, place, wait, true)
            .map_err(NotReserved::Full)?;
        state.reserved |= 1 << place;
        let to = state.next_to_fill(place);
        Ok(Reservation { place, outline, to })
    }

    /// Writes the payload wherever it goes.
    fn fill(&self, reservation: &Reservation, payload: &[u8]) {
        if let Some(to) = reservation.to {
            write_to(to, payload);
            self.fill_rest(reservation, payload);
        }
    }

    /// Writes it to all but the first, which has it.
    fn fill_rest(&self, reservation: &Reservation, payload: &[u8]) {
        if reservation.to.is_none() {
            return;
        }
        loop {
            let Some(to) = self.state.lock().next_to_fill(reservation.place) else {
                return;
            };
            write_to(to, payload);
        }
    }

    fn commit_filled(&self, reservation: Reservation, payload: &[u8], time_ns: u64) -> u32 {
        let message = Message {
            kind: reservation.outline.kind,
            value: reservation.outline.value,
            payload,
        };
        // One that has subscribed since gets a copy, if there is something to copy.
        let otherwise: fn() -> Way = match reservation.to {
            Some(_) => || Way::Find,
            None => || Way::Refuse(Loss::QueueFull),
        };
        let mut state = self.state.lock();
        let refused = state.post(&message, time_ns, reservation.place, otherwise);
        self.end(&mut state, &reservation);
        refused
    }

    fn end(&self, state: &mut State, reservation: &Reservation) {
        state.reserved &= !(1 << reservation.place);
        if state.waiting > 0 {
            self.settled.notify_all();
        }
    }
}

impl State {
    /// Keeps room at every subscriber, or only at those that are waited for unless `all`, in their `place`. If
    /// `wait`, says who of those has none; nothing is kept then.
    fn reserve(
        &mut self,
        outline: &Outline,
        place: usize,
        wait: bool,
        all: bool,
    ) -> Result<(), Full> {
        for index in 0..self.subscribers.len() {
            let subscriber = &mut self.subscribers[index];
            if !subscriber.waited_for && !all {
                continue;
            }
            let wait = wait && subscriber.waited_for;
            let make = if wait { Make::Nothing } else { Make::Room };
            subscriber.kept[place] = match subscriber.client.reserve(subscriber.id, outline, make) {
                Ok(Some((room, to))) => Kept::Room { room, to },
                Ok(None) => Kept::Nothing,
                // What could never fit is not waited for.
                Err((loss, since)) if wait && loss != Loss::TooLarge => {
                    let client = subscriber.client.clone();
                    self.release(place, index);
                    return Err(Full { client, since });
                }
                Err((loss, _)) => Kept::Refused(loss),
            };
        }
        Ok(())
    }

    /// Gives back what is kept in `place` at the first `count` subscribers.
    fn release(&mut self, place: usize, count: usize) {
        for subscriber in self.subscribers.iter_mut().take(count) {
            let kept = core::mem::replace(&mut subscriber.kept[place], Kept::Nothing);
            if let Kept::Room { room, .. } = kept {
                subscriber.client.release_room(room);
            }
        }
    }

    /// Where the payload of a reservation has still to be written.
    fn next_to_fill(&mut self, place: usize) -> Option<NonNull<u8>> {
        self.subscribers
            .iter_mut()
            .find_map(|subscriber| match &mut subscriber.kept[place] {
                Kept::Room { to, .. } => to.take(),
                _ => None,
            })
    }

    /// Posts to every subscriber, into what is kept at `place`, at others as `otherwise` says; returns how many
    /// refused it.
    fn post(
        &mut self,
        message: &Message<'_>,
        time_ns: u64,
        place: usize,
        otherwise: fn() -> Way,
    ) -> u32 {
        let event = message.event(self.posted + 1, time_ns);
        let mut refused = 0;
        for subscriber in &mut self.subscribers {
            let way = match core::mem::replace(&mut subscriber.kept[place], Kept::Nothing) {
                Kept::Nothing => otherwise(),
                Kept::Room { room, .. } => Way::Into(room),
                Kept::Refused(loss) => Way::Refuse(loss),
            };
            if !subscriber.client.deliver(subscriber.id, &event, way) {
                refused += 1;
            }
        }
        self.posted(&event, refused);
        refused
    }

    /// Counts an event.
    fn posted(&mut self, event: &Event<'_>, refused: u32) {
        self.posted = event.source_seq;
        self.refused += u64::from(refused);
        trace::post(
            self.number,
            event.source_seq,
            event.kind,
            event.payload.len(),
            self.subscribers.len(),
            refused,
        );
    }

    /// Posts to every subscriber if all that are waited for have room; otherwise says where there is none,
    /// and nothing has been posted.
    fn try_post(&mut self, message: &Message<'_>, time_ns: Option<u64>) -> Result<u32, NotReserved> {
        self.reserve(&message.outline(), LOCKED, true, false)
            .map_err(NotReserved::Full)?;
        while let Some(to) = self.next_to_fill(LOCKED) {
            write_to(to, message.payload);
        }
        let time_ns = time_ns.unwrap_or_else(now);
        Ok(self.post(message, time_ns, LOCKED, || Way::Find))
    }
}

/// Writes a payload, no longer than was asked for, to where [`State::next_to_fill`] has said.
fn write_to(to: NonNull<u8>, payload: &[u8]) {
    // SAFETY: The room is kept for a payload of that length, and for whoever has been told of it; a client does not
    // leave the source's list, and its memory does not go, as long as something is kept there.
    unsafe { core::ptr::copy_nonoverlapping(payload.as_ptr(), to.as_ptr(), payload.len()) };
}
