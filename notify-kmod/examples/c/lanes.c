// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Two lanes: alarms and measurements, each with a signal and a queue of its own. The kernel delivers the lower
 * number first and read() empties that lane first, so an alarm overtakes whatever is waiting. One signal for
 * each lane that has something (coalesced mode), however much that is.
 */
#include "common.h"

#define ROUNDS		100
#define MEASUREMENTS	50

static __u32 add_source(int fd, const char *what)
{
	struct rtnotify_create_source request = {
		.size = sizeof(request),
		.source_type = RTNOTIFY_SOURCE_USER,
	};

	snprintf(request.name, sizeof(request.name), "c-%s-%d", what, getpid());
	CHECK(!ioctl(fd, RTNOTIFY_IOC_CREATE_SOURCE, &request));
	return request.number;
}

static void post(int fd, __u32 source, __u64 value)
{
	struct rtnotify_post post = {
		.size = sizeof(post),
		.source = source,
		.flags = RTNOTIFY_POST_VALUE,
		.value = value,
	};

	CHECK(write(fd, &post, sizeof(post)) == sizeof(post));
}

int main(void)
{
	int urgent = SIGRTMIN + 1, normal = SIGRTMIN + 2;
	__u64 alarms = 0, measured = 0;
	sigset_t signals;

	alarm(SECONDS);
	block(urgent);
	block(normal);
	sigemptyset(&signals);
	sigaddset(&signals, urgent);
	sigaddset(&signals, normal);

	int fd = open(RTNOTIFY_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	CHECK(fd >= 0);

	__u32 alarm_source = add_source(fd, "alarm"), measure_source = add_source(fd, "measure");
	struct rtnotify_register request = {
		.size = sizeof(request),
		.signo = normal,
		.mode = RTNOTIFY_MODE_COALESCED,
		.queue_len = 256,
		.capacity = 256 + 16,
		.policy = RTNOTIFY_POLICY_REJECT_NEWEST,
		.clock = RTNOTIFY_CLOCK_MONOTONIC,
	};
	struct rtnotify_lane lane = {
		.size = sizeof(lane),
		.signo = urgent,
		.mode = RTNOTIFY_MODE_COALESCED,
		.queue_len = 16,
		.policy = RTNOTIFY_POLICY_REJECT_NEWEST,
	};
	struct rtnotify_subscribe to_alarms = {
		.size = sizeof(to_alarms),
		.source = alarm_source,
		.signo = urgent,
	};

	CHECK(!ioctl(fd, RTNOTIFY_IOC_REGISTER, &request));
	CHECK(!ioctl(fd, RTNOTIFY_IOC_ADD_LANE, &lane));
	CHECK(!ioctl(fd, RTNOTIFY_IOC_SUBSCRIBE, &to_alarms));
	subscribe(fd, measure_source);

	for (__u64 round = 0; round < ROUNDS; round++) {
		for (__u64 n = 0; n < MEASUREMENTS; n++)
			post(fd, measure_source, n);
		post(fd, alarm_source, round);
		while (alarms <= round || measured < (round + 1) * MEASUREMENTS) {
			struct rtnotify_record records[16];
			ssize_t len;

			if (sigwaitinfo(&signals, NULL) < 0)
				CHECK(errno == EINTR);
			while ((len = read(fd, records, sizeof(records))) > 0) {
				for (size_t i = 0; i < len / sizeof(records[0]); i++) {
					if (records[i].source == alarm_source) {
						/* Posted last, read first. */
						CHECK(measured == round * MEASUREMENTS);
						CHECK(records[i].value == alarms++);
					} else {
						CHECK(records[i].value == measured++ % MEASUREMENTS);
					}
				}
			}
			CHECK(errno == EAGAIN);
		}
	}

	struct rtnotify_stats now = stats(fd);

	CHECK(now.posted == alarms + measured && now.consumed == now.posted);
	printf("lanes: %llu alarms, %llu measurements, %llu signals\n", (unsigned long long)alarms,
	       (unsigned long long)measured, (unsigned long long)now.signals_sent);
	return 0;
}
