// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints, and a plain function in front of each for the Rust side: a tracepoint is a macro with a static
 * key. Any context but NMI, any lock held; a tracepoint that is off costs the call and a predicted branch.
 */
#define CREATE_TRACE_POINTS
#include "rtnotify_trace.h"

#include "trace.h"

void rtnotify_trace_post(u32 source, u64 seq, u16 kind, u32 len, u32 subscribers, u32 refused)
{
	if (trace_post_enabled())
		trace_post(source, seq, kind, len, subscribers, refused);
}

void rtnotify_trace_signal(pid_t tid, int signo, u64 handle, bool fallback, int result)
{
	if (trace_signal_enabled())
		trace_signal(tid, signo, handle, fallback, result);
}

void rtnotify_trace_refuse(u64 client, u32 source, u64 seq, u16 reason)
{
	if (trace_refuse_enabled())
		trace_refuse(client, source, seq, reason);
}

void rtnotify_trace_read(u64 client, u64 handle, u32 records, u64 bytes)
{
	if (trace_read_enabled())
		trace_read(client, handle, records, bytes);
}

void rtnotify_trace_lost(u64 client, u32 source, u64 first, u64 last, u64 count, u16 reason)
{
	if (trace_lost_enabled())
		trace_lost(client, source, first, last, count, reason);
}
