// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A timer source: the module posts by itself, with the time of each expiration and, as the value, how many
 * periods it stands for: 1, or more when the machine was late. So the periods add up exactly.
 */
#include "common.h"

#define PERIODS		50
#define PERIOD_NS	2000000

int main(void)
{
	int signo = SIGRTMIN + 1;
	__u64 periods = 0, events = 0, last = 0;
	sigset_t signals;

	alarm(SECONDS);
	block(signo);
	sigemptyset(&signals);
	sigaddset(&signals, signo);

	int fd = open(RTNOTIFY_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	CHECK(fd >= 0);
	register_thread(fd, signo, RTNOTIFY_MODE_WINDOW, 0);
	/* Periods before the subscription do not count. */
	subscribe(fd, create_source(fd, 0, PERIOD_NS, PERIODS));

	while (periods < PERIODS) {
		struct rtnotify_record record;

		if (sigwaitinfo(&signals, NULL) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		while (read(fd, &record, sizeof(record)) == sizeof(record)) {
			CHECK(record.kind == RTNOTIFY_KIND_EVENT);
			CHECK(record.flags & RTNOTIFY_RECORD_VALUE && record.payload_len == 0);
			CHECK(record.source_seq == ++events);
			CHECK(record.value > 0 && record.time_ns > last);
			periods += record.value;
			last = record.time_ns;
		}
		CHECK(errno == EAGAIN);
	}
	CHECK(periods == PERIODS);
	printf("timer: %d periods in %llu events\n", PERIODS, (unsigned long long)events);
	return 0;
}
