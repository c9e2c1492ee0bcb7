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
 * Posting allocates nothing, never sleeps, and copies the data once per subscriber, without a lock if it is more
 * than a few hundred bytes. A driver can also have room reserved and put the data there itself. On PREEMPT_RT the
 * locks below it sleep: post from a threaded handler there.
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
 * typedef rtnotify_call_fn - starts what a process called the source for
 * @context: what was passed to rtnotify_source_register_ops()
 * @token: names the call to rtnotify_complete(); never 0, and never used again for this source
 * @kind: the caller's kind
 * @value: the caller's value
 * @message: the message, valid during the call of this function only
 * @len: its length, at most the source's max_payload
 * @room: the longest answer that the caller takes, at most the source's max_payload
 *
 * The process sleeps, after this has returned 0, until rtnotify_complete() or rtnotify_complete_error() is
 * called with @token, from wherever the answer is, an interrupt handler for example; or, if it is there
 * already, in this function. If the process gives up first, completing the call does nothing.
 *
 * Context: process context, may sleep, but not for the answer: calls of this function and of the
 * rtnotify_write_fn for one source do not overlap.
 * Return: 0, or a negative errno that the caller gets; -EAGAIN if there is no room for the request now.
 */
typedef int (*rtnotify_call_fn)(void *context, u64 token, u16 kind, u64 value,
				const void *message, size_t len, size_t room);

/* The payloads are a stream of bytes, whose division into events means nothing (RTNOTIFY_SOURCE_STREAM). */
#define RTNOTIFY_PRODUCER_STREAM	(1u << 2)

/**
 * struct rtnotify_source_ops - what a source does for processes
 * @write: takes what processes write, or NULL
 * @call: takes what processes call the source for, or NULL
 * @flags: RTNOTIFY_PRODUCER_STREAM or 0
 * @write_shared: as @write, for data that may change while it is read, or NULL
 * @call_shared: as @call, for messages that may change while they are read, or NULL
 *
 * A process can pass data by reference: it lies in an outbox that the process has mapped. The shared functions get it
 * where it is, without a copy. It is hostile: read each part once (READ_ONCE(), or copy what decisions depend on),
 * and do not keep the address. A driver without them gets a copy, and one without the others gets everything through
 * them.
 */
struct rtnotify_source_ops {
	rtnotify_write_fn write;
	rtnotify_call_fn call;
	u32 flags;
	rtnotify_write_fn write_shared;
	rtnotify_call_fn call_shared;
};

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
 * rtnotify_source_register_ops - make a source that does more for processes
 * @name: as for rtnotify_source_register()
 * @max_payload: also the longest message and the longest answer of a call
 * @ops: copied
 * @context: passed to the functions of @ops, which may be called before this has returned
 *
 * Context: process context, may sleep.
 * Return: as for rtnotify_source_register().
 */
struct rtnotify_source *rtnotify_source_register_ops(const char *name, size_t max_payload,
						     const struct rtnotify_source_ops *ops,
						     void *context);

/**
 * rtnotify_source_unregister - end a source
 * @source: the source; NULL and ERR_PTRs are ignored
 *
 * What is queued is still delivered. When this returns, the functions for writes and calls do not run any more,
 * and who waited for an answer has got -ENODEV. The caller must have stopped posting and completing.
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
 * -EMSGSIZE (longer than announced), -EINVAL, -ENODEV (being unregistered).
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

/**
 * rtnotify_post_wait - post an event when every subscriber that asked to be waited for has room
 * @source: the source
 * @kind: as for rtnotify_post()
 * @value: as for rtnotify_post()
 * @data: as for rtnotify_post()
 * @len: as for rtnotify_post()
 * @time_ns: when it happened, as ktime_get() counts; 0 means when it is posted
 * @timeout_ns: how long to wait at most; 0 means without end
 *
 * Those subscribers registered with RTNOTIFY_POLICY_BLOCK. The others are served at the same time, as by
 * rtnotify_post(). Nobody has got the event if this fails.
 *
 * Context: process context, sleeps.
 * Return: as for rtnotify_post(), or -EAGAIN (no room in time), -ERESTARTSYS (a signal came), -ENODEV.
 */
int rtnotify_post_wait(struct rtnotify_source *source, u16 kind, const u64 *value,
		       const void *data, size_t len, u64 time_ns, u64 timeout_ns);

/**
 * struct rtnotify_reservation - room for one event, before it is posted
 * @data: where its payload goes, at least as long as asked for; NULL: nobody needs it, or nobody has room, so
 *	nothing need be written. What lies there is older data of a subscriber: write all that you commit. Undefined at first, and gone after rtnotify_commit() and rtnotify_cancel()
 *
 * The rest is private.
 */
struct rtnotify_reservation {
	void *data;
	/* private: */
	struct rtnotify_source *source;
	void *to;
	size_t len;
	u64 value;
	u64 small;
	u32 place;
	u16 kind;
	bool has_value;
};

/**
 * rtnotify_reserve - reserve room for an event whose payload is to be written where subscribers read it
 * @source: the source
 * @kind: as for rtnotify_post()
 * @value: as for rtnotify_post()
 * @len: longest payload that may follow, not 0
 * @reservation: the room; need not be initialised
 *
 * For data that comes from the hardware piece by piece, so that it is not gathered elsewhere first. It goes to the
 * first subscriber's memory; rtnotify_commit() copies it to further ones.
 *
 * Preemption is disabled from here to rtnotify_commit() or rtnotify_cancel(), one of which must follow: a subscriber
 * that leaves waits for it. A source has four reservations at a time. A subscriber that drops its oldest events for
 * newer ones does so now.
 *
 * Context: any but NMI.
 * Return: 0, or -EBUSY (too many are reserved; post instead), -EMSGSIZE, -EINVAL, -ENODEV.
 */
int rtnotify_reserve(struct rtnotify_source *source, u16 kind, const u64 *value, size_t len,
		     struct rtnotify_reservation *reservation);

/**
 * rtnotify_commit - post an event into room reserved for it
 * @reservation: the room; there is none any more unless this returns -EINVAL
 * @len: length of the payload, at most what was reserved
 * @time_ns: when it happened, as ktime_get() counts; 0 means now
 *
 * The event gets its number now: it comes after those posted since it was reserved.
 *
 * Context: as it was reserved.
 * Return: as for rtnotify_post().
 */
int rtnotify_commit(struct rtnotify_reservation *reservation, size_t len, u64 time_ns);

/**
 * rtnotify_cancel - give reserved room back
 * @reservation: the room; one that has been committed or cancelled is ignored
 *
 * Context: as it was reserved.
 */
void rtnotify_cancel(struct rtnotify_reservation *reservation);

/**
 * rtnotify_complete - answer a call
 * @source: the source
 * @token: as given to the rtnotify_call_fn
 * @data: the answer, which is copied
 * @len: its length
 *
 * Context: any but NMI.
 * Return: 0, or -ESTALE (the caller has given up, or has been answered), -EMSGSIZE (longer than the caller has
 * room for, who gets -EMSGSIZE too). Neither needs anything done.
 */
int rtnotify_complete(struct rtnotify_source *source, u64 token, const void *data, size_t len);

/**
 * rtnotify_complete_error - answer a call with an error
 * @source: the source
 * @token: as given to the rtnotify_call_fn
 * @error: a negative errno, which the caller gets
 *
 * Context: any but NMI.
 * Return: as for rtnotify_complete().
 */
int rtnotify_complete_error(struct rtnotify_source *source, u64 token, int error);

/**
 * rtnotify_complete_all - answer every call that waits
 * @source: the source
 * @data: the answer, which is copied; callers that have less room get -EMSGSIZE
 * @len: its length
 *
 * For sources whose calls all wait for the same thing. It also answers calls that the rtnotify_call_fn has not
 * been asked about yet.
 *
 * Context: any but NMI.
 */
void rtnotify_complete_all(struct rtnotify_source *source, const void *data, size_t len);

#endif
