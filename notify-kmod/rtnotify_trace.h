/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: events/rtnotify in tracefs. docs/architecture.md says what each one means.
 *
 * A client is named by the number that its fdinfo and debugfs show.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM rtnotify

#if !defined(_RTNOTIFY_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _RTNOTIFY_TRACE_H

#include <linux/tracepoint.h>

#include "target.h"

/* RTNOTIFY_LOST_* of the uapi header, and 0 for what was discarded with its registration. */
#define rtnotify_show_reason(reason)				\
	((reason) ? __print_flags(reason, "|",			\
				  { 1, "queue-full" },		\
				  { 2, "quota" },		\
				  { 4, "too-large" },		\
				  { 8, "oldest" },		\
				  { 16, "superseded" }) :	\
		    "discarded")

TRACE_EVENT(post,
	TP_PROTO(u32 source, u64 seq, u16 kind, u32 len, u32 subscribers, u32 refused),
	TP_ARGS(source, seq, kind, len, subscribers, refused),
	TP_STRUCT__entry(
		__field(u64, seq)
		__field(u32, source)
		__field(u32, len)
		__field(u32, subscribers)
		__field(u32, refused)
		__field(u16, kind)
	),
	TP_fast_assign(
		__entry->seq = seq;
		__entry->source = source;
		__entry->len = len;
		__entry->subscribers = subscribers;
		__entry->refused = refused;
		__entry->kind = kind;
	),
	TP_printk("source=%u seq=%llu kind=%u len=%u subscribers=%u refused=%u",
		  __entry->source, __entry->seq, __entry->kind, __entry->len,
		  __entry->subscribers, __entry->refused)
);

TRACE_EVENT(signal,
	TP_PROTO(pid_t tid, int signo, u64 handle, bool fallback, int result),
	TP_ARGS(tid, signo, handle, fallback, result),
	TP_STRUCT__entry(
		__field(u64, handle)
		__field(pid_t, tid)
		__field(int, signo)
		__field(int, result)
		__field(bool, fallback)
	),
	TP_fast_assign(
		__entry->handle = handle;
		__entry->tid = tid;
		__entry->signo = signo;
		__entry->result = result;
		__entry->fallback = fallback;
	),
	TP_printk("tid=%d signo=%d handle=0x%llx fallback=%d outcome=%s",
		  __entry->tid, __entry->signo, __entry->handle, __entry->fallback,
		  __print_symbolic(__entry->result,
				   { 0, "sent" },
				   { RTNOTIFY_SEND_REFUSED, "refused" },
				   { RTNOTIFY_SEND_EXITED, "exited" },
				   { RTNOTIFY_SEND_EXEC, "exec" },
				   { RTNOTIFY_SEND_UNHANDLED, "unhandled" }))
);

TRACE_EVENT(refuse,
	TP_PROTO(u64 client, u32 source, u64 seq, u16 reason),
	TP_ARGS(client, source, seq, reason),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, seq)
		__field(u32, source)
		__field(u16, reason)
	),
	TP_fast_assign(
		__entry->client = client;
		__entry->seq = seq;
		__entry->source = source;
		__entry->reason = reason;
	),
	TP_printk("client=%llu source=%u seq=%llu reason=%s",
		  __entry->client, __entry->source, __entry->seq,
		  rtnotify_show_reason(__entry->reason))
);

TRACE_EVENT(read,
	TP_PROTO(u64 client, u64 handle, u32 records, u64 bytes),
	TP_ARGS(client, handle, records, bytes),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, handle)
		__field(u64, bytes)
		__field(u32, records)
	),
	TP_fast_assign(
		__entry->client = client;
		__entry->handle = handle;
		__entry->bytes = bytes;
		__entry->records = records;
	),
	TP_printk("client=%llu handle=0x%llx records=%u bytes=%llu",
		  __entry->client, __entry->handle, __entry->records, __entry->bytes)
);

TRACE_EVENT(lost,
	TP_PROTO(u64 client, u32 source, u64 first, u64 last, u64 count, u16 reason),
	TP_ARGS(client, source, first, last, count, reason),
	TP_STRUCT__entry(
		__field(u64, client)
		__field(u64, first)
		__field(u64, last)
		__field(u64, count)
		__field(u32, source)
		__field(u16, reason)
	),
	TP_fast_assign(
		__entry->client = client;
		__entry->first = first;
		__entry->last = last;
		__entry->count = count;
		__entry->source = source;
		__entry->reason = reason;
	),
	TP_printk("client=%llu source=%u first=%llu last=%llu count=%llu reason=%s",
		  __entry->client, __entry->source, __entry->first, __entry->last,
		  __entry->count, rtnotify_show_reason(__entry->reason))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE rtnotify_trace
#include <trace/define_trace.h>
