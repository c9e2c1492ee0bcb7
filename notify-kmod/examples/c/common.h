/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the examples share: a source with a process that posts to it, a subscriber, and an account of what the
 * subscriber received. What is particular to one way of receiving is in the example.
 *
 * A check that fails ends the program with status 1, and so does an alarm, since a program that waits for what
 * never comes has failed too.
 */
#ifndef COMMON_H
#define COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* F_SETSIG, signalfd, epoll, 64-bit offsets */
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rtnotify.h"

#define EVENTS	1000		/* fewer than the default queue holds, so none is lost */
#define SECONDS	100		/* longest that an example may take */

/* Ends the program unless @condition holds. */
#define CHECK(condition)	check(condition, #condition, __FILE__, __LINE__)

static inline void check(bool good, const char *what, const char *file, int line)
{
	if (good)
		return;
	fprintf(stderr, "%s:%d: %s is not so (errno: %s)\n", file, line, what, strerror(errno));
	exit(1);
}

/* What an event carries; more than fits the record, so it has to be fetched. */
struct message {
	__u64 number;
	__u64 square;
	__u64 cube;
};

struct subscriber {
	int fd;
	__u32 source;
	sigset_t signals;	/* the doorbell */
	pid_t producer;
	__u64 events;		/* received */
	__u64 doorbells;	/* answered */
};

/* The number of the source called @name, which must have all of @flags (RTNOTIFY_SOURCE_*). */
static inline __u32 find_source(int fd, const char *name, __u32 flags)
{
	static struct rtnotify_source_info infos[1024];
	struct rtnotify_list_sources request = {
		.size = sizeof(request),
		.capacity = sizeof(infos) / sizeof(*infos),
		.entries = (uintptr_t)infos,
	};

	CHECK(!ioctl(fd, RTNOTIFY_IOC_LIST_SOURCES, &request));
	for (__u32 i = 0; i < request.count; i++) {
		if (!strcmp((const char *)infos[i].name, name)) {
			CHECK((infos[i].flags & flags) == flags);
			return infos[i].number;
		}
	}
	fprintf(stderr, "there is no source called %s\n", name);
	exit(1);
}

/* Blocks @signo and returns the mask that was in force. */
static inline sigset_t block(int signo)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, signo);
	CHECK(!sigprocmask(SIG_BLOCK, &set, &old));
	return old;
}

/* Registers the calling thread, which must block or handle @signo by now. */
static inline void register_thread(int fd, int signo, __u32 mode, __u32 flags)
{
	struct rtnotify_register request = {
		.size = sizeof(request),
		.flags = flags,
		.signo = signo,
		.mode = mode,
		.policy = RTNOTIFY_POLICY_REJECT_NEWEST,
		.clock = RTNOTIFY_CLOCK_MONOTONIC,
	};

	CHECK(!ioctl(fd, RTNOTIFY_IOC_REGISTER, &request));
	CHECK(request.abi == RTNOTIFY_ABI_VERSION);
}

static inline void subscribe(int fd, __u32 source)
{
	struct rtnotify_subscribe request = { .size = sizeof(request), .source = source };

	CHECK(!ioctl(fd, RTNOTIFY_IOC_SUBSCRIBE, &request));
}

/* A source with a name of its own; it lives as long as @fd. */
static inline __u32 create_source(int fd, __u32 max_payload, __u64 period_ns, __u64 count)
{
	struct rtnotify_create_source request = {
		.size = sizeof(request),
		.source_type = period_ns ? RTNOTIFY_SOURCE_TIMER : RTNOTIFY_SOURCE_USER,
		.max_payload = max_payload,
		.period_ns = period_ns,
		.count = count,
	};

	snprintf(request.name, sizeof(request.name), "c-example-%d", getpid());
	CHECK(!ioctl(fd, RTNOTIFY_IOC_CREATE_SOURCE, &request));
	return request.number;
}

static inline struct rtnotify_stats stats(int fd)
{
	struct rtnotify_stats now = { .size = sizeof(now) };

	CHECK(!ioctl(fd, RTNOTIFY_IOC_STATS, &now));
	return now;
}

/* Opens the device with @flags, creates a source, registers for it in @mode. */
static inline struct subscriber start(int flags, int signo, __u32 mode)
{
	struct subscriber self = { .producer = -1 };

	alarm(SECONDS);
	/* O_CLOEXEC: the registration ends with this program. */
	self.fd = open(RTNOTIFY_DEVICE, O_RDWR | O_CLOEXEC | flags);
	CHECK(self.fd >= 0);
	self.source = create_source(self.fd, sizeof(struct message), 0, 0);
	sigemptyset(&self.signals);
	sigaddset(&self.signals, signo);
	register_thread(self.fd, signo, mode, RTNOTIFY_REG_PREAD_RECORD);
	subscribe(self.fd, self.source);
	return self;
}

static inline struct message message(__u64 number)
{
	return (struct message){ number, number * number, number * number * number };
}

/* Starts another process, which posts messages 1 to @count. */
static inline void produce(struct subscriber *self, __u64 count)
{
	self->producer = fork();
	CHECK(self->producer >= 0);
	if (self->producer)
		return;

	alarm(SECONDS);
	int fd = open(RTNOTIFY_DEVICE, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	for (__u64 n = 1; n <= count; n++) {
		struct {
			struct rtnotify_post head;
			struct message body;
		} post = {
			.head = {
				.size = sizeof(post.head),
				.source = self->source,
				.payload_len = sizeof(post.body),
			},
			.body = message(n),
		};

		CHECK(write(fd, &post, sizeof(post)) == sizeof(post));
	}
	_exit(0);
}

/* Checks one event: the next one of the source, with the message that belongs to it. */
static inline void book(struct subscriber *self, const struct rtnotify_record *record,
			const void *payload)
{
	struct message wanted = message(++self->events);

	CHECK(!rtnotify_is_gap(record));
	CHECK(record->source == self->source);
	CHECK(record->source_seq == self->events);
	CHECK(record->payload_len == sizeof(wanted));
	CHECK(!memcmp(payload, &wanted, sizeof(wanted)));
}

/* Checks the frames that a read() returned. */
static inline void book_frames(struct subscriber *self, const char *frames, size_t len)
{
	while (len) {
		const struct rtnotify_record *record = (const void *)frames;

		CHECK(len >= sizeof(*record) && len >= rtnotify_frame_len(record));
		book(self, record, rtnotify_payload(record));
		frames += rtnotify_frame_len(record);
		len -= rtnotify_frame_len(record);
	}
}

/* Reads until there is nothing left; the file does not block. */
static inline void drain(struct subscriber *self)
{
	static _Alignas(8) char frames[16384];

	for (;;) {
		ssize_t len = read(self->fd, frames, sizeof(frames));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			return;
		CHECK(len > 0);
		book_frames(self, frames, len);
	}
}

/* Fetches the event that @handle names. False if it names none, which is no error: drain then. */
static inline bool fetch(struct subscriber *self, __u64 handle)
{
	struct {
		struct rtnotify_record record;
		struct message body;
	} frame;
	ssize_t len = pread(self->fd, &frame, sizeof(frame), handle);

	if (len < 0) {
		CHECK(errno == ESTALE || errno == EINVAL);
		return false;
	}
	/* A forged handle can name the middle of an event; that has consumed nothing. */
	if (len != sizeof(frame) || frame.record.handle != handle)
		return false;
	book(self, &frame.record, &frame.body);
	return true;
}

/*
 * What a doorbell asks for: the event that it names or, if it names none, everything. Anybody may have sent
 * it, so it proves nothing; what counts is what the device says.
 */
static inline void answer(struct subscriber *self, int si_code, __u64 handle)
{
	self->doorbells++;
	if (si_code != SI_QUEUE || !fetch(self, handle))
		drain(self);
}

/* Checks the account and prints the summary. */
static inline int finish(struct subscriber *self, const char *name)
{
	struct rtnotify_stats now = stats(self->fd);
	int status;

	if (self->producer >= 0) {
		while (waitpid(self->producer, &status, 0) < 0)
			CHECK(errno == EINTR);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	CHECK(now.consumed == self->events && now.posted == self->events && now.queued == 0);
	printf("%s: %llu events, %llu doorbells answered\n", name,
	       (unsigned long long)self->events, (unsigned long long)self->doorbells);
	return 0;
}

#endif
