// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A driver behind a source: QEMU's edu device computes factorials and interrupts. A request goes in with
 * write(); the answer comes as an event that the driver's interrupt handler has posted. Other programs may use
 * the device at the same time, and everybody sees all answers.
 */
#include "common.h"

#define REQUESTS	100

struct request {
	__u32 id;
	__u32 n;
};

struct answer {
	__u32 id;
	__u32 n;
	__u32 factorial;	/* modulo 2^32 */
};

/* Asks for the factorial of @n. False if the driver has no room now. */
static bool ask(int fd, __u32 source, __u32 id, __u32 n)
{
	struct {
		struct rtnotify_post head;
		struct request body;
	} post = {
		.head = {
			.size = sizeof(post.head),
			.source = source,
			.payload_len = sizeof(post.body),
		},
		.body = { id, n },
	};

	if (write(fd, &post, sizeof(post)) == sizeof(post))
		return true;
	CHECK(errno == EAGAIN);
	return false;
}

static __u32 factorial(__u32 n)
{
	return n ? n * factorial(n - 1) : 1;
}

int main(void)
{
	int signo = SIGRTMIN + 1;
	__u32 first = (__u32)getpid() << 8, asked = 0, answered = 0;
	sigset_t signals;

	alarm(SECONDS);
	block(signo);
	sigemptyset(&signals);
	sigaddset(&signals, signo);

	int fd = open(RTNOTIFY_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	CHECK(fd >= 0);
	register_thread(fd, signo, RTNOTIFY_MODE_WINDOW, 0);

	__u32 source = find_source(fd, "edu", RTNOTIFY_SOURCE_WRITABLE);

	subscribe(fd, source);
	while (answered < REQUESTS) {
		struct {
			struct rtnotify_record record;
			struct answer body;
			__u32 padding;
		} frame;

		while (asked < REQUESTS && ask(fd, source, first + asked, asked % 20))
			asked++;
		/* If others keep the driver busy, their answers ring too. */
		if (sigwaitinfo(&signals, NULL) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		while (read(fd, &frame, sizeof(frame)) > 0) {
			CHECK(!rtnotify_is_gap(&frame.record));
			CHECK(frame.record.payload_len == sizeof(frame.body));
			CHECK(frame.body.factorial == factorial(frame.body.n));
			CHECK(frame.record.value == frame.body.factorial);
			if (frame.body.id == first + answered) {
				CHECK(frame.body.n == answered % 20);
				answered++;
			}
		}
		CHECK(errno == EAGAIN);
	}
	printf("edu: %u factorials\n", answered);
	return 0;
}
