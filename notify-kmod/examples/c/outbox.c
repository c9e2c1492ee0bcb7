// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * By reference to a driver: data lies in memory that the process has mapped, and what is written, or passed to a call,
 * is where. The driver "echo" adds up the bytes of a call's message where they are. What is posted to other
 * subscribers is copied once, from the outbox to where they read it.
 */
#include "common.h"

#include <sys/mman.h>

#define ECHO_SUM	2
#define LENGTH		1000000
#define ROUNDS		50
#define MESSAGE		4096		/* where in the outbox the message lies */
#define PATIENCE	10000000000ULL	/* nanoseconds */

/* Fills the message and returns the sum of its bytes. */
static __u32 fill(unsigned char *message, __u32 round)
{
	__u32 sum = 0;

	for (size_t at = 0; at < LENGTH; at++) {
		message[at] = (unsigned char)(at * 7 + round);
		sum += message[at];
	}
	return sum;
}

int main(void)
{
	alarm(SECONDS);
	/* Calls need no signal; this one is blocked so that nobody's doorbell ends the program. */
	block(SIGRTMIN + 1);

	/* What is mapped to be written can be read, too. */
	int fd = open(RTNOTIFY_DEVICE, O_RDWR | O_CLOEXEC);
	struct rtnotify_outbox outbox = { .size = sizeof(outbox), .len = MESSAGE + LENGTH };

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, RTNOTIFY_IOC_MAP_OUTBOX, &outbox));

	unsigned char *memory = mmap(NULL, outbox.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				     outbox.offset);

	CHECK(memory != MAP_FAILED);

	__u32 echo = find_source(fd, "echo", RTNOTIFY_SOURCE_CALLABLE), done = 0;

	while (done < ROUNDS) {
		__u32 sum = fill(memory + MESSAGE, done), answer;
		struct rtnotify_call call = {
			.size = sizeof(call),
			.flags = RTNOTIFY_CALL_REFERENCE,
			.source = echo,
			.kind = ECHO_SUM,
			.message = MESSAGE,
			.message_len = LENGTH,
			.answer = 0,
			.answer_len = sizeof(answer),
			.timeout_ns = PATIENCE,
		};

		memset(memory, 0, sizeof(answer));
		if (ioctl(fd, RTNOTIFY_IOC_CALL, &call)) {
			/* Others keep the driver busy, or a signal came: once more. */
			CHECK(errno == EAGAIN || errno == EINTR);
			continue;
		}
		memcpy(&answer, memory, sizeof(answer));
		CHECK(call.answer_len == sizeof(answer) && answer == sum);
		done++;
	}

	/* To whoever subscribes to it; here nobody does, so it just must be taken. */
	struct {
		struct rtnotify_post head;
		__u64 where;
	} post = {
		.head = {
			.size = sizeof(post.head),
			.source = echo,
			.flags = RTNOTIFY_POST_REFERENCE,
			.payload_len = LENGTH,
		},
		.where = MESSAGE,
	};

	while (write(fd, &post, sizeof(post)) != sizeof(post))
		CHECK(errno == EINTR);
	post.where = outbox.len - LENGTH + 1;
	CHECK(write(fd, &post, sizeof(post)) < 0 && errno == EINVAL);
	printf("outbox: %u messages of %d bytes added up where they lie\n", done, LENGTH);
	return 0;
}
