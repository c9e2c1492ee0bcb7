// SPDX-License-Identifier: MIT OR Apache-2.0

//! The boundary between kernel and userspace: records, `ioctl` structures, constants.
//!
//! The C header `include/uapi/rtnotify.h` is generated from this file. Numbers and layouts are a contract:
//! they are added to, never changed or reused. Every `ioctl` structure starts with its own size and flags;
//! see `docs/abi.md` for the rules of extension and for every errno.

use super::plain::abi_struct;

/// Version of this interface, reported by [`Register`] and incremented only on additions.
pub const ABI_VERSION: u32 = 1;

/// Name of the device node below `/dev`, of the module and of the command.
pub const DEVICE_NAME: &str = "rtnotify";

/// Longest payload in bytes: offsets into a payload take the low 21 bits of a handle.
pub const MAX_PAYLOAD: usize = (1 << 21) - 1;
/// Payloads up to this many bytes travel in [`Record::value`] when the producer gave no value.
pub const INLINE_PAYLOAD: usize = 8;
/// Longest queue of one lane, in records.
pub const MAX_QUEUE: u32 = 1 << 16;
/// Largest payload quota of one registration, in bytes.
pub const MAX_QUOTA: u64 = 256 << 20;
/// Largest delivery window: signals outstanding per lane.
pub const MAX_WINDOW: u32 = 256;
/// Subscriptions that one registration can hold.
pub const MAX_SUBSCRIPTIONS: usize = 64;
/// Lanes (signal numbers) that one registration can hold.
pub const MAX_LANES: usize = 8;
/// Length of a source name including the terminating NUL.
pub const NAME_LEN: usize = 48;
/// Alignment of frames in `read` and `write`, in bytes.
pub const FRAME_ALIGN: usize = 8;
/// Longest single `write`, in bytes.
pub const MAX_WRITE: usize = 4 << 20;
/// Shortest period of a timer source, in nanoseconds.
pub const MIN_TIMER_PERIOD_NS: u64 = 20_000;

/// First realtime signal number that may be registered; 32 and 33 belong to the C library.
pub const FIRST_SIGNAL: u32 = 34;
/// Last realtime signal number.
pub const LAST_SIGNAL: u32 = 64;

/// Standard signals that cannot be registered: `KILL` and `STOP` cannot be blocked or handled, `CONT` acts when
/// it is sent, and the others report an error of the very instruction (`include/linux/signal.h`). The numbers
/// are those of every architecture that Rust in the kernel supports.
const REFUSED_SIGNALS: [u32; 9] = [
    4,  // ILL
    5,  // TRAP
    7,  // BUS
    8,  // FPE
    9,  // KILL
    11, // SEGV
    18, // CONT
    19, // STOP
    31, // SYS
];

/// Whether the kernel keeps at most one pending signal of this number, and what that came with may be lost.
///
/// Such a doorbell names no event, since it can stand for several, even of several registrations. So a lane of
/// a standard signal has a window of 1, and [`MODE_PER_EVENT`] is refused for it.
#[must_use]
pub const fn is_standard_signal(signo: u32) -> bool {
    signo >= 1 && signo <= 31
}

/// Whether [`Register::signo`] may be this.
#[must_use]
pub const fn may_register_signal(signo: u32) -> bool {
    if !is_standard_signal(signo) {
        return signo >= FIRST_SIGNAL && signo <= LAST_SIGNAL;
    }
    let mut index = 0;
    while index < REFUSED_SIGNALS.len() {
        if REFUSED_SIGNALS[index] == signo {
            return false;
        }
        index += 1;
    }
    true
}

/// Queue length used when [`Register::queue_len`] is 0.
pub const DEFAULT_QUEUE: u32 = 1024;
/// Payload quota used when [`Register::quota`] is 0.
pub const DEFAULT_QUOTA: u64 = 1 << 20;
/// Window used when [`Register::window`] is 0.
pub const DEFAULT_WINDOW: u32 = 32;

/// [`Register::mode`]: one queued signal per event, at most [`Register::window`] unconsumed ones signalled.
pub const MODE_PER_EVENT: u32 = 1;
/// [`Register::mode`]: at most [`Register::window`] signals outstanding, later events ride on the drain.
pub const MODE_WINDOW: u32 = 2;
/// [`Register::mode`]: one signal when a lane that was drained has something again, none while it is drained.
pub const MODE_COALESCED: u32 = 3;

/// [`Register::policy`]: an event that does not fit is lost, the queue stays as it is.
pub const POLICY_REJECT_NEWEST: u32 = 1;
/// [`Register::policy`]: the oldest queued events make place and are lost; needs a queue of at least 2.
pub const POLICY_DROP_OLDEST: u32 = 2;
/// [`Register::policy`]: only the latest event of each source stays queued; needs a queue of at least 2.
pub const POLICY_LATEST_ONLY: u32 = 3;
/// [`Register::policy`]: producers that are able to wait do so until there is room; for the others it is
/// [`POLICY_REJECT_NEWEST`].
pub const POLICY_BLOCK: u32 = 4;

/// [`Register::clock`]: record times are `CLOCK_MONOTONIC`.
pub const CLOCK_MONOTONIC: u32 = 1;

/// [`Register::flags`]: `pread` by handle returns the record, then the payload.
pub const REG_PREAD_RECORD: u32 = 1 << 0;
/// [`Register::flags`]: a complete `pread` consumes the event (default in per-event mode).
pub const REG_PREAD_CONSUME: u32 = 1 << 1;
/// [`Register::flags`]: a `pread` never consumes the event (default in window mode).
pub const REG_PREAD_KEEP: u32 = 1 << 2;
/// [`Register::flags`]: `read` returns the bytes of one stream source, without records.
pub const REG_STREAM: u32 = 1 << 8;
/// Every known bit of [`Register::flags`].
pub const REG_FLAGS: u32 = REG_PREAD_RECORD | REG_PREAD_CONSUME | REG_PREAD_KEEP | REG_STREAM;

/// [`Subscribe::flags`]: records carry [`Subscribe::cookie`] instead of the registration's.
pub const SUB_COOKIE: u32 = 1 << 0;
/// [`Subscribe::flags`]: only events that pass the filter are delivered.
pub const SUB_FILTER: u32 = 1 << 1;
/// Every known bit of [`Subscribe::flags`].
pub const SUB_FLAGS: u32 = SUB_COOKIE | SUB_FILTER;

/// [`Record::kind`]: an event.
pub const KIND_EVENT: u16 = 0;
/// [`Record::kind`]: the first of those that no producer may use.
pub const FIRST_RESERVED_KIND: u16 = 0xfff0;
/// [`Record::kind`]: the source is gone; nothing of it follows.
pub const KIND_GONE: u16 = 0xfffe;
/// [`Record::kind`]: a gap, which says what was lost.
pub const KIND_GAP: u16 = 0xffff;

/// [`Record::flags`]: [`Record::value`] was given by the producer.
pub const RECORD_VALUE: u16 = 1 << 0;
/// [`Record::flags`]: the whole payload is the first `payload_len` bytes of [`Record::value`] in memory order.
pub const RECORD_INLINE: u16 = 1 << 1;

/// [`Record::reason`] of a gap (a set of bits): the lane's queue was full.
pub const LOST_QUEUE_FULL: u16 = 1 << 0;
/// [`Record::reason`] of a gap (a set of bits): the payload quota was used up.
pub const LOST_QUOTA: u16 = 1 << 1;
/// [`Record::reason`] of a gap (a set of bits): the payload is larger than the quota could ever hold.
pub const LOST_TOO_LARGE: u16 = 1 << 2;
/// [`Record::reason`] of a gap (a set of bits): made place for newer events.
pub const LOST_OLDEST: u16 = 1 << 3;
/// [`Record::reason`] of a gap (a set of bits): replaced by a later event of the same source.
pub const LOST_SUPERSEDED: u16 = 1 << 4;

/// [`SourceInfo::source_type`]: created by a process, posted to with `write`.
pub const SOURCE_USER: u32 = 1;
/// [`SourceInfo::source_type`]: a timer that the module runs.
pub const SOURCE_TIMER: u32 = 2;
/// [`SourceInfo::source_type`]: a kernel driver.
pub const SOURCE_DRIVER: u32 = 3;

/// [`SourceInfo::flags`]: a `write` of a [`Post`] to this source is taken.
pub const SOURCE_WRITABLE: u32 = 1 << 0;
/// [`SourceInfo::flags`] and [`CreateSource::flags`]: a `write` waits for room at the subscribers that
/// registered with [`POLICY_BLOCK`].
pub const SOURCE_BLOCKING: u32 = 1 << 1;
/// [`SourceInfo::flags`] and [`CreateSource::flags`]: the payloads are a stream of bytes, whose division into
/// events means nothing.
pub const SOURCE_STREAM: u32 = 1 << 2;
/// [`SourceInfo::flags`]: answers [`IOC_CALL`].
pub const SOURCE_CALLABLE: u32 = 1 << 3;

/// [`Post::flags`]: [`Post::value`] is given.
pub const POST_VALUE: u16 = 1 << 0;
/// [`Post::flags`]: the payload lies in the outbox of the file, and what follows the structure is where, 8 bytes.
pub const POST_REFERENCE: u16 = 1 << 1;

/// [`Call::flags`]: message and answer lie in the outbox of the file, and their addresses are places there.
pub const CALL_REFERENCE: u32 = 1 << 0;

/// Longest outbox, in bytes.
pub const MAX_OUTBOX: u64 = 64 << 20;

/// [`Stats::state`]: a registration is in force.
pub const STATE_REGISTERED: u32 = 1 << 0;
/// [`Stats::state`]: the last attempt to queue a signal was refused and the lane has not been drained since.
pub const STATE_REFUSED: u32 = 1 << 1;
/// [`Stats::state`]: the target thread has exited and no failover thread is left; events are kept.
pub const STATE_TARGET_GONE: u32 = 1 << 2;
/// [`Stats::state`]: the target executed another program; nothing is sent any more.
pub const STATE_EXEC: u32 = 1 << 3;
/// [`Stats::state`]: the target neither blocks nor handles the signal; it is not sent, events are kept.
pub const STATE_UNHANDLED: u32 = 1 << 4;
/// [`Stats::state`]: the index of a mapped ring is not between what was consumed and what was published.
pub const STATE_BAD_INDEX: u32 = 1 << 5;

/// `ioctl` type byte of every command.
pub const IOC_TYPE: u32 = 0xb7;

/// The command with this number: direction read and write, and size 0, because the structure says its size.
const fn ioc(number: u32) -> u32 {
    (3 << 30) | (IOC_TYPE << 8) | number
}

/// `ioctl`: register a thread of the calling process; [`Register`].
pub const IOC_REGISTER: u32 = ioc(1);
/// `ioctl`: end the registration; [`Unregister`].
pub const IOC_UNREGISTER: u32 = ioc(2);
/// `ioctl`: subscribe the registration to a source; [`Subscribe`].
pub const IOC_SUBSCRIBE: u32 = ioc(3);
/// `ioctl`: end a subscription; [`Unsubscribe`].
pub const IOC_UNSUBSCRIBE: u32 = ioc(4);
/// `ioctl`: list the sources; [`ListSources`].
pub const IOC_LIST_SOURCES: u32 = ioc(5);
/// `ioctl`: create a user or timer source; [`CreateSource`].
pub const IOC_CREATE_SOURCE: u32 = ioc(6);
/// `ioctl`: destroy a source that this file created; [`DestroySource`].
pub const IOC_DESTROY_SOURCE: u32 = ioc(7);
/// `ioctl`: read the counters; [`Stats`].
pub const IOC_STATS: u32 = ioc(8);
/// `ioctl`: add a lane to the registration; [`Lane`].
pub const IOC_ADD_LANE: u32 = ioc(9);
/// `ioctl`: change how a lane announces events; [`SetMode`].
pub const IOC_SET_MODE: u32 = ioc(10);
/// `ioctl`: arm a drained lane in coalesced mode; [`Arm`].
pub const IOC_ARM: u32 = ioc(11);
/// `ioctl`: read from one lane; [`Read`].
pub const IOC_READ: u32 = ioc(12);
/// `ioctl`: publish a lane to a ring that can be mapped; [`Ring`].
pub const IOC_MAP_RING: u32 = ioc(13);
/// `ioctl`: give the file an outbox, memory that the process writes and drivers read; [`Outbox`].
pub const IOC_MAP_OUTBOX: u32 = ioc(14);
/// `ioctl`: how long a `read` and a `write` of the file wait; [`Timeouts`].
pub const IOC_SET_TIMEOUTS: u32 = ioc(15);
/// `ioctl`: call the driver behind a source and wait for its answer; [`Call`].
pub const IOC_CALL: u32 = ioc(16);
/// `ioctl`: the gap that the last `ENOBUFS` of a stream stood for; [`StreamGap`].
pub const IOC_STREAM_GAP: u32 = ioc(17);

abi_struct! {
    /// One event, or one gap in the stream of a source.
    ///
    /// `read` returns these, each followed by its payload unless `RTNOTIFY_RECORD_INLINE` is set, padded
    /// to 8 bytes.
    pub struct Record as "rtnotify_record", 64 bytes {
        /// Sequence number within the registration, from 1: merges lanes again. Holes only where a policy
        /// withdrew queued events.
        seq: u64 = 0,
        /// Sequence number within the source, from 1. Gap: first lost number. Gone: the last one posted.
        source_seq: u64 = 8,
        /// Number of the source.
        source: u32 = 16,
        /// Kind given by the producer; `RTNOTIFY_KIND_GAP` for a gap, `RTNOTIFY_KIND_GONE` for the end of the source.
        kind: u16 = 20,
        /// `RTNOTIFY_RECORD_*`.
        flags: u16 = 22,
        /// Nanoseconds on the registration's clock, latched at the event. Gap: of the first lost event.
        time_ns: u64 = 24,
        /// Level, count or whole payload, latched at the event. Gap: last lost number.
        value: u64 = 32,
        /// Names the payload for `pread`; also in `si_value` of the signal. Never 0. In a mapped ring: where the
        /// payload lies in the pool, in bytes.
        handle: u64 = 40,
        /// The subscriber's own.
        cookie: u64 = 48,
        /// Payload length in bytes. Gap: number of events lost, saturating.
        payload_len: u32 = 56,
        /// Signal number of the lane.
        signo: u16 = 60,
        /// Gap: `RTNOTIFY_LOST_*` bits. Else 0.
        reason: u16 = 62,
    }

    /// Argument of `RTNOTIFY_IOC_REGISTER`. A zero in `queue_len`, `quota` or `window` asks for the default;
    /// the values in force are written back.
    pub struct Register as "rtnotify_register", 96 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// `RTNOTIFY_REG_*`.
        flags: u32 = 4,
        /// Out: `RTNOTIFY_ABI_VERSION` of the implementation.
        abi: u32 = 8,
        /// Signal number: a realtime one, 34 to 64, or a standard one other than `KILL`, `STOP`, `CONT` and those
        /// that report an error of the instruction, which has a window of 1 and no per-event mode.
        signo: u32 = 12,
        /// Target thread of the calling process, as `gettid` gives it; 0: the calling thread.
        target_tid: i32 = 16,
        /// Thread that takes over when the target exits; 0: none.
        failover_tid: i32 = 20,
        /// `RTNOTIFY_MODE_*`.
        mode: u32 = 24,
        /// Signals outstanding at most, 1 to 256.
        window: u32 = 28,
        /// Queue length in records, 1 to 65536.
        queue_len: u32 = 32,
        /// `RTNOTIFY_POLICY_*`.
        policy: u32 = 36,
        /// `RTNOTIFY_CLOCK_*`.
        clock: u32 = 40,
        /// Records that all lanes together can queue, at least `queue_len`; 0: just that, for one lane.
        capacity: u32 = 44,
        /// Bytes of payload that may be queued.
        quota: u64 = 48,
        /// Returned in every record.
        cookie: u64 = 56,
        /// Must be 0.
        reserved: [u64; 4] = 64,
    }

    /// Argument of `RTNOTIFY_IOC_UNREGISTER`.
    pub struct Unregister as "rtnotify_unregister", 16 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Out: events that were still queued and are now lost.
        discarded: u64 = 8,
    }

    /// Argument of `RTNOTIFY_IOC_SUBSCRIBE`.
    pub struct Subscribe as "rtnotify_subscribe", 48 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// `RTNOTIFY_SUB_*`.
        flags: u32 = 4,
        /// Number of the source.
        source: u32 = 8,
        /// Lane: a registered signal number, or 0 for the first lane.
        signo: u32 = 12,
        /// Returned in the records of this source, with `RTNOTIFY_SUB_COOKIE`.
        cookie: u64 = 16,
        /// With `RTNOTIFY_SUB_FILTER`: bits of the value that matter; an event without a value has 0. Else 0.
        value_mask: u64 = 24,
        /// With `RTNOTIFY_SUB_FILTER`: what those bits must be. Else 0.
        value_match: u64 = 32,
        /// With `RTNOTIFY_SUB_FILTER`: first kind to pass. Else 0.
        kind_first: u16 = 40,
        /// With `RTNOTIFY_SUB_FILTER`: last kind to pass. Else 0.
        kind_last: u16 = 42,
        /// Must be 0.
        reserved: u32 = 44,
    }

    /// Argument of `RTNOTIFY_IOC_UNSUBSCRIBE`. Events already queued stay queued.
    pub struct Unsubscribe as "rtnotify_unsubscribe", 16 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Number of the source.
        source: u32 = 8,
        /// Must be 0.
        reserved: u32 = 12,
    }

    /// Argument of `RTNOTIFY_IOC_LIST_SOURCES`.
    pub struct ListSources as "rtnotify_list_sources", 48 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Only sources with this number or a higher one.
        first: u32 = 8,
        /// Entries that fit at `entries`.
        capacity: u32 = 12,
        /// Out: entries written.
        count: u32 = 16,
        /// Out: sources that match, whether they fitted or not.
        total: u32 = 20,
        /// Address of an array of `struct rtnotify_source_info`.
        entries: u64 = 24,
        /// Must be 0.
        reserved: [u64; 2] = 32,
    }

    /// One source, as listed.
    pub struct SourceInfo as "rtnotify_source_info", 96 bytes {
        /// Number of the source; never used again after the source is gone.
        number: u32 = 0,
        /// `RTNOTIFY_SOURCE_*` type.
        source_type: u32 = 4,
        /// `RTNOTIFY_SOURCE_*` flags.
        flags: u32 = 8,
        /// Longest payload in bytes.
        max_payload: u32 = 12,
        /// Events posted so far.
        posted: u64 = 16,
        /// Subscriptions now.
        subscribers: u32 = 24,
        /// 0.
        reserved: u32 = 28,
        /// Name, NUL-terminated.
        name: [u8; NAME_LEN] = 32,
        /// Timer source: period in nanoseconds. Else 0.
        period_ns: u64 = 80,
        /// Deliveries that a subscriber refused, all subscribers together.
        refused: u64 = 88,
    }

    /// Argument of `RTNOTIFY_IOC_CREATE_SOURCE`. The source lives as long as the open file.
    pub struct CreateSource as "rtnotify_create_source", 112 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// User source: `RTNOTIFY_SOURCE_BLOCKING`, `RTNOTIFY_SOURCE_STREAM`. Else 0.
        flags: u32 = 4,
        /// `RTNOTIFY_SOURCE_USER` or `RTNOTIFY_SOURCE_TIMER`.
        source_type: u32 = 8,
        /// Longest payload in bytes that the source will post; a timer has none.
        max_payload: u32 = 12,
        /// Out: number of the source.
        number: u32 = 16,
        /// Must be 0.
        reserved0: u32 = 20,
        /// Timer: period in nanoseconds. Else 0.
        period_ns: u64 = 24,
        /// Timer: expirations before it stops, 0: no end; only those with a subscriber count. Else 0.
        count: u64 = 32,
        /// Name, NUL-terminated, not empty, unique, printable ASCII without `/`.
        name: [u8; NAME_LEN] = 40,
        /// Timer: nanoseconds until the first expiration, 0: a whole period. Else 0.
        first_ns: u64 = 88,
        /// Must be 0.
        reserved: [u64; 2] = 96,
    }

    /// Argument of `RTNOTIFY_IOC_DESTROY_SOURCE`.
    pub struct DestroySource as "rtnotify_destroy_source", 16 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Number of the source.
        number: u32 = 8,
        /// Must be 0.
        reserved: u32 = 12,
    }

    /// Argument of `RTNOTIFY_IOC_STATS`. At any time
    /// `posted = consumed + queued + lost_queue_full + lost_quota + lost_too_large + lost_discarded + lost_oldest +
    /// lost_superseded`.
    pub struct Stats as "rtnotify_stats", 192 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Out: `RTNOTIFY_STATE_*`.
        state: u32 = 8,
        /// Out: subscriptions now.
        subscriptions: u32 = 12,
        /// Out: events posted to this file's registrations.
        posted: u64 = 16,
        /// Out: events consumed by `read` or `pread`.
        consumed: u64 = 24,
        /// Out: events queued now.
        queued: u64 = 32,
        /// Out: events lost because the queue was full.
        lost_queue_full: u64 = 40,
        /// Out: events lost because the payload quota was used up.
        lost_quota: u64 = 48,
        /// Out: events lost because the payload could never fit the quota.
        lost_too_large: u64 = 56,
        /// Out: events still queued when a registration ended.
        lost_discarded: u64 = 64,
        /// Out: gap records put into the stream.
        gaps: u64 = 72,
        /// Out: signals queued that carry a handle.
        signals_sent: u64 = 80,
        /// Out: signals that the kernel refused to queue (`RLIMIT_SIGPENDING`).
        signals_refused: u64 = 88,
        /// Out: fallback doorbells, which carry no handle.
        fallbacks: u64 = 96,
        /// Out: events announced by a doorbell that was already outstanding.
        coalesced: u64 = 104,
        /// Out: reads that found nothing.
        spurious: u64 = 112,
        /// Out: handles that named no queued event.
        stale: u64 = 120,
        /// Out: target threads replaced by their failover thread.
        failovers: u64 = 128,
        /// Out: most records ever queued at once.
        high_water: u64 = 136,
        /// Out: bytes of the quota in use, rounded up to blocks.
        quota_used: u64 = 144,
        /// Out: events lost because newer ones took their place.
        lost_oldest: u64 = 152,
        /// Out: events lost because a later one of their source replaced them.
        lost_superseded: u64 = 160,
        /// Out: 0.
        reserved: [u64; 3] = 168,
    }

    /// Argument of `RTNOTIFY_IOC_ADD_LANE`: one more signal number with a queue of its own. Zeros in
    /// `queue_len` and `window` ask for the default; the values in force are written back.
    pub struct Lane as "rtnotify_lane", 64 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Signal number, not yet used by the registration. Lower numbers are read first.
        signo: u32 = 8,
        /// `RTNOTIFY_MODE_*`.
        mode: u32 = 12,
        /// Signals outstanding at most, 1 to 256.
        window: u32 = 16,
        /// Queue length in records; what the lanes have together must not exceed the capacity.
        queue_len: u32 = 20,
        /// `RTNOTIFY_POLICY_*`.
        policy: u32 = 24,
        /// Target thread, as in registering.
        target_tid: i32 = 28,
        /// Thread that takes over when the target exits; 0: none.
        failover_tid: i32 = 32,
        /// Must be 0.
        reserved0: u32 = 36,
        /// Must be 0.
        reserved: [u64; 3] = 40,
    }

    /// Argument of `RTNOTIFY_IOC_SET_MODE`.
    pub struct SetMode as "rtnotify_set_mode", 24 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Lane: a registered signal number, or 0 for the first lane.
        signo: u32 = 8,
        /// `RTNOTIFY_MODE_*`.
        mode: u32 = 12,
        /// Signals outstanding at most, 1 to 256; 0: as it is.
        window: u32 = 16,
        /// Must be 0.
        reserved: u32 = 20,
    }

    /// Argument of `RTNOTIFY_IOC_ARM`.
    pub struct Arm as "rtnotify_arm", 16 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Lane: a registered signal number, or 0 for the first lane.
        signo: u32 = 8,
        /// Must be 0.
        reserved: u32 = 12,
    }

    /// Argument of `RTNOTIFY_IOC_MAP_RING`. The offsets and lengths are for `mmap`, each to be mapped as a whole.
    pub struct Ring as "rtnotify_ring", 80 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Lane: a registered signal number, or 0 for the first lane.
        signo: u32 = 8,
        /// Out: records that the ring has place for, a power of two.
        entries: u32 = 12,
        /// Out: where the ring is: a page that starts with `struct rtnotify_ring_header`, then the records.
        ring_offset: u64 = 16,
        /// Out: its length in bytes.
        ring_len: u64 = 24,
        /// Out: where the page is that starts with `struct rtnotify_ring_control`, to be written.
        control_offset: u64 = 32,
        /// Out: its length in bytes.
        control_len: u64 = 40,
        /// Out: where the payloads of all lanes are.
        pool_offset: u64 = 48,
        /// Out: their length in bytes.
        pool_len: u64 = 56,
        /// Must be 0.
        reserved: [u64; 2] = 64,
    }

    /// What a mapped ring starts with; written by the kernel.
    pub struct RingHeader as "rtnotify_ring_header", 16 bytes {
        /// Records published so far. Record `n`, from 0, is at `n` modulo the number of entries. Load it with
        /// acquire semantics before looking at records.
        tail: u64 = 0,
        /// Not 0: the registration has ended, nothing more will be published.
        ended: u64 = 8,
    }

    /// What the process writes.
    pub struct RingControl as "rtnotify_ring_control", 8 bytes {
        /// Records that the process is done with, at most as many as were published. Store it with release
        /// semantics; from then on those records and their payloads may be overwritten.
        head: u64 = 0,
    }

    /// Argument of `RTNOTIFY_IOC_MAP_OUTBOX`: memory of the open file, for payloads that are passed by reference.
    /// It is there as long as the file is open or the memory mapped.
    pub struct Outbox as "rtnotify_outbox", 40 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Length in bytes, 1 to `RTNOTIFY_MAX_OUTBOX`. Out: in whole pages.
        len: u64 = 8,
        /// Out: where it is, for `mmap`, to be mapped as a whole.
        offset: u64 = 16,
        /// Must be 0.
        reserved: [u64; 2] = 24,
    }

    /// Argument of `RTNOTIFY_IOC_SET_TIMEOUTS`: what `SO_RCVTIMEO` and `SO_SNDTIMEO` are to a socket.
    pub struct Timeouts as "rtnotify_timeouts", 40 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Nanoseconds that a blocking `read` waits before it gives `EAGAIN`; 0: without end.
        read_ns: u64 = 8,
        /// Nanoseconds that a `write` to a blocking source waits before it gives `EAGAIN`; 0: without end.
        write_ns: u64 = 16,
        /// Must be 0.
        reserved: [u64; 2] = 24,
    }

    /// Argument of `RTNOTIFY_IOC_READ`: as `read`, from one lane.
    pub struct Read as "rtnotify_read", 48 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Lane: a registered signal number, or 0 for all, lowest number first.
        signo: u32 = 8,
        /// Must be 0.
        reserved0: u32 = 12,
        /// Address of the buffer.
        buffer: u64 = 16,
        /// Bytes that fit there.
        len: u64 = 24,
        /// Out: bytes written.
        read: u64 = 32,
        /// Must be 0.
        reserved: u64 = 40,
    }

    /// Head of one message in a `write`; `payload_len` bytes follow, padded to 8 bytes unless last. With
    /// `RTNOTIFY_POST_REFERENCE` a `__u64` follows instead: where in the outbox the payload starts.
    pub struct Post as "rtnotify_post", 32 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Number of the source.
        source: u32 = 4,
        /// Passed on in the record; not `RTNOTIFY_KIND_GAP`.
        kind: u16 = 8,
        /// `RTNOTIFY_POST_*`.
        flags: u16 = 10,
        /// Payload length in bytes.
        payload_len: u32 = 12,
        /// Passed on in the record, with `RTNOTIFY_POST_VALUE`; else 0.
        value: u64 = 16,
        /// Must be 0.
        reserved: u64 = 24,
    }

    /// Argument of `RTNOTIFY_IOC_CALL`.
    pub struct Call as "rtnotify_call", 64 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// `RTNOTIFY_CALL_*`.
        flags: u32 = 4,
        /// Number of the source.
        source: u32 = 8,
        /// The driver's own.
        kind: u16 = 12,
        /// Must be 0.
        reserved0: u16 = 14,
        /// The driver's own.
        value: u64 = 16,
        /// Address of the message to the driver.
        message: u64 = 24,
        /// Address where the answer goes.
        answer: u64 = 32,
        /// Length of the message in bytes.
        message_len: u32 = 40,
        /// Bytes that fit at `answer`. Out: length of the answer.
        answer_len: u32 = 44,
        /// How long to wait for the answer, in nanoseconds; 0: without end.
        timeout_ns: u64 = 48,
        /// Must be 0.
        reserved: u64 = 56,
    }

    /// Argument of `RTNOTIFY_IOC_STREAM_GAP`.
    pub struct StreamGap as "rtnotify_stream_gap", 64 bytes {
        /// Size of this structure.
        size: u32 = 0,
        /// Must be 0.
        flags: u32 = 4,
        /// Out: gaps that this registration's `read` has stopped at so far.
        gaps: u64 = 8,
        /// Out: number of the source.
        source: u32 = 16,
        /// Out: `RTNOTIFY_LOST_*` bits.
        reason: u32 = 20,
        /// Out: first lost number of the source.
        first: u64 = 24,
        /// Out: last lost number of the source.
        last: u64 = 32,
        /// Out: nanoseconds on the registration's clock, of the first lost event.
        time_ns: u64 = 40,
        /// Out: number of events lost, saturating.
        count: u32 = 48,
        /// Must be 0.
        reserved0: u32 = 52,
        /// Must be 0.
        reserved: u64 = 56,
    }
}

/// Rounds a frame length up to [`FRAME_ALIGN`].
#[must_use]
pub const fn frame_align(len: usize) -> usize {
    (len + FRAME_ALIGN - 1) & !(FRAME_ALIGN - 1)
}

impl Stats {
    /// The bits of `state` by their names.
    pub const STATES: [(u32, &'static str); 5] = [
        (STATE_REGISTERED, "registered"),
        (STATE_REFUSED, "refused"),
        (STATE_TARGET_GONE, "target-gone"),
        (STATE_EXEC, "exec"),
        (STATE_UNHANDLED, "unhandled"),
    ];

    /// The counters by their names: what everything that prints them calls them.
    #[must_use]
    pub const fn counters(&self) -> [(&'static str, u64); 19] {
        [
            ("posted", self.posted),
            ("consumed", self.consumed),
            ("queued", self.queued),
            ("lost_queue_full", self.lost_queue_full),
            ("lost_quota", self.lost_quota),
            ("lost_too_large", self.lost_too_large),
            ("lost_discarded", self.lost_discarded),
            ("lost_oldest", self.lost_oldest),
            ("lost_superseded", self.lost_superseded),
            ("gaps", self.gaps),
            ("signals_sent", self.signals_sent),
            ("signals_refused", self.signals_refused),
            ("fallbacks", self.fallbacks),
            ("coalesced", self.coalesced),
            ("spurious", self.spurious),
            ("stale", self.stale),
            ("failovers", self.failovers),
            ("high_water", self.high_water),
            ("quota_used", self.quota_used),
        ]
    }
}

/// How frames follow each other in what `read` returned:
///
/// ```
/// use rtnotify_core::abi::{Record, RECORD_INLINE};
///
/// let inline = Record { payload_len: 3, flags: RECORD_INLINE, ..Record::zeroed() };
/// let behind = Record { payload_len: 13, ..Record::zeroed() };
/// let mut bytes = inline.to_bytes().to_vec();
/// bytes.extend(behind.to_bytes());
/// bytes.extend([0xaa; 16]); // 13 bytes of payload and 3 of padding
///
/// let first = Record::from_bytes(bytes[..64].try_into().unwrap());
/// let rest = &bytes[first.frame_len()..];
/// let second = Record::from_bytes(rest[..64].try_into().unwrap());
/// assert_eq!(second.trailing_len(), 13);
/// assert_eq!(second.frame_len(), rest.len());
/// ```
impl Record {
    /// Whether this is a gap.
    #[must_use]
    pub fn is_gap(&self) -> bool {
        self.kind == KIND_GAP
    }

    /// Whether this is an event, rather than a note about its source.
    #[must_use]
    pub fn is_event(&self) -> bool {
        self.kind < FIRST_RESERVED_KIND
    }

    /// Bytes of payload that follow the record in a frame: none for a note or an inline payload.
    #[must_use]
    pub fn trailing_len(&self) -> usize {
        if !self.is_event() || self.flags & RECORD_INLINE != 0 {
            0
        } else {
            self.payload_len as usize
        }
    }

    /// Length of the frame that `read` returns for this record, with padding.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        Self::BYTES + frame_align(self.trailing_len())
    }
}

/// The constants of the header, in its order: name without prefix, value, documentation.
///
/// Kept beside the definitions so that the generated header cannot miss one.
pub const C_CONSTANTS: &[(&str, u64, &str)] = &[
    (
        "ABI_VERSION",
        ABI_VERSION as u64,
        "Version of this interface.",
    ),
    (
        "MAX_PAYLOAD",
        MAX_PAYLOAD as u64,
        "Longest payload in bytes.",
    ),
    (
        "INLINE_PAYLOAD",
        INLINE_PAYLOAD as u64,
        "Longest payload that travels in the value.",
    ),
    ("MAX_QUEUE", MAX_QUEUE as u64, "Longest queue in records."),
    ("MAX_QUOTA", MAX_QUOTA, "Largest payload quota in bytes."),
    ("MAX_WINDOW", MAX_WINDOW as u64, "Largest delivery window."),
    (
        "MAX_SUBSCRIPTIONS",
        MAX_SUBSCRIPTIONS as u64,
        "Subscriptions per registration.",
    ),
    (
        "NAME_LEN",
        NAME_LEN as u64,
        "Length of a source name with its NUL.",
    ),
    (
        "FRAME_ALIGN",
        FRAME_ALIGN as u64,
        "Alignment of frames in read and write.",
    ),
    (
        "MAX_WRITE",
        MAX_WRITE as u64,
        "Longest single write in bytes.",
    ),
    (
        "MIN_TIMER_PERIOD_NS",
        MIN_TIMER_PERIOD_NS,
        "Shortest timer period.",
    ),
    (
        "FIRST_SIGNAL",
        FIRST_SIGNAL as u64,
        "First realtime signal number that may be registered.",
    ),
    (
        "LAST_SIGNAL",
        LAST_SIGNAL as u64,
        "Last realtime signal number.",
    ),
    ("DEFAULT_QUEUE", DEFAULT_QUEUE as u64, "Queue length for 0."),
    ("DEFAULT_QUOTA", DEFAULT_QUOTA, "Quota for 0."),
    ("DEFAULT_WINDOW", DEFAULT_WINDOW as u64, "Window for 0."),
    (
        "MODE_PER_EVENT",
        MODE_PER_EVENT as u64,
        "One queued signal per event, paced by the window.",
    ),
    (
        "MODE_WINDOW",
        MODE_WINDOW as u64,
        "At most window signals outstanding.",
    ),
    (
        "MODE_COALESCED",
        MODE_COALESCED as u64,
        "One signal when a drained lane has something again.",
    ),
    (
        "POLICY_REJECT_NEWEST",
        POLICY_REJECT_NEWEST as u64,
        "What does not fit is lost.",
    ),
    (
        "POLICY_DROP_OLDEST",
        POLICY_DROP_OLDEST as u64,
        "The oldest queued events make place.",
    ),
    (
        "POLICY_LATEST_ONLY",
        POLICY_LATEST_ONLY as u64,
        "Only the latest event of each source stays.",
    ),
    (
        "POLICY_BLOCK",
        POLICY_BLOCK as u64,
        "Producers that can wait do so.",
    ),
    (
        "CLOCK_MONOTONIC",
        CLOCK_MONOTONIC as u64,
        "Times are CLOCK_MONOTONIC.",
    ),
    (
        "REG_PREAD_RECORD",
        REG_PREAD_RECORD as u64,
        "pread returns the record, then the payload.",
    ),
    (
        "REG_PREAD_CONSUME",
        REG_PREAD_CONSUME as u64,
        "A complete pread consumes (default per event).",
    ),
    (
        "REG_PREAD_KEEP",
        REG_PREAD_KEEP as u64,
        "A pread never consumes (default with a window).",
    ),
    (
        "REG_STREAM",
        REG_STREAM as u64,
        "read returns the bytes of one stream source.",
    ),
    (
        "SUB_COOKIE",
        SUB_COOKIE as u64,
        "The subscription has a cookie of its own.",
    ),
    (
        "SUB_FILTER",
        SUB_FILTER as u64,
        "Only events that pass the filter.",
    ),
    ("KIND_EVENT", KIND_EVENT as u64, "An event."),
    (
        "FIRST_RESERVED_KIND",
        FIRST_RESERVED_KIND as u64,
        "First kind that no producer may use.",
    ),
    ("KIND_GONE", KIND_GONE as u64, "The source is gone."),
    ("KIND_GAP", KIND_GAP as u64, "A gap: what was lost."),
    (
        "RECORD_VALUE",
        RECORD_VALUE as u64,
        "The producer gave the value.",
    ),
    (
        "RECORD_INLINE",
        RECORD_INLINE as u64,
        "The value holds the whole payload.",
    ),
    (
        "LOST_QUEUE_FULL",
        LOST_QUEUE_FULL as u64,
        "Lost: the queue was full.",
    ),
    (
        "LOST_QUOTA",
        LOST_QUOTA as u64,
        "Lost: the payload quota was used up.",
    ),
    (
        "LOST_TOO_LARGE",
        LOST_TOO_LARGE as u64,
        "Lost: larger than the quota.",
    ),
    (
        "LOST_OLDEST",
        LOST_OLDEST as u64,
        "Lost: made place for newer events.",
    ),
    (
        "LOST_SUPERSEDED",
        LOST_SUPERSEDED as u64,
        "Lost: replaced by a later event of its source.",
    ),
    (
        "SOURCE_USER",
        SOURCE_USER as u64,
        "Source type: created by a process.",
    ),
    ("SOURCE_TIMER", SOURCE_TIMER as u64, "Source type: timer."),
    (
        "SOURCE_DRIVER",
        SOURCE_DRIVER as u64,
        "Source type: kernel driver.",
    ),
    (
        "SOURCE_WRITABLE",
        SOURCE_WRITABLE as u64,
        "Source flag: takes writes.",
    ),
    (
        "SOURCE_BLOCKING",
        SOURCE_BLOCKING as u64,
        "Source flag: a write waits for room.",
    ),
    (
        "SOURCE_STREAM",
        SOURCE_STREAM as u64,
        "Source flag: a stream of bytes.",
    ),
    (
        "SOURCE_CALLABLE",
        SOURCE_CALLABLE as u64,
        "Source flag: answers calls.",
    ),
    ("POST_VALUE", POST_VALUE as u64, "The value is given."),
    (
        "POST_REFERENCE",
        POST_REFERENCE as u64,
        "The payload lies in the outbox.",
    ),
    (
        "CALL_REFERENCE",
        CALL_REFERENCE as u64,
        "Message and answer lie in the outbox.",
    ),
    ("MAX_OUTBOX", MAX_OUTBOX, "Longest outbox in bytes."),
    (
        "STATE_REGISTERED",
        STATE_REGISTERED as u64,
        "A registration is in force.",
    ),
    (
        "STATE_REFUSED",
        STATE_REFUSED as u64,
        "The last signal was refused.",
    ),
    (
        "STATE_TARGET_GONE",
        STATE_TARGET_GONE as u64,
        "The target exited; events are kept.",
    ),
    (
        "STATE_EXEC",
        STATE_EXEC as u64,
        "The target executed another program.",
    ),
    (
        "STATE_UNHANDLED",
        STATE_UNHANDLED as u64,
        "The target would die of the signal; events are kept.",
    ),
    (
        "STATE_BAD_INDEX",
        STATE_BAD_INDEX as u64,
        "The index of a mapped ring cannot be right.",
    ),
    (
        "IOC_REGISTER",
        IOC_REGISTER as u64,
        "struct rtnotify_register",
    ),
    (
        "IOC_UNREGISTER",
        IOC_UNREGISTER as u64,
        "struct rtnotify_unregister",
    ),
    (
        "IOC_SUBSCRIBE",
        IOC_SUBSCRIBE as u64,
        "struct rtnotify_subscribe",
    ),
    (
        "IOC_UNSUBSCRIBE",
        IOC_UNSUBSCRIBE as u64,
        "struct rtnotify_unsubscribe",
    ),
    (
        "IOC_LIST_SOURCES",
        IOC_LIST_SOURCES as u64,
        "struct rtnotify_list_sources",
    ),
    (
        "IOC_CREATE_SOURCE",
        IOC_CREATE_SOURCE as u64,
        "struct rtnotify_create_source",
    ),
    (
        "IOC_DESTROY_SOURCE",
        IOC_DESTROY_SOURCE as u64,
        "struct rtnotify_destroy_source",
    ),
    ("IOC_STATS", IOC_STATS as u64, "struct rtnotify_stats"),
    ("IOC_ADD_LANE", IOC_ADD_LANE as u64, "struct rtnotify_lane"),
    (
        "IOC_SET_MODE",
        IOC_SET_MODE as u64,
        "struct rtnotify_set_mode",
    ),
    ("IOC_ARM", IOC_ARM as u64, "struct rtnotify_arm"),
    ("IOC_READ", IOC_READ as u64, "struct rtnotify_read"),
    ("IOC_MAP_RING", IOC_MAP_RING as u64, "struct rtnotify_ring"),
    (
        "IOC_MAP_OUTBOX",
        IOC_MAP_OUTBOX as u64,
        "struct rtnotify_outbox",
    ),
    (
        "IOC_SET_TIMEOUTS",
        IOC_SET_TIMEOUTS as u64,
        "struct rtnotify_timeouts",
    ),
    ("IOC_CALL", IOC_CALL as u64, "struct rtnotify_call"),
    (
        "IOC_STREAM_GAP",
        IOC_STREAM_GAP as u64,
        "struct rtnotify_stream_gap",
    ),
];
