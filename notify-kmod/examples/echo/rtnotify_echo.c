// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest driver in C that uses all of the producer interface for processes.
 *
 * What is written to the source "echo" comes back as a stream of bytes. The writer waits until every subscriber
 * that asked to be waited for has room: kind 0 without end, kind 1 as many nanoseconds as its value says. A call
 * is answered with its own message. A call of kind 2 is answered with the sum of its message's bytes, 4 bytes: if it
 * is passed by reference it is read where the process has put it, without a copy.
 *
 * Everything here runs in process context.
 */
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../../include/rtnotify_producer.h"

#define ECHO_MAX	(1 << 20)

/* Kinds of messages. */
#define ECHO_WAIT	0
#define ECHO_TIMEOUT	1
#define ECHO_SUM	2

static struct rtnotify_source *echo;

static int echo_write(void *context, u16 kind, u64 value, const void *data, size_t len)
{
	struct rtnotify_source *source = READ_ONCE(echo);
	int ret;

	/* A process can be faster than echo_init(). */
	if (!source)
		return -EAGAIN;
	/* A timeout of 0 means none, to rtnotify_post_wait() as well. */
	if (kind == ECHO_WAIT ? value : kind != ECHO_TIMEOUT || !value)
		return -EINVAL;
	ret = rtnotify_post_wait(source, 0, NULL, data, len, 0, value);
	/* Those who do not ask to be waited for, and have no room, find a gap. */
	return min(ret, 0);
}

/* The message may change while it is read: each byte is read once, so the sum is one of what was there. */
static u32 echo_sum(const u8 *message, size_t len)
{
	u32 sum = 0;

	while (len--)
		sum += READ_ONCE(*message++);
	return sum;
}

static int echo_call(void *context, u64 token, u16 kind, u64 value, const void *message,
		     size_t len, size_t room)
{
	struct rtnotify_source *source = READ_ONCE(echo);
	u32 sum;

	/* A process can be faster than echo_init(). */
	if (!source)
		return -EAGAIN;
	if (kind != ECHO_SUM) {
		rtnotify_complete(source, token, message, len);
		return 0;
	}
	sum = echo_sum(message, len);
	rtnotify_complete(source, token, &sum, sizeof(sum));
	return 0;
}

static int echo_call_shared(void *context, u64 token, u16 kind, u64 value, const void *message,
			    size_t len, size_t room)
{
	void *copy;
	int ret;

	if (kind == ECHO_SUM)
		return echo_call(context, token, kind, value, message, len, room);
	/* What is given back must not change on the way. */
	copy = kvmemdup(message, len, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	ret = echo_call(context, token, kind, value, copy, len, room);
	kvfree(copy);
	return ret;
}

static const struct rtnotify_source_ops echo_ops = {
	.write = echo_write,
	.call = echo_call,
	.call_shared = echo_call_shared,
	.flags = RTNOTIFY_PRODUCER_STREAM,
};

static int __init echo_init(void)
{
	echo = rtnotify_source_register_ops("echo", ECHO_MAX, &echo_ops, NULL);
	return PTR_ERR_OR_ZERO(echo);
}
module_init(echo_init);

static void __exit echo_exit(void)
{
	rtnotify_source_unregister(echo);
}
module_exit(echo_exit);

MODULE_AUTHOR("The rtnotify authors");
MODULE_DESCRIPTION("An rtnotify source that gives back what is written to it");
MODULE_LICENSE("GPL");
