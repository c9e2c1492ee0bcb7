// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A synchronous call to a driver: the message goes in and the answer comes back in one ioctl(). QEMU's edu device
 * computes factorials; its driver starts it, lets the caller sleep, and answers from its interrupt handler.
 */
#include "common.h"

#define CALLS	100
#define PATIENCE	10000000000ULL	/* nanoseconds */

static __u32 factorial(__u32 n)
{
	return n ? n * factorial(n - 1) : 1;
}

int main(void)
{
	alarm(SECONDS);
	/* Calls need no signal; this one is blocked so that nobody's doorbell ends the program. */
	block(SIGRTMIN + 1);

	int fd = open(RTNOTIFY_DEVICE, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);

	__u32 source = find_source(fd, "edu", RTNOTIFY_SOURCE_CALLABLE), done = 0;

	while (done < CALLS) {
		__u32 n = done % 13, answer = 0;
		struct rtnotify_call call = {
			.size = sizeof(call),
			.source = source,
			.message = (uintptr_t)&n,
			.message_len = sizeof(n),
			.answer = (uintptr_t)&answer,
			.answer_len = sizeof(answer),
			.timeout_ns = PATIENCE,
		};

		if (ioctl(fd, RTNOTIFY_IOC_CALL, &call)) {
			/* Others keep the driver busy, or a signal came: once more. */
			CHECK(errno == EAGAIN || errno == EINTR);
			continue;
		}
		CHECK(call.answer_len == sizeof(answer) && answer == factorial(n));
		done++;
	}
	printf("call: %u factorials\n", done);
	return 0;
}
