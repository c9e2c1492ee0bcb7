// SPDX-License-Identifier: GPL-2.0

//! A client: one open file, with at most one registration at a time.
//!
//! `reader` serialises everything that a process does to the registration (`read`, `pread`, registering,
//! subscribing, closing), so a reader can copy what it has claimed without the state lock: only posting goes
//! on meanwhile, and that neither moves nor frees a claimed event.

use super::{
    abi,
    arena::{Arena, PAGE},
    call, error, handle, inspect,
    irq_lock::{new_irq_lock, IrqLock},
    limits::{Charge, Resource},
    machine::{Claim, Consumer, Counters, Event, Loss, Make, Outline, Policy, Room, SubscriptionId},
    mapping::{Memory, LARGEST_COPY},
    outbox::{self, Outbox},
    pool::Pin,
    registration::{NewLane, Registration, Way},
    ring::Ring,
    sigio::SigIo,
    source::{self, Owned, Source},
    subscription::Filter,
    target::Process,
    trace,
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    ffi::c_void,
    fs::File,
    new_condvar, new_mutex, new_poll_condvar,
    prelude::*,
    sync::{
        poll::{PollCondVar, PollTable},
        Arc, ArcBorrow, CondVar, Mutex,
    },
    uaccess::UserSliceWriter,
};

pub(crate) mod stream;

/// Events claimed per turn of the state lock in a batch read.
const BATCH: usize = 8;

/// Room for an event, and where its payload goes.
pub(crate) type Reserved = (Room, Option<NonNull<u8>>);

/// An open file.
#[pin_data]
pub(crate) struct Client {
    /// Never used again while the module is loaded.
    pub(crate) number: u64,
    /// The process that opened the file.
    pub(crate) opener: Process,
    /// The open file, charged to the user who opened it.
    pub(crate) charge: Charge,
    #[pin]
    state: IrqLock<State>,
    #[pin]
    readable: PollCondVar,
    /// Whom to send `SIGIO` when something becomes readable.
    pub(crate) sigio: SigIo,
    /// [`State::changes`] has changed, and somebody waits for that.
    #[pin]
    room: CondVar,
    #[pin]
    reader: Mutex<()>,
    /// The source that was written to last.
    #[pin]
    written: Mutex<Option<Arc<Source>>>,
    /// What processes pass by reference.
    #[pin]
    outbox: Mutex<Option<Outbox>>,
    /// Sources that this file created, each charged to the user who did.
    #[pin]
    pub(crate) owned: Mutex<KVec<(Owned, Charge)>>,
}

struct State {
    registration: Option<KBox<Registration>>,
    /// Counts registrations, so that what outlives one is not taken for part of the next.
    generation: u64,
    /// Counters of the registrations that have ended.
    past: Counters,
    /// How often there may have been more room than before, or nobody to need it any more.
    changes: u64,
    /// Producers that wait for [`Client::room`].
    waiting: u32,
    /// How long a blocking `read` and a blocking `write` of this file wait, in nanoseconds; 0: without end.
    read_timeout: u64,
    write_timeout: u64,
}

impl Client {
    /// A client without a registration, listed.
    ///
    /// # Errors
    ///
    /// `EMFILE`: more than the user may have. `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let charge = Charge::new(Resource::Clients, 1)?;
        let opener = Process::current()?;
        let client = Arc::pin_init(
            pin_init!(Self {
                number: inspect::next_client(),
                opener,
                charge,
                state <- new_irq_lock!(
                    State {
                        registration: None,
                        generation: 0,
                        past: Counters::default(),
                        changes: 0,
                        waiting: 0,
                        read_timeout: 0,
                        write_timeout: 0,
                    },
                    "rtnotify_client"
                ),
                readable <- new_poll_condvar!("rtnotify_readable"),
                sigio: SigIo::new(),
                room <- new_condvar!("rtnotify_room"),
                reader <- new_mutex!((), "rtnotify_reader"),
                written <- new_mutex!(None, "rtnotify_written"),
                outbox <- new_mutex!(None, "rtnotify_outbox"),
                owned <- new_mutex!(KVec::new(), "rtnotify_owned"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        inspect::add_client(client.clone())?;
        Ok(client)
    }

    /// The source of that number, to be written to; the last one is remembered, since most files are written to
    /// for one source.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub(crate) fn source_to_write(&self, number: u32) -> Result<Arc<Source>> {
        let mut written = self.written.lock();
        match &*written {
            // Numbers are not used twice; one that has gone is not found again.
            Some(source) if source.number == number && !source.is_gone() => Ok(source.clone()),
            _ => Ok(written.insert(source::find(number)?).clone()),
        }
    }

    /// Gives the file an outbox, and says where to map it; see `docs/abi.md`.
    pub(crate) fn map_outbox(&self, request: &mut abi::Outbox) -> Result {
        let mut outbox = self.outbox.lock();
        if outbox.is_some() {
            return Err(EBUSY);
        }
        let made = outbox.insert(Outbox::new(request.len)?);
        request.len = made.memory().len() as u64;
        request.offset = outbox::OFFSET;
        Ok(())
    }

    /// The file's outbox.
    ///
    /// # Errors
    ///
    /// `ENXIO`: it has none.
    pub(crate) fn outbox(&self) -> Result<Outbox> {
        self.outbox.lock().clone().ok_or(ENXIO)
    }

    /// How long a blocking `read` and a blocking `write` wait, in nanoseconds; 0: without end.
    pub(crate) fn set_timeouts(&self, read_ns: u64, write_ns: u64) {
        let mut state = self.state.lock();
        state.read_timeout = read_ns;
        state.write_timeout = write_ns;
    }

    /// Until when a `write` that starts now waits, if it waits; `None`: without end.
    pub(crate) fn write_deadline(&self) -> Option<u64> {
        call::deadline(self.state.lock().write_timeout)
    }

    /// Looks at the registration, if there is one; `look` must not sleep.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Registration) -> T) -> Option<T> {
        self.state.lock().registration.as_deref().map(look)
    }

    /// Registers; see `docs/abi.md`.
    pub(crate) fn register(self: ArcBorrow<'_, Self>, request: &mut abi::Register) -> Result {
        let _reader = self.reader.lock();
        if self.state.lock().registration.is_some() {
            return Err(EBUSY);
        }
        let mut registration = Registration::new(request, self.number)?;
        let context: *const Self = &*self;
        // SAFETY: The registration is dropped by `unregister_locked`, at the latest when the file is released,
        // which is before the client is.
        unsafe { registration.watch_targets(Self::target_exited, context.cast_mut().cast()) };
        let mut state = self.state.lock();
        state.registration = Some(registration);
        state.generation += 1;
        Ok(())
    }

    /// Adds a lane; see `docs/abi.md`.
    pub(crate) fn add_lane(self: ArcBorrow<'_, Self>, request: &mut abi::Lane) -> Result {
        let _reader = self.reader.lock();
        let mut lane = NewLane::new(request)?;
        let context: *const Self = &*self;
        // SAFETY: As for registering; a lane that is not added is dropped here.
        unsafe { lane.watch_targets(Self::target_exited, context.cast_mut().cast()) };
        let result = match &mut self.state.lock().registration {
            Some(registration) => registration.add_lane(lane),
            None => Err((error::not_registered(), lane)),
        };
        // The rejected lane goes here, without the lock: that may sleep.
        result.map_err(|(e, _lane)| e)
    }

    /// Changes something about the registration under the state lock.
    pub(crate) fn with_registration<T>(
        &self,
        change: impl FnOnce(&mut Registration) -> Result<T>,
    ) -> Result<T> {
        match &mut self.state.lock().registration {
            Some(registration) => change(registration),
            None => Err(error::not_registered()),
        }
    }

    /// Called when a target thread exits, or may have.
    ///
    /// # Safety
    ///
    /// `context` is a client whose registration still has the target.
    unsafe extern "C" fn target_exited(context: *mut c_void) {
        // SAFETY: Promised by the caller.
        let client = unsafe { &*context.cast::<Self>() };
        let mut state = client.state.lock();
        if let Some(registration) = &mut state.registration {
            registration.ring_all();
        }
    }

    /// Ends the registration. Returns how many events were discarded.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if there is none.
    pub(crate) fn unregister(self: ArcBorrow<'_, Self>) -> Result<u64> {
        let _reader = self.reader.lock();
        self.unregister_locked().map(|(_, discarded)| discarded)
    }

    /// Ends the registration; the caller holds `reader` and drops what is returned, which may sleep.
    fn unregister_locked(self: ArcBorrow<'_, Self>) -> Result<(KBox<Registration>, u64)> {
        source::remove_subscriber(self);
        // What has been consumed of a ring is consumed.
        self.sync();
        let mut state = self.state.lock();
        let mut registration = state
            .registration
            .take()
            .ok_or_else(error::not_registered)?;
        registration.end();
        let discarded = registration.machine.discard();
        state.past = state.past.plus(*registration.machine.counters());
        self.changed(&mut state);
        drop(state);
        self.readable.notify_all();
        trace::discarded(self.number, discarded);
        Ok((registration, discarded))
    }

    /// A file descriptor is being closed by the calling process: that ends a registration of its own.
    ///
    /// # Safety
    ///
    /// `file` is this client's file.
    pub(crate) unsafe fn flush(self: ArcBorrow<'_, Self>, file: *mut bindings::file) {
        let _reader = self.reader.lock();
        let ours = match &self.state.lock().registration {
            Some(registration) => registration.is_of_current_process(),
            None => false,
        };
        if !ours {
            return;
        }
        if let Ok((registration, _)) = self.unregister_locked() {
            // SAFETY: Promised by the caller.
            unsafe { registration.take_pending(file) };
        }
    }

    /// The last reference to the file is gone.
    pub(crate) fn release(self: ArcBorrow<'_, Self>) {
        {
            let _reader = self.reader.lock();
            drop(self.unregister_locked());
        }
        let owned = core::mem::take(&mut *self.owned.lock());
        for (source, _charge) in owned {
            source.remove();
        }
        inspect::remove_client(self.number);
    }

    /// Subscribes; see `docs/abi.md`.
    pub(crate) fn subscribe(self: ArcBorrow<'_, Self>, request: &abi::Subscribe) -> Result {
        let filter = Filter::from_request(request).ok_or(EINVAL)?;
        let _reader = self.reader.lock();
        let is_stream = source::find(request.source).map(|source| source.is_stream());
        let (id, waited_for) = self.with_registration(|registration| {
            let lane = registration.lane(request.signo)?;
            let policy = registration
                .machine
                .lane_config(lane)
                .map(|lane| lane.policy);
            if registration.stream.is_some() {
                // What has been read in part cannot be withdrawn.
                if !is_stream? || policy.is_none_or(|policy| policy.withdraws()) {
                    return Err(EINVAL);
                }
                if registration.machine.subscription_count() > 0 {
                    return Err(EBUSY);
                }
            }
            let cookie = (request.flags & abi::SUB_COOKIE != 0).then_some(request.cookie);
            let id = registration
                .machine
                .subscribe_filtered(request.source, lane, cookie, filter)
                .map_err(error::from_subscribe)?;
            Ok((id, policy == Some(Policy::Block)))
        })?;
        source::add_subscriber(request.source, self.into(), id, waited_for).inspect_err(|_| {
            if let Some(registration) = &mut self.state.lock().registration {
                // Nobody can have unsubscribed meanwhile: `reader` is held.
                let _ = registration.machine.unsubscribe(request.source);
            }
        })?;
        if let Some(registration) = &mut self.state.lock().registration {
            if let Some(stream) = &mut registration.stream {
                stream.started = true;
            }
        }
        // The source may have gone before the stream could end.
        self.readable.notify_all();
        Ok(())
    }

    /// Unsubscribes; see `docs/abi.md`.
    pub(crate) fn unsubscribe(self: ArcBorrow<'_, Self>, number: u32) -> Result {
        let _reader = self.reader.lock();
        if self.state.lock().registration.is_none() {
            return Err(error::not_registered());
        }
        source::remove_subscription(number, self);
        let mut state = self.state.lock();
        let registration = state
            .registration
            .as_mut()
            .ok_or_else(error::not_registered)?;
        registration
            .machine
            .unsubscribe(number)
            .map_err(error::from_subscribe)?;
        self.changed(&mut state);
        drop(state);
        // A stream ends so.
        self.readable.notify_all();
        Ok(())
    }

    /// A source is gone; it no longer lists this client. Its end becomes part of the stream.
    pub(crate) fn source_gone(&self, number: u32, last: u64, time_ns: u64) {
        let _ = self.queue(|registration, _| registration.source_gone(number, last, time_ns));
        self.changed(&mut self.state.lock());
    }

    /// There may be more room than before, or nobody to need it any more: wakes who waits for that. Called
    /// after every consumption and every end of a subscription.
    fn changed(&self, state: &mut State) {
        state.changes += 1;
        if state.waiting > 0 {
            self.room.notify_all();
        }
    }

    /// Keeps room for an event, which `deliver` or `release_room` takes back; any context. Also says where its
    /// payload goes, if anywhere: nobody else touches that until then. A client whose registration has ended needs
    /// none.
    ///
    /// # Errors
    ///
    /// There is none: for that reason, and for `wait_for_room`.
    pub(crate) fn reserve(
        &self,
        id: SubscriptionId,
        outline: &Outline,
        make: Make,
    ) -> Result<Option<Reserved>, (Loss, u64)> {
        // A gap can have been put out, which is readable.
        self.queue(|registration, changes| {
            registration
                .reserve(id, outline, make)
                .map_err(|loss| (loss, changes))
        })
        .transpose()
    }

    /// Gives back what `reserve` kept; any context.
    pub(crate) fn release_room(&self, room: Room) {
        let _ = self.queue(|registration, _| registration.release_room(room));
        self.changed(&mut self.state.lock());
    }

    /// Sleeps until something has changed since `reserve` failed with `since`.
    ///
    /// # Errors
    ///
    /// `EAGAIN`: not by the deadline. `ERESTARTSYS`: a signal came.
    pub(crate) fn wait_for_room(&self, since: u64, deadline: Option<u64>) -> Result {
        let mut state = self.state.lock();
        while state.changes == since {
            state.waiting += 1;
            let slept = call::sleep(&self.room, &mut state, deadline);
            state.waiting -= 1;
            if slept.map_err(|_| EAGAIN)? {
                return Err(ERESTARTSYS);
            }
        }
        Ok(())
    }

    /// Delivers an event to one subscription; any context. Returns whether it was accepted.
    pub(crate) fn deliver(&self, id: SubscriptionId, event: &Event<'_>, way: Way) -> bool {
        // A refused event can have put out a gap, which is readable too.
        self.queue(|registration, _| registration.post(id, event, way))
            .unwrap_or(false)
    }

    /// Delivers several events, one after the other; any context. Adds one to `refused` for each that was not
    /// accepted.
    pub(crate) fn deliver_run<'a>(
        &self,
        id: SubscriptionId,
        events: impl Iterator<Item = Event<'a>>,
        refused: &mut [u32],
    ) {
        let _ = self.queue(|registration, _| {
            for (event, refused) in events.zip(refused) {
                *refused += u32::from(!registration.post(id, &event, Way::Find));
            }
        });
    }

    /// Adds to what is queued, and tells who waits for something to read; any context. `None`: not registered.
    /// `add` also gets [`State::changes`].
    fn queue<T>(&self, add: impl FnOnce(&mut Registration, u64) -> T) -> Option<T> {
        let mut state = self.state.lock();
        let changes = state.changes;
        let (result, edge) = match &mut state.registration {
            Some(registration) => {
                let was_readable = registration.machine.is_readable();
                let result = add(registration, changes);
                (
                    Some(result),
                    !was_readable && registration.machine.is_readable(),
                )
            }
            None => (None, false),
        };
        drop(state);
        self.readable.notify_all();
        // Only when there was nothing before: who reads until `EAGAIN` misses none, and signals cannot pile up.
        if edge {
            self.sigio.raise();
        }
        result
    }

    /// `read`: whole frames, as many as fit, consuming them; from the lane of a signal number, or with 0 from
    /// all, lowest number first.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`, `ENOENT`, `EAGAIN`, `EMSGSIZE`, `EFAULT`, or an interruption by a signal.
    pub(crate) fn read(
        &self,
        out: &mut UserSliceWriter,
        nonblock: bool,
        signo: u32,
    ) -> Result<usize> {
        let deadline = call::deadline(self.state.lock().read_timeout);
        // Lanes are added, never taken away.
        let lane = self.with_registration(|registration| {
            let lane = match signo {
                0 => None,
                signo => Some(registration.lane(signo)?),
            };
            let machine = &registration.machine;
            let mut wanted = 0..machine.lane_count();
            if wanted.all(|i| machine.is_published(i) || lane.is_some_and(|lane| lane != i)) {
                return Err(EBUSY);
            }
            Ok(lane)
        })?;
        loop {
            {
                let _reader = self.reader.lock();
                let is_stream = match &self.state.lock().registration {
                    Some(registration) => registration.stream.is_some(),
                    None => return Err(error::not_registered()),
                };
                if is_stream {
                    if let Some(read) = self.read_stream(out, lane)? {
                        return Ok(read);
                    }
                } else {
                    let read = self.read_queued(out, lane)?;
                    if read > 0 {
                        return Ok(read);
                    }
                }
            }
            if nonblock {
                return Err(EAGAIN);
            }
            let mut state = self.state.lock();
            loop {
                match &state.registration {
                    None => return Err(error::not_registered()),
                    Some(registration)
                        if registration.is_readable(lane) || registration.has_ended() =>
                    {
                        break
                    }
                    Some(_) => {}
                }
                if call::sleep(&self.readable, &mut state, deadline).map_err(|_| EAGAIN)? {
                    return Err(ERESTARTSYS);
                }
            }
        }
    }

    /// Reads what is queued; the caller holds `reader`. 0: nothing is.
    fn read_queued(&self, out: &mut UserSliceWriter, lane: Option<usize>) -> Result<usize> {
        let mut done = 0;
        let mut records = 0;
        let mut fault = false;
        let mut full = false;
        while !fault && !full {
            let mut claims: [Option<Claim>; BATCH] = [const { None }; BATCH];
            let arena;
            {
                let mut state = self.state.lock();
                let registration = state
                    .registration
                    .as_mut()
                    .ok_or_else(error::not_registered)?;
                arena = registration.arena().clone();
                let mut room = out.len();
                for place in &mut claims {
                    let Some(claim) = registration.claim(lane) else {
                        break;
                    };
                    let len = claim.record.frame_len();
                    if len > room {
                        registration.machine.unclaim(claim);
                        full = true;
                        break;
                    }
                    room -= len;
                    *place = Some(claim);
                }
                if claims[0].is_none() {
                    if full && done == 0 {
                        return Err(EMSGSIZE);
                    }
                    if !full && done == 0 {
                        registration.machine.counters_mut().spurious += 1;
                    }
                    break;
                }
            }
            let mut copied = 0;
            for claim in claims.iter().flatten() {
                // SAFETY: The place is claimed, and `reader` keeps the registration.
                if unsafe { copy_frame(out, claim, &arena) }.is_err() {
                    fault = true;
                    break;
                }
                copied += 1;
                done += claim.record.frame_len();
            }
            let mut state = self.state.lock();
            let registration = state
                .registration
                .as_mut()
                .ok_or_else(error::not_registered)?;
            records += copied;
            for (index, claim) in claims.into_iter().flatten().enumerate() {
                if index < copied {
                    trace::taken(self.number, &claim.record);
                    registration.machine.consume(claim, Consumer::Read);
                } else {
                    registration.machine.unclaim(claim);
                }
            }
        }
        if done > 0 {
            trace::read(self.number, 0, records, done);
            let mut state = self.state.lock();
            if let Some(registration) = &mut state.registration {
                registration.ring_all();
            }
            self.changed(&mut state);
        }
        if fault && done == 0 {
            return Err(EFAULT);
        }
        Ok(done)
    }

    /// `pread`: the payload that `handle` names, from its byte offset on.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`, `EINVAL`, `ESTALE`, `ENODATA`, `EFAULT`.
    pub(crate) fn read_handle(&self, handle: u64, out: &mut UserSliceWriter) -> Result<usize> {
        let _reader = self.reader.lock();
        let (claim, offset, arena, flags) = {
            let mut state = self.state.lock();
            let registration = state
                .registration
                .as_mut()
                .ok_or_else(error::not_registered)?;
            if registration.stream.is_some() {
                return Err(ESPIPE);
            }
            match registration.machine.claim_handle(handle) {
                Ok((claim, offset)) => (
                    claim,
                    offset,
                    registration.arena().clone(),
                    registration.flags,
                ),
                Err(e) => {
                    // The doorbell that brought this handle is no longer pending: there may be place for
                    // the next one.
                    registration.ring_all();
                    return Err(error::from_handle(e));
                }
            }
        };
        // SAFETY: The place is claimed, and `reader` keeps the registration.
        let result = unsafe { copy_payload(out, &claim, offset, &arena, flags) };
        let complete = matches!(result, Ok((_, true))) && flags & abi::REG_PREAD_KEEP == 0;
        let mut state = self.state.lock();
        let registration = state
            .registration
            .as_mut()
            .ok_or_else(error::not_registered)?;
        if complete {
            trace::taken(self.number, &claim.record);
            registration.machine.consume(claim, Consumer::Handle);
            registration.ring_all();
            self.changed(&mut state);
        } else {
            registration.machine.unclaim(claim);
        }
        drop(state);
        let (copied, _) = result?;
        trace::read(self.number, handle, complete.into(), copied);
        Ok(copied)
    }

    /// Finds the payload that `handle` names and keeps its memory, for showing `len` bytes of it.
    ///
    /// The event stays where it is until [`Client::mapped`]. Does not take `reader`: the caller holds the mmap
    /// lock, and readers access user memory.
    ///
    /// # Errors
    ///
    /// `ENOTCONN`; `EINVAL` impossible handle, or longer than the payload's pages; `ESTALE`; `ENODATA` there is
    /// no payload; `ESPIPE` the registration reads a stream; `EDQUOT`; `ENOMEM`.
    pub(crate) fn pin(&self, handle: u64, len: usize) -> Result<Memory> {
        if handle < handle::pack(1) {
            return self.special(handle, len);
        }
        // Whether it is needed turns out under the lock, where nothing can be allocated.
        let copy = Arena::new(PAGE, Charge::new(Resource::Bytes, PAGE as u64)?)?;
        let mut state = self.state.lock();
        let generation = state.generation;
        let registration = state
            .registration
            .as_mut()
            .ok_or_else(error::not_registered)?;
        if registration.stream.is_some() {
            return Err(ESPIPE);
        }
        let (claim, offset) = registration
            .machine
            .claim_handle(handle)
            .map_err(error::from_handle)?;
        let record = claim.record;
        let payload_len = record.payload_len as usize;
        let result = if !record.is_event() || payload_len == 0 {
            Err(error::no_payload())
        } else if offset != 0 || len > payload_len.div_ceil(PAGE) * PAGE {
            Err(EINVAL)
        } else if payload_len <= LARGEST_COPY {
            let value = record.value.to_ne_bytes();
            let bytes = if record.flags & abi::RECORD_INLINE != 0 {
                &value[..payload_len]
            } else {
                // SAFETY: The place is claimed.
                unsafe { payload(&claim, registration.arena()) }
            };
            // SAFETY: The copy is ours alone.
            unsafe { copy.write(0..payload_len, bytes) };
            Ok(Memory::Copy(copy))
        } else {
            let end = claim.place.end;
            // SAFETY: Blocks of such payloads are whole pages, so the rest of the last page is theirs, and
            // nobody reads behind a payload but the mappings of the same one, which see zeroes already.
            unsafe { registration.arena().clear(end..end.next_multiple_of(PAGE)) };
            match registration.machine.pin(&claim) {
                Some(pin) => Ok(Memory::Pinned {
                    arena: registration.arena().clone(),
                    offset: claim.place.start,
                    pin: Some(pin),
                    generation,
                }),
                None => Err(EBUSY),
            }
        };
        registration.machine.unclaim(claim);
        result
    }

    /// The payload that `handle` names is mapped now: that consumes the event if a complete `pread` would.
    ///
    /// # Errors
    ///
    /// `ESTALE`: another reader has consumed it meanwhile. `ENOTCONN`.
    pub(crate) fn mapped(&self, handle: u64) -> Result {
        let mut state = self.state.lock();
        let registration = state
            .registration
            .as_mut()
            .ok_or_else(error::not_registered)?;
        if registration.flags & abi::REG_PREAD_KEEP != 0 {
            return Ok(());
        }
        let (claim, _) = registration
            .machine
            .claim_handle(handle)
            .map_err(error::from_handle)?;
        trace::taken(self.number, &claim.record);
        registration.machine.consume(claim, Consumer::Handle);
        registration.ring_all();
        self.changed(&mut state);
        Ok(())
    }

    /// Gives back the block of a mapping of one of this client's registrations.
    pub(crate) fn unpin(&self, generation: u64, pin: Pin) {
        let mut state = self.state.lock();
        if state.generation != generation {
            return;
        }
        if let Some(registration) = &mut state.registration {
            registration.machine.unpin(pin);
        }
        self.changed(&mut state);
    }

    /// Consumes what processes are done with of mapped rings, a part per turn of the state lock.
    pub(crate) fn sync(&self) {
        while self
            .with_registration(|registration| Ok(registration.sync()))
            .unwrap_or(false)
        {}
        // The lanes share their quota, so a producer may wait for what a ring has given back.
        self.changed(&mut self.state.lock());
    }

    /// Publishes a lane to a ring, and says where to map it; see `docs/abi.md`.
    pub(crate) fn map_ring(&self, request: &mut abi::Ring) -> Result {
        let _reader = self.reader.lock();
        let (lane, queue_len) = self.with_registration(|registration| {
            if registration.stream.is_some() {
                return Err(ESPIPE);
            }
            let lane = registration.lane(request.signo)?;
            let config = registration.machine.lane_config(lane).ok_or(ENOENT)?;
            Ok((lane, config.queue_len))
        })?;
        let ring = Ring::new(queue_len)?;
        request.entries = ring.entries();
        request.ring_len = ring.records().len() as u64;
        request.control_len = ring.control().len() as u64;
        let [at_ring, at_control, at_pool] = special_offsets(lane);
        (request.ring_offset, request.control_offset) = (at_ring, at_control);
        request.pool_offset = at_pool;
        let result = match &mut self.state.lock().registration {
            Some(registration) => {
                request.pool_len = registration.arena().len() as u64;
                registration.publish(lane, ring)
            }
            None => Err((error::not_registered(), ring)),
        };
        // What was not needed goes here, without the lock: that may sleep.
        result.map_err(|(e, _ring)| e)
    }

    /// What lies at an offset that is too small for a handle: part of a ring, or the outbox.
    fn special(&self, offset: u64, len: usize) -> Result<Memory> {
        if offset == outbox::OFFSET {
            let memory = self.outbox()?.memory().clone();
            return match memory.len() == len {
                true => Ok(Memory::Written(memory)),
                false => Err(EINVAL),
            };
        }
        self.with_registration(|registration| {
            for lane in 0..abi::MAX_LANES {
                let Some(ring) = registration.ring_of(lane) else {
                    continue;
                };
                let [at_ring, at_control, at_pool] = special_offsets(lane);
                let memory = if offset == at_ring {
                    Memory::Whole(ring.records().clone())
                } else if offset == at_control {
                    Memory::Written(ring.control().clone())
                } else if offset == at_pool {
                    Memory::Whole(registration.arena().clone())
                } else {
                    continue;
                };
                return match &memory {
                    Memory::Whole(arena) | Memory::Written(arena) if arena.len() == len => {
                        Ok(memory)
                    }
                    _ => Err(EINVAL),
                };
            }
            Err(EINVAL)
        })
    }

    /// Whether there is something to read, for `poll`.
    pub(crate) fn poll(&self, file: &File, table: &PollTable<'_>) -> u32 {
        table.register_wait(file, &self.readable);
        self.sync();
        match &self.state.lock().registration {
            Some(registration) if !registration.machine.is_empty() || registration.has_ended() => {
                bindings::POLLIN
            }
            _ => 0,
        }
    }

    /// The counters of this file.
    pub(crate) fn stats(&self) -> abi::Stats {
        self.sync();
        let state = self.state.lock();
        match &state.registration {
            Some(registration) => {
                let machine = &registration.machine;
                state.past.plus(*machine.counters()).stats(
                    machine.queued(),
                    machine.quota_used() as u64,
                    registration.state(),
                    machine.subscription_count(),
                )
            }
            None => state.past.stats(0, 0, 0, 0),
        }
    }
}

/// File offsets of a lane's ring, of its control page, and of the pool: below every handle.
fn special_offsets(lane: usize) -> [u64; 3] {
    [1, 2, 3].map(|part| ((3 * lane + part) * PAGE) as u64)
}

/// Copies a frame: record, payload, padding.
///
/// # Safety
///
/// `claim` holds a place in `arena`, and keeps it for the duration.
unsafe fn copy_frame(out: &mut UserSliceWriter, claim: &Claim, arena: &Arena) -> Result {
    out.write_slice(&claim.record.to_bytes())?;
    // SAFETY: Promised by the caller.
    let payload = unsafe { payload(claim, arena) };
    out.write_slice(payload)?;
    let padding = abi::frame_align(payload.len()) - payload.len();
    out.write_slice(&[0; abi::FRAME_ALIGN][..padding])
}

/// Copies what a handle names from `offset` on. Returns the number of bytes and whether that was all of it.
///
/// # Safety
///
/// As for [`copy_frame`].
unsafe fn copy_payload(
    out: &mut UserSliceWriter,
    claim: &Claim,
    offset: usize,
    arena: &Arena,
    flags: u32,
) -> Result<(usize, bool)> {
    let with_record = flags & abi::REG_PREAD_RECORD != 0;
    if !claim.record.is_event() && !with_record {
        return Err(error::no_payload());
    }
    let record = claim.record.to_bytes();
    let value = claim.record.value.to_ne_bytes();
    let head: &[u8] = if with_record { &record } else { &[] };
    let tail = if !with_record && claim.record.flags & abi::RECORD_INLINE != 0 {
        &value[..claim.record.payload_len as usize]
    } else {
        // SAFETY: Promised by the caller.
        unsafe { payload(claim, arena) }
    };
    let total = head.len() + tail.len();
    let mut skip = offset;
    let mut copied = 0;
    for part in [head, tail] {
        let from = skip.min(part.len());
        skip -= from;
        let part = &part[from..];
        let part = &part[..part.len().min(out.len())];
        out.write_slice(part)?;
        copied += part.len();
    }
    Ok((copied, offset == 0 && copied == total))
}

/// The payload of a claimed event.
///
/// # Safety
///
/// As for [`copy_frame`].
unsafe fn payload<'a>(claim: &Claim, arena: &'a Arena) -> &'a [u8] {
    // SAFETY: The place is claimed by the caller's promise.
    unsafe { arena.bytes(claim.place.clone()) }
}
