// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * mmap() by handle: access by reference. The signal brings a handle, a short pread() the record, and mmap() shows
 * the payload where the driver side has put it, without copying. The mapping keeps it there until munmap().
 */
#include "common.h"

#include <sys/mman.h>

#define ROUNDS	200
#define LENGTH	12288		/* three pages */

static unsigned char byte(__u64 round, size_t at)
{
	return (unsigned char)(round * 31 + at * 7);
}

static void post(int fd, __u32 source, __u64 round)
{
	static struct {
		struct rtnotify_post head;
		unsigned char body[LENGTH];
	} post;

	post.head.size = sizeof(post.head);
	post.head.source = source;
	post.head.payload_len = LENGTH;
	for (size_t at = 0; at < LENGTH; at++)
		post.body[at] = byte(round, at);
	CHECK(write(fd, &post, sizeof(post)) == sizeof(post));
}

static void compare(const unsigned char *payload, __u64 round)
{
	for (size_t at = 0; at < LENGTH; at++)
		CHECK(payload[at] == byte(round, at));
}

/* Maps what @handle names and checks it. False if it names nothing. */
static bool show(int fd, __u64 handle, __u64 round)
{
	struct rtnotify_record record;
	unsigned char *payload;

	/* Not to its end, so it is not consumed yet. */
	if (pread(fd, &record, sizeof(record), handle) != sizeof(record) || record.handle != handle)
		return false;
	CHECK(record.source_seq == round && record.payload_len == LENGTH);
	payload = mmap(NULL, record.payload_len, PROT_READ, MAP_SHARED, fd, handle);
	CHECK(payload != MAP_FAILED);
	/* Nobody can write here, and what comes next lies elsewhere. */
	compare(payload, round);
	CHECK(mprotect(payload, LENGTH, PROT_READ | PROT_WRITE) < 0 && errno == EACCES);
	CHECK(!munmap(payload, LENGTH));
	return true;
}

int main(void)
{
	static struct {
		struct rtnotify_record record;
		unsigned char body[LENGTH];
	} frame;
	int signo = SIGRTMIN + 1;
	__u64 mapped = 0, read_instead = 0;
	sigset_t signals;

	alarm(SECONDS);
	block(signo);
	sigemptyset(&signals);
	sigaddset(&signals, signo);

	int fd = open(RTNOTIFY_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	CHECK(fd >= 0);

	__u32 source = create_source(fd, LENGTH, 0, 0);

	register_thread(fd, signo, RTNOTIFY_MODE_PER_EVENT, RTNOTIFY_REG_PREAD_RECORD);
	subscribe(fd, source);
	for (__u64 round = 1; round <= ROUNDS; round++) {
		bool seen = false;

		post(fd, source, round);
		while (!seen) {
			siginfo_t info;

			if (sigwaitinfo(&signals, &info) < 0) {
				CHECK(errno == EINTR);
				continue;
			}
			if (show(fd, (uintptr_t)info.si_value.sival_ptr, round)) {
				mapped++;
				seen = true;
			} else if (read(fd, &frame, sizeof(frame)) == sizeof(frame)) {
				/* A doorbell that named nothing: whatever is there is read. */
				compare(frame.body, round);
				read_instead++;
				seen = true;
			}
		}
	}

	struct rtnotify_stats now = stats(fd);

	CHECK(now.consumed == ROUNDS && now.queued == 0 && now.quota_used == 0);
	printf("mmap: %llu payloads mapped, %llu read\n", (unsigned long long)mapped,
	       (unsigned long long)read_instead);
	return 0;
}
