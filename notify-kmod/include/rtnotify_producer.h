/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rtnotify for kernel drivers: post events to the processes that subscribed.
 *
 * A driver registers a source, posts to it from any context but NMI, and unregisters it:
 *
 *	src = rtnotify_source_register("adc0", 64, NULL, NULL);
 *	if (IS_ERR(src))
 *		return PTR_ERR(src);
 *	...
 *	rtnotify_post(src, 0, NULL, &sample, sizeof(sample));	(in the interrupt handler)
 *	...
 *	free_irq(...);						(nothing posts any more)
 *	rtnotify_source_unregister(src);
 *
 * Posting allocates nothing, never sleeps, and copies the data once per subscriber. On PREEMPT_RT the locks
 * below it sleep: post from a threaded handler there.
 */
#ifndef RTNOTIFY_PRODUCER_H
#define RTNOTIFY_PRODUCER_H

#include <linux/types.h>

struct rtnotify_source;

/**
 * typedef rtnotify_write_fn - takes a message that a process wrote to the source
 * @context: what was passed to rtnotify_source_register()
 * @kind: the writer's kind
 * @value: the writer's value, 0 if none was given
 * @data: the message, valid during the call
 * @len: its length, at most the source's max_payload
 *
 * Context: process context, may sleep; calls for one source do not overlap. It may post to its source, but
 * must not unregister it.
 * Return: 0, or a negative errno that the writer gets; -EAGAIN if there is no room for the message now.
 */
typedef int (*rtnotify_write_fn)(void *context, u16 kind, u64 value, const void *data, size_t len);

/**
 * rtnotify_source_register - make a source
 * @name: unique; up to 47 printable ASCII characters without '/'
 * @max_payload: longest payload that will be posted or may be written, at most 2 MiB - 1
 * @write: takes what processes write, or NULL
 * @context: passed to @write
 *
 * Context: process context, may sleep.
 * Return: the source, or an ERR_PTR: -EINVAL, -EEXIST (the name is taken), -ENOSPC, -ENOMEM.
 */
struct rtnotify_source *rtnotify_source_register(const char *name, size_t max_payload,
						 rtnotify_write_fn write, void *context);

/**
 * rtnotify_source_unregister - end a source
 * @source: the source; NULL and ERR_PTRs are ignored
 *
 * What is queued is still delivered. When this returns, @write does not run any more. The caller must have
 * stopped posting.
 *
 * Context: process context, may sleep.
 */
void rtnotify_source_unregister(struct rtnotify_source *source);

/**
 * rtnotify_post - post an event, latched now
 * @source: the source
 * @kind: the driver's own; 0xffff is reserved
 * @value: a level or a count, or NULL
 * @data: the payload
 * @len: its length; 0 to 8 bytes travel inside the record if there is no @value
 *
 * Context: any but NMI.
 * Return: the number of subscribers that refused the event (each of them will find a gap in its stream), or
 * -EMSGSIZE (longer than announced), -EINVAL.
 */
int rtnotify_post(struct rtnotify_source *source, u16 kind, const u64 *value, const void *data,
		  size_t len);

/**
 * rtnotify_post_at - post an event that was latched earlier
 * @source: the source
 * @kind: as for rtnotify_post()
 * @value: as for rtnotify_post()
 * @data: as for rtnotify_post()
 * @len: as for rtnotify_post()
 * @time_ns: when it happened, as ktime_get() counts; 0 means now
 *
 * Context: any but NMI.
 * Return: as for rtnotify_post().
 */
int rtnotify_post_at(struct rtnotify_source *source, u16 kind, const u64 *value, const void *data,
		     size_t len, u64 time_ns);

#endif
