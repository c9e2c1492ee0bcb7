/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR MIT) */
/*
 * rtnotify: signal-driven notification with payloads, the interface between
 * the module and its users.
 *
 * Generated from notify-kmod/core/src/abi.rs; do not edit. See docs/abi.md.
 */
#ifndef RTNOTIFY_UAPI_H
#define RTNOTIFY_UAPI_H

#include <linux/types.h>

/* The device. */
#define RTNOTIFY_DEVICE "/dev/rtnotify"

/* Version of this interface. */
#define RTNOTIFY_ABI_VERSION 1

/* Longest payload in bytes. */
#define RTNOTIFY_MAX_PAYLOAD 2097151

/* Longest payload that travels in the value. */
#define RTNOTIFY_INLINE_PAYLOAD 8

/* Longest queue in records. */
#define RTNOTIFY_MAX_QUEUE 65536
/* Largest payload quota in bytes. */
#define RTNOTIFY_MAX_QUOTA 268435456
/* Largest delivery window. */
#define RTNOTIFY_MAX_WINDOW 256
/* Subscriptions per registration. */
#define RTNOTIFY_MAX_SUBSCRIPTIONS 64

/* Length of a source name with its NUL. */
#define RTNOTIFY_NAME_LEN 48

/* Alignment of frames in read and write. */
#define RTNOTIFY_FRAME_ALIGN 8

/* Longest single write in bytes. */
#define RTNOTIFY_MAX_WRITE 4194304

/* Shortest timer period. */
#define RTNOTIFY_MIN_TIMER_PERIOD_NS 20000

/* First realtime signal number that may be registered. */
#define RTNOTIFY_FIRST_SIGNAL 34

/* Last realtime signal number. */
#define RTNOTIFY_LAST_SIGNAL 64

/* Queue length for 0. */
#define RTNOTIFY_DEFAULT_QUEUE 1024
/* Quota for 0. */
#define RTNOTIFY_DEFAULT_QUOTA 1048576
/* Window for 0. */
#define RTNOTIFY_DEFAULT_WINDOW 32

/* One queued signal per event, paced by the window. */
#define RTNOTIFY_MODE_PER_EVENT 1
/* At most window signals outstanding. */
#define RTNOTIFY_MODE_WINDOW 2
/* One signal when a drained lane has something again. */
#define RTNOTIFY_MODE_COALESCED 3

/* What does not fit is lost. */
#define RTNOTIFY_POLICY_REJECT_NEWEST 1
/* The oldest queued events make place. */
#define RTNOTIFY_POLICY_DROP_OLDEST 2
/* Only the latest event of each source stays. */
#define RTNOTIFY_POLICY_LATEST_ONLY 3
/* Producers that can wait do so. */
#define RTNOTIFY_POLICY_BLOCK 4

/* Times are CLOCK_MONOTONIC. */
#define RTNOTIFY_CLOCK_MONOTONIC 1

/* pread returns the record, then the payload. */
#define RTNOTIFY_REG_PREAD_RECORD 0x1U
/* A complete pread consumes (default per event). */
#define RTNOTIFY_REG_PREAD_CONSUME 0x2U
/* A pread never consumes (default with a window). */
#define RTNOTIFY_REG_PREAD_KEEP 0x4U
/* read returns the bytes of one stream source. */
#define RTNOTIFY_REG_STREAM 0x100U

/* The subscription has a cookie of its own. */
#define RTNOTIFY_SUB_COOKIE 0x1U
/* Only events that pass the filter. */
#define RTNOTIFY_SUB_FILTER 0x2U

/* An event. */
#define RTNOTIFY_KIND_EVENT 0x0

/* First kind that no producer may use. */
#define RTNOTIFY_FIRST_RESERVED_KIND 65520

/* The source is gone. */
#define RTNOTIFY_KIND_GONE 0xfffe
/* A gap: what was lost. */
#define RTNOTIFY_KIND_GAP 0xffff

/* The producer gave the value. */
#define RTNOTIFY_RECORD_VALUE 0x1U
/* The value holds the whole payload. */
#define RTNOTIFY_RECORD_INLINE 0x2U

/* Lost: the queue was full. */
#define RTNOTIFY_LOST_QUEUE_FULL 0x1U
/* Lost: the payload quota was used up. */
#define RTNOTIFY_LOST_QUOTA 0x2U
/* Lost: larger than the quota. */
#define RTNOTIFY_LOST_TOO_LARGE 0x4U
/* Lost: made place for newer events. */
#define RTNOTIFY_LOST_OLDEST 0x8U
/* Lost: replaced by a later event of its source. */
#define RTNOTIFY_LOST_SUPERSEDED 0x10U

/* Source type: created by a process. */
#define RTNOTIFY_SOURCE_USER 1
/* Source type: timer. */
#define RTNOTIFY_SOURCE_TIMER 2
/* Source type: kernel driver. */
#define RTNOTIFY_SOURCE_DRIVER 3
/* Source flag: takes writes. */
#define RTNOTIFY_SOURCE_WRITABLE 0x1U
/* Source flag: a write waits for room. */
#define RTNOTIFY_SOURCE_BLOCKING 2
/* Source flag: a stream of bytes. */
#define RTNOTIFY_SOURCE_STREAM 4
/* Source flag: answers calls. */
#define RTNOTIFY_SOURCE_CALLABLE 8

/* The value is given. */
#define RTNOTIFY_POST_VALUE 0x1U
/* The payload lies in the outbox. */
#define RTNOTIFY_POST_REFERENCE 0x2U

/* Message and answer lie in the outbox. */
#define RTNOTIFY_CALL_REFERENCE 1

/* Longest outbox in bytes. */
#define RTNOTIFY_MAX_OUTBOX 67108864

/* A registration is in force. */
#define RTNOTIFY_STATE_REGISTERED 0x1U
/* The last signal was refused. */
#define RTNOTIFY_STATE_REFUSED 0x2U
/* The target exited; events are kept. */
#define RTNOTIFY_STATE_TARGET_GONE 0x4U
/* The target executed another program. */
#define RTNOTIFY_STATE_EXEC 0x8U
/* The target would die of the signal; events are kept. */
#define RTNOTIFY_STATE_UNHANDLED 0x10U
/* The index of a mapped ring cannot be right. */
#define RTNOTIFY_STATE_BAD_INDEX 0x20U

/*
 * The size in these numbers is 0 on purpose: every structure starts with its
 * own size, so that it can grow while the number stays the same.
 */
/* struct rtnotify_register */
#define RTNOTIFY_IOC_REGISTER 0xc000b701U
/* struct rtnotify_unregister */
#define RTNOTIFY_IOC_UNREGISTER 0xc000b702U
/* struct rtnotify_subscribe */
#define RTNOTIFY_IOC_SUBSCRIBE 0xc000b703U
/* struct rtnotify_unsubscribe */
#define RTNOTIFY_IOC_UNSUBSCRIBE 0xc000b704U
/* struct rtnotify_list_sources */
#define RTNOTIFY_IOC_LIST_SOURCES 0xc000b705U
/* struct rtnotify_create_source */
#define RTNOTIFY_IOC_CREATE_SOURCE 0xc000b706U
/* struct rtnotify_destroy_source */
#define RTNOTIFY_IOC_DESTROY_SOURCE 0xc000b707U
/* struct rtnotify_stats */
#define RTNOTIFY_IOC_STATS 0xc000b708U
/* struct rtnotify_lane */
#define RTNOTIFY_IOC_ADD_LANE 0xc000b709U
/* struct rtnotify_set_mode */
#define RTNOTIFY_IOC_SET_MODE 0xc000b70aU
/* struct rtnotify_arm */
#define RTNOTIFY_IOC_ARM 0xc000b70bU
/* struct rtnotify_read */
#define RTNOTIFY_IOC_READ 0xc000b70cU
/* struct rtnotify_ring */
#define RTNOTIFY_IOC_MAP_RING 0xc000b70dU
/* struct rtnotify_outbox */
#define RTNOTIFY_IOC_MAP_OUTBOX 0xc000b70eU
/* struct rtnotify_timeouts */
#define RTNOTIFY_IOC_SET_TIMEOUTS 0xc000b70fU
/* struct rtnotify_call */
#define RTNOTIFY_IOC_CALL 0xc000b710U
/* struct rtnotify_stream_gap */
#define RTNOTIFY_IOC_STREAM_GAP 0xc000b711U

/**
 * struct rtnotify_record - One event, or one gap in the stream of a source.
 * @seq: Sequence number within the registration, from 1: merges lanes again.
 *  Holes only where a policy withdrew queued events.
 * @source_seq: Sequence number within the source, from 1. Gap: first lost
 *  number. Gone: the last one posted.
 * @source: Number of the source.
 * @kind: Kind given by the producer; RTNOTIFY_KIND_GAP for a gap,
 *  RTNOTIFY_KIND_GONE for the end of the source.
 * @flags: RTNOTIFY_RECORD_*.
 * @time_ns: Nanoseconds on the registration's clock, latched at the event.
 *  Gap: of the first lost event.
 * @value: Level, count or whole payload, latched at the event. Gap: last lost
 *  number.
 * @handle: Names the payload for pread; also in si_value of the signal. Never
 *  0. In a mapped ring: where the payload lies in the pool, in bytes.
 * @cookie: The subscriber's own.
 * @payload_len: Payload length in bytes. Gap: number of events lost,
 *  saturating.
 * @signo: Signal number of the lane.
 * @reason: Gap: RTNOTIFY_LOST_* bits. Else 0.
 *
 * read returns these, each followed by its payload unless
 * RTNOTIFY_RECORD_INLINE is set, padded to 8 bytes.
 */
struct rtnotify_record {
	__u64 seq;
	__u64 source_seq;
	__u32 source;
	__u16 kind;
	__u16 flags;
	__u64 time_ns;
	__u64 value;
	__u64 handle;
	__u64 cookie;
	__u32 payload_len;
	__u16 signo;
	__u16 reason;
};

/**
 * struct rtnotify_register - Argument of RTNOTIFY_IOC_REGISTER.
 * @size: Size of this structure.
 * @flags: RTNOTIFY_REG_*.
 * @abi: Out: RTNOTIFY_ABI_VERSION of the implementation.
 * @signo: Signal number: a realtime one, 34 to 64, or a standard one other
 *  than KILL, STOP, CONT and those that report an error of the instruction,
 *  which has a window of 1 and no per-event mode.
 * @target_tid: Target thread of the calling process, as gettid gives it; 0:
 *  the calling thread.
 * @failover_tid: Thread that takes over when the target exits; 0: none.
 * @mode: RTNOTIFY_MODE_*.
 * @window: Signals outstanding at most, 1 to 256.
 * @queue_len: Queue length in records, 1 to 65536.
 * @policy: RTNOTIFY_POLICY_*.
 * @clock: RTNOTIFY_CLOCK_*.
 * @capacity: Records that all lanes together can queue, at least queue_len; 0:
 *  just that, for one lane.
 * @quota: Bytes of payload that may be queued.
 * @cookie: Returned in every record.
 * @reserved: Must be 0.
 *
 * A zero in queue_len, quota or window asks for the default; the values in
 * force are written back.
 */
struct rtnotify_register {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 signo;
	__s32 target_tid;
	__s32 failover_tid;
	__u32 mode;
	__u32 window;
	__u32 queue_len;
	__u32 policy;
	__u32 clock;
	__u32 capacity;
	__u64 quota;
	__u64 cookie;
	__u64 reserved[4];
};

/**
 * struct rtnotify_unregister - Argument of RTNOTIFY_IOC_UNREGISTER.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @discarded: Out: events that were still queued and are now lost.
 */
struct rtnotify_unregister {
	__u32 size;
	__u32 flags;
	__u64 discarded;
};

/**
 * struct rtnotify_subscribe - Argument of RTNOTIFY_IOC_SUBSCRIBE.
 * @size: Size of this structure.
 * @flags: RTNOTIFY_SUB_*.
 * @source: Number of the source.
 * @signo: Lane: a registered signal number, or 0 for the first lane.
 * @cookie: Returned in the records of this source, with RTNOTIFY_SUB_COOKIE.
 * @value_mask: With RTNOTIFY_SUB_FILTER: bits of the value that matter; an
 *  event without a value has 0. Else 0.
 * @value_match: With RTNOTIFY_SUB_FILTER: what those bits must be. Else 0.
 * @kind_first: With RTNOTIFY_SUB_FILTER: first kind to pass. Else 0.
 * @kind_last: With RTNOTIFY_SUB_FILTER: last kind to pass. Else 0.
 * @reserved: Must be 0.
 */
struct rtnotify_subscribe {
	__u32 size;
	__u32 flags;
	__u32 source;
	__u32 signo;
	__u64 cookie;
	__u64 value_mask;
	__u64 value_match;
	__u16 kind_first;
	__u16 kind_last;
	__u32 reserved;
};

/**
 * struct rtnotify_unsubscribe - Argument of RTNOTIFY_IOC_UNSUBSCRIBE.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @source: Number of the source.
 * @reserved: Must be 0.
 *
 * Events already queued stay queued.
 */
struct rtnotify_unsubscribe {
	__u32 size;
	__u32 flags;
	__u32 source;
	__u32 reserved;
};

/**
 * struct rtnotify_list_sources - Argument of RTNOTIFY_IOC_LIST_SOURCES.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @first: Only sources with this number or a higher one.
 * @capacity: Entries that fit at entries.
 * @count: Out: entries written.
 * @total: Out: sources that match, whether they fitted or not.
 * @entries: Address of an array of struct rtnotify_source_info.
 * @reserved: Must be 0.
 */
struct rtnotify_list_sources {
	__u32 size;
	__u32 flags;
	__u32 first;
	__u32 capacity;
	__u32 count;
	__u32 total;
	__u64 entries;
	__u64 reserved[2];
};

/**
 * struct rtnotify_source_info - One source, as listed.
 * @number: Number of the source; never used again after the source is gone.
 * @source_type: RTNOTIFY_SOURCE_* type.
 * @flags: RTNOTIFY_SOURCE_* flags.
 * @max_payload: Longest payload in bytes.
 * @posted: Events posted so far.
 * @subscribers: Subscriptions now.
 * @reserved: 0.
 * @name: Name, NUL-terminated.
 * @period_ns: Timer source: period in nanoseconds. Else 0.
 * @refused: Deliveries that a subscriber refused, all subscribers together.
 */
struct rtnotify_source_info {
	__u32 number;
	__u32 source_type;
	__u32 flags;
	__u32 max_payload;
	__u64 posted;
	__u32 subscribers;
	__u32 reserved;
	char name[48];
	__u64 period_ns;
	__u64 refused;
};

/**
 * struct rtnotify_create_source - Argument of RTNOTIFY_IOC_CREATE_SOURCE.
 * @size: Size of this structure.
 * @flags: User source: RTNOTIFY_SOURCE_BLOCKING, RTNOTIFY_SOURCE_STREAM. Else
 *  0.
 * @source_type: RTNOTIFY_SOURCE_USER or RTNOTIFY_SOURCE_TIMER.
 * @max_payload: Longest payload in bytes that the source will post; a timer
 *  has none.
 * @number: Out: number of the source.
 * @reserved0: Must be 0.
 * @period_ns: Timer: period in nanoseconds. Else 0.
 * @count: Timer: expirations before it stops, 0: no end; only those with a
 *  subscriber count. Else 0.
 * @name: Name, NUL-terminated, not empty, unique, printable ASCII without /.
 * @first_ns: Timer: nanoseconds until the first expiration, 0: a whole period.
 *  Else 0.
 * @reserved: Must be 0.
 *
 * The source lives as long as the open file.
 */
struct rtnotify_create_source {
	__u32 size;
	__u32 flags;
	__u32 source_type;
	__u32 max_payload;
	__u32 number;
	__u32 reserved0;
	__u64 period_ns;
	__u64 count;
	char name[48];
	__u64 first_ns;
	__u64 reserved[2];
};

/**
 * struct rtnotify_destroy_source - Argument of RTNOTIFY_IOC_DESTROY_SOURCE.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @number: Number of the source.
 * @reserved: Must be 0.
 */
struct rtnotify_destroy_source {
	__u32 size;
	__u32 flags;
	__u32 number;
	__u32 reserved;
};

/**
 * struct rtnotify_stats - Argument of RTNOTIFY_IOC_STATS.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @state: Out: RTNOTIFY_STATE_*.
 * @subscriptions: Out: subscriptions now.
 * @posted: Out: events posted to this file's registrations.
 * @consumed: Out: events consumed by read or pread.
 * @queued: Out: events queued now.
 * @lost_queue_full: Out: events lost because the queue was full.
 * @lost_quota: Out: events lost because the payload quota was used up.
 * @lost_too_large: Out: events lost because the payload could never fit the
 *  quota.
 * @lost_discarded: Out: events still queued when a registration ended.
 * @gaps: Out: gap records put into the stream.
 * @signals_sent: Out: signals queued that carry a handle.
 * @signals_refused: Out: signals that the kernel refused to queue
 *  (RLIMIT_SIGPENDING).
 * @fallbacks: Out: fallback doorbells, which carry no handle.
 * @coalesced: Out: events announced by a doorbell that was already
 *  outstanding.
 * @spurious: Out: reads that found nothing.
 * @stale: Out: handles that named no queued event.
 * @failovers: Out: target threads replaced by their failover thread.
 * @high_water: Out: most records ever queued at once.
 * @quota_used: Out: bytes of the quota in use, rounded up to blocks.
 * @lost_oldest: Out: events lost because newer ones took their place.
 * @lost_superseded: Out: events lost because a later one of their source
 *  replaced them.
 * @reserved: Out: 0.
 *
 * At any time posted = consumed + queued + lost_queue_full + lost_quota +
 * lost_too_large + lost_discarded + lost_oldest + lost_superseded.
 */
struct rtnotify_stats {
	__u32 size;
	__u32 flags;
	__u32 state;
	__u32 subscriptions;
	__u64 posted;
	__u64 consumed;
	__u64 queued;
	__u64 lost_queue_full;
	__u64 lost_quota;
	__u64 lost_too_large;
	__u64 lost_discarded;
	__u64 gaps;
	__u64 signals_sent;
	__u64 signals_refused;
	__u64 fallbacks;
	__u64 coalesced;
	__u64 spurious;
	__u64 stale;
	__u64 failovers;
	__u64 high_water;
	__u64 quota_used;
	__u64 lost_oldest;
	__u64 lost_superseded;
	__u64 reserved[3];
};

/**
 * struct rtnotify_lane - Argument of RTNOTIFY_IOC_ADD_LANE: one more signal
 *  number with a queue of its own.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @signo: Signal number, not yet used by the registration. Lower numbers are
 *  read first.
 * @mode: RTNOTIFY_MODE_*.
 * @window: Signals outstanding at most, 1 to 256.
 * @queue_len: Queue length in records; what the lanes have together must not
 *  exceed the capacity.
 * @policy: RTNOTIFY_POLICY_*.
 * @target_tid: Target thread, as in registering.
 * @failover_tid: Thread that takes over when the target exits; 0: none.
 * @reserved0: Must be 0.
 * @reserved: Must be 0.
 *
 * Zeros in queue_len and window ask for the default; the values in force are
 * written back.
 */
struct rtnotify_lane {
	__u32 size;
	__u32 flags;
	__u32 signo;
	__u32 mode;
	__u32 window;
	__u32 queue_len;
	__u32 policy;
	__s32 target_tid;
	__s32 failover_tid;
	__u32 reserved0;
	__u64 reserved[3];
};

/**
 * struct rtnotify_set_mode - Argument of RTNOTIFY_IOC_SET_MODE.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @signo: Lane: a registered signal number, or 0 for the first lane.
 * @mode: RTNOTIFY_MODE_*.
 * @window: Signals outstanding at most, 1 to 256; 0: as it is.
 * @reserved: Must be 0.
 */
struct rtnotify_set_mode {
	__u32 size;
	__u32 flags;
	__u32 signo;
	__u32 mode;
	__u32 window;
	__u32 reserved;
};

/**
 * struct rtnotify_arm - Argument of RTNOTIFY_IOC_ARM.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @signo: Lane: a registered signal number, or 0 for the first lane.
 * @reserved: Must be 0.
 */
struct rtnotify_arm {
	__u32 size;
	__u32 flags;
	__u32 signo;
	__u32 reserved;
};

/**
 * struct rtnotify_read - Argument of RTNOTIFY_IOC_READ: as read, from one
 *  lane.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @signo: Lane: a registered signal number, or 0 for all, lowest number first.
 * @reserved0: Must be 0.
 * @buffer: Address of the buffer.
 * @len: Bytes that fit there.
 * @read: Out: bytes written.
 * @reserved: Must be 0.
 */
struct rtnotify_read {
	__u32 size;
	__u32 flags;
	__u32 signo;
	__u32 reserved0;
	__u64 buffer;
	__u64 len;
	__u64 read;
	__u64 reserved;
};

/**
 * struct rtnotify_ring - Argument of RTNOTIFY_IOC_MAP_RING.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @signo: Lane: a registered signal number, or 0 for the first lane.
 * @entries: Out: records that the ring has place for, a power of two.
 * @ring_offset: Out: where the ring is: a page that starts with struct
 *  rtnotify_ring_header, then the records.
 * @ring_len: Out: its length in bytes.
 * @control_offset: Out: where the page is that starts with struct
 *  rtnotify_ring_control, to be written.
 * @control_len: Out: its length in bytes.
 * @pool_offset: Out: where the payloads of all lanes are.
 * @pool_len: Out: their length in bytes.
 * @reserved: Must be 0.
 *
 * The offsets and lengths are for mmap, each to be mapped as a whole.
 */
struct rtnotify_ring {
	__u32 size;
	__u32 flags;
	__u32 signo;
	__u32 entries;
	__u64 ring_offset;
	__u64 ring_len;
	__u64 control_offset;
	__u64 control_len;
	__u64 pool_offset;
	__u64 pool_len;
	__u64 reserved[2];
};

/**
 * struct rtnotify_ring_header - What a mapped ring starts with; written by the
 *  kernel.
 * @tail: Records published so far. Record n, from 0, is at n modulo the number
 *  of entries. Load it with acquire semantics before looking at records.
 * @ended: Not 0: the registration has ended, nothing more will be published.
 */
struct rtnotify_ring_header {
	__u64 tail;
	__u64 ended;
};

/**
 * struct rtnotify_ring_control - What the process writes.
 * @head: Records that the process is done with, at most as many as were
 *  published. Store it with release semantics; from then on those records and
 *  their payloads may be overwritten.
 */
struct rtnotify_ring_control {
	__u64 head;
};

/**
 * struct rtnotify_outbox - Argument of RTNOTIFY_IOC_MAP_OUTBOX: memory of the
 *  open file, for payloads that are passed by reference.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @len: Length in bytes, 1 to RTNOTIFY_MAX_OUTBOX. Out: in whole pages.
 * @offset: Out: where it is, for mmap, to be mapped as a whole.
 * @reserved: Must be 0.
 *
 * It is there as long as the file is open or the memory mapped.
 */
struct rtnotify_outbox {
	__u32 size;
	__u32 flags;
	__u64 len;
	__u64 offset;
	__u64 reserved[2];
};

/**
 * struct rtnotify_timeouts - Argument of RTNOTIFY_IOC_SET_TIMEOUTS: what
 *  SO_RCVTIMEO and SO_SNDTIMEO are to a socket.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @read_ns: Nanoseconds that a blocking read waits before it gives EAGAIN; 0:
 *  without end.
 * @write_ns: Nanoseconds that a write to a blocking source waits before it
 *  gives EAGAIN; 0: without end.
 * @reserved: Must be 0.
 */
struct rtnotify_timeouts {
	__u32 size;
	__u32 flags;
	__u64 read_ns;
	__u64 write_ns;
	__u64 reserved[2];
};

/**
 * struct rtnotify_post - Head of one message in a write; payload_len bytes
 *  follow, padded to 8 bytes unless last.
 * @size: Size of this structure.
 * @source: Number of the source.
 * @kind: Passed on in the record; not RTNOTIFY_KIND_GAP.
 * @flags: RTNOTIFY_POST_*.
 * @payload_len: Payload length in bytes.
 * @value: Passed on in the record, with RTNOTIFY_POST_VALUE; else 0.
 * @reserved: Must be 0.
 *
 * With RTNOTIFY_POST_REFERENCE a __u64 follows instead: where in the outbox
 * the payload starts.
 */
struct rtnotify_post {
	__u32 size;
	__u32 source;
	__u16 kind;
	__u16 flags;
	__u32 payload_len;
	__u64 value;
	__u64 reserved;
};

/**
 * struct rtnotify_call - Argument of RTNOTIFY_IOC_CALL.
 * @size: Size of this structure.
 * @flags: RTNOTIFY_CALL_*.
 * @source: Number of the source.
 * @kind: The driver's own.
 * @reserved0: Must be 0.
 * @value: The driver's own.
 * @message: Address of the message to the driver.
 * @answer: Address where the answer goes.
 * @message_len: Length of the message in bytes.
 * @answer_len: Bytes that fit at answer. Out: length of the answer.
 * @timeout_ns: How long to wait for the answer, in nanoseconds; 0: without
 *  end.
 * @reserved: Must be 0.
 */
struct rtnotify_call {
	__u32 size;
	__u32 flags;
	__u32 source;
	__u16 kind;
	__u16 reserved0;
	__u64 value;
	__u64 message;
	__u64 answer;
	__u32 message_len;
	__u32 answer_len;
	__u64 timeout_ns;
	__u64 reserved;
};

/**
 * struct rtnotify_stream_gap - Argument of RTNOTIFY_IOC_STREAM_GAP.
 * @size: Size of this structure.
 * @flags: Must be 0.
 * @gaps: Out: gaps that this registration's read has stopped at so far.
 * @source: Out: number of the source.
 * @reason: Out: RTNOTIFY_LOST_* bits.
 * @first: Out: first lost number of the source.
 * @last: Out: last lost number of the source.
 * @time_ns: Out: nanoseconds on the registration's clock, of the first lost
 *  event.
 * @count: Out: number of events lost, saturating.
 * @reserved0: Must be 0.
 * @reserved: Must be 0.
 */
struct rtnotify_stream_gap {
	__u32 size;
	__u32 flags;
	__u64 gaps;
	__u32 source;
	__u32 reason;
	__u64 first;
	__u64 last;
	__u64 time_ns;
	__u32 count;
	__u32 reserved0;
	__u64 reserved;
};

#if defined(__cplusplus) && __cplusplus >= 201103L
#define RTNOTIFY_ASSERT_SIZE(type, size) \
	static_assert(sizeof(struct type) == (size), #type)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define RTNOTIFY_ASSERT_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), #type)
#endif
#ifdef RTNOTIFY_ASSERT_SIZE
RTNOTIFY_ASSERT_SIZE(rtnotify_record, 64);
RTNOTIFY_ASSERT_SIZE(rtnotify_register, 96);
RTNOTIFY_ASSERT_SIZE(rtnotify_unregister, 16);
RTNOTIFY_ASSERT_SIZE(rtnotify_subscribe, 48);
RTNOTIFY_ASSERT_SIZE(rtnotify_unsubscribe, 16);
RTNOTIFY_ASSERT_SIZE(rtnotify_list_sources, 48);
RTNOTIFY_ASSERT_SIZE(rtnotify_source_info, 96);
RTNOTIFY_ASSERT_SIZE(rtnotify_create_source, 112);
RTNOTIFY_ASSERT_SIZE(rtnotify_destroy_source, 16);
RTNOTIFY_ASSERT_SIZE(rtnotify_stats, 192);
RTNOTIFY_ASSERT_SIZE(rtnotify_lane, 64);
RTNOTIFY_ASSERT_SIZE(rtnotify_set_mode, 24);
RTNOTIFY_ASSERT_SIZE(rtnotify_arm, 16);
RTNOTIFY_ASSERT_SIZE(rtnotify_read, 48);
RTNOTIFY_ASSERT_SIZE(rtnotify_ring, 80);
RTNOTIFY_ASSERT_SIZE(rtnotify_ring_header, 16);
RTNOTIFY_ASSERT_SIZE(rtnotify_ring_control, 8);
RTNOTIFY_ASSERT_SIZE(rtnotify_outbox, 40);
RTNOTIFY_ASSERT_SIZE(rtnotify_timeouts, 40);
RTNOTIFY_ASSERT_SIZE(rtnotify_post, 32);
RTNOTIFY_ASSERT_SIZE(rtnotify_call, 64);
RTNOTIFY_ASSERT_SIZE(rtnotify_stream_gap, 64);
#undef RTNOTIFY_ASSERT_SIZE
#endif

/**
 * rtnotify_is_event() - Whether a record is an event, and no note about its source.
 * @record: the record
 */
static __inline__ int rtnotify_is_event(const struct rtnotify_record *record)
{
	return record->kind < RTNOTIFY_FIRST_RESERVED_KIND;
}

/**
 * rtnotify_is_gap() - Whether a record says what was lost.
 * @record: the record
 */
static __inline__ int rtnotify_is_gap(const struct rtnotify_record *record)
{
	return record->kind == RTNOTIFY_KIND_GAP;
}

/**
 * rtnotify_trailing_len() - Bytes of payload that follow a record in a frame.
 * @record: the record
 *
 * 0 for a note, and for a payload that lies in the record's value.
 */
static __inline__ __u32
rtnotify_trailing_len(const struct rtnotify_record *record)
{
	if (!rtnotify_is_event(record) || (record->flags & RTNOTIFY_RECORD_INLINE))
		return 0;
	return record->payload_len;
}

/**
 * rtnotify_frame_len() - Length of a record with its payload and padding.
 * @record: the record
 *
 * The next record of the same read starts that many bytes after this one.
 */
static __inline__ __u32
rtnotify_frame_len(const struct rtnotify_record *record)
{
	__u32 len = rtnotify_trailing_len(record);

	return (__u32)sizeof(*record) + ((len + (RTNOTIFY_FRAME_ALIGN - 1U)) &
					 ~(RTNOTIFY_FRAME_ALIGN - 1U));
}

/**
 * rtnotify_payload() - Where the payload of a record lies.
 * @record: the record, with what follows it in the frame
 *
 * @record->payload_len bytes are there; none of a note.
 */
static __inline__ const void *
rtnotify_payload(const struct rtnotify_record *record)
{
	if (record->flags & RTNOTIFY_RECORD_INLINE)
		return &record->value;
	return record + 1;
}

#endif /* RTNOTIFY_UAPI_H */
