/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints as functions; rtnotify_trace.h defines what each records.
 */
#ifndef RTNOTIFY_TRACE_FUNCTIONS_H
#define RTNOTIFY_TRACE_FUNCTIONS_H

#include <linux/types.h>

/* An event has been offered to every subscriber of its source. */
void rtnotify_trace_post(u32 source, u64 seq, u16 kind, u32 len, u32 subscribers, u32 refused);
/* A doorbell was sent, or not: 0, RTNOTIFY_SEND_* or another negative errno. */
void rtnotify_trace_signal(pid_t tid, int signo, u64 handle, bool fallback, int result);
/* One subscriber had no room for an event. */
void rtnotify_trace_refuse(u64 client, u32 source, u64 seq, u16 reason);
/* A process has taken records: by handle, or with read (handle 0). */
void rtnotify_trace_read(u64 client, u64 handle, u32 records, u64 bytes);
/* A process has taken a gap; or a registration ended with events queued (source and reason 0). */
void rtnotify_trace_lost(u64 client, u32 source, u64 first, u64 last, u64 count, u16 reason);

#endif
