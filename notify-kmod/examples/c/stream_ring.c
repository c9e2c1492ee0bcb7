// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A stream of bytes by reference, both ways: the writer's bytes lie in its outbox, of which it passes pieces of any
 * length; the reader's lie in the mapped pool, from which it takes as many as it wants at a time. The writer waits
 * when the reader lags, until the reader has given records back and arms its lane.
 */
#include "common.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define BYTES	400000
#define BOX	65536
#define PIECE	9973	/* longest piece that is passed at once */

static unsigned char byte(size_t at)
{
	return (unsigned char)(at * 7 + at / 256);
}

static void *map(int fd, int protection, __u64 offset, __u64 len)
{
	void *start = mmap(NULL, len, protection, MAP_SHARED, fd, offset);

	CHECK(start != MAP_FAILED);
	return start;
}

/* Passes the stream in pieces, in another process. What has been taken may be overwritten. */
static pid_t write_stream(int fd, __u32 source)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child)
		return child;
	alarm(SECONDS);

	struct rtnotify_outbox outbox = { .size = sizeof(outbox), .len = BOX };

	CHECK(!ioctl(fd, RTNOTIFY_IOC_MAP_OUTBOX, &outbox));

	unsigned char *box = map(fd, PROT_READ | PROT_WRITE, outbox.offset, outbox.len);

	for (size_t done = 0, piece = 1; done < BYTES; piece = piece * 5 % PIECE + 1) {
		struct {
			struct rtnotify_post head;
			__u64 where;
		} post = {
			.head = {
				.size = sizeof(post.head),
				.source = source,
				.flags = RTNOTIFY_POST_REFERENCE,
			},
			.where = done % (BOX - PIECE),
		};
		size_t len = BYTES - done < piece ? BYTES - done : piece;

		post.head.payload_len = len;
		for (size_t i = 0; i < len; i++)
			box[post.where + i] = byte(done + i);
		while (write(fd, &post, sizeof(post)) != sizeof(post))
			CHECK(errno == EINTR);
		done += len;
	}
	_exit(0);
}

int main(void)
{
	int signo = SIGRTMIN + 1, status;
	sigset_t signals;

	alarm(SECONDS);
	block(signo);
	sigemptyset(&signals);
	sigaddset(&signals, signo);

	int fd = open(RTNOTIFY_DEVICE, O_RDWR | O_CLOEXEC);
	int writer = open(RTNOTIFY_DEVICE, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0 && writer >= 0);

	struct rtnotify_create_source create = {
		.size = sizeof(create),
		.flags = RTNOTIFY_SOURCE_STREAM | RTNOTIFY_SOURCE_BLOCKING,
		.source_type = RTNOTIFY_SOURCE_USER,
		.max_payload = PIECE,
	};

	snprintf(create.name, sizeof(create.name), "c-stream-ring-%d", getpid());
	CHECK(!ioctl(writer, RTNOTIFY_IOC_CREATE_SOURCE, &create));

	struct rtnotify_register request = {
		.size = sizeof(request),
		.signo = signo,
		.mode = RTNOTIFY_MODE_COALESCED,
		.queue_len = 16,
		.policy = RTNOTIFY_POLICY_BLOCK,
		.clock = RTNOTIFY_CLOCK_MONOTONIC,
	};
	struct rtnotify_ring ring = { .size = sizeof(ring) };

	CHECK(!ioctl(fd, RTNOTIFY_IOC_REGISTER, &request));
	CHECK(!ioctl(fd, RTNOTIFY_IOC_MAP_RING, &ring));

	const char *shared = map(fd, PROT_READ, ring.ring_offset, ring.ring_len);
	const unsigned char *pool = map(fd, PROT_READ, ring.pool_offset, ring.pool_len);
	_Atomic __u64 *head = map(fd, PROT_READ | PROT_WRITE, ring.control_offset, ring.control_len);
	const _Atomic __u64 *tail = (const void *)shared;
	const struct rtnotify_record *records = (const void *)(shared + 4096);
	struct rtnotify_arm arm = { .size = sizeof(arm) };
	size_t done = 0, takes = 0, used = 0;	/* used: bytes of the oldest record */
	__u64 first = 0;

	subscribe(fd, create.number);

	pid_t child = write_stream(writer, create.number);

	while (done < BYTES) {
		__u64 end = atomic_load_explicit(tail, memory_order_acquire);
		size_t wanted = 1 + done % 5000;

		if (first == end) {
			atomic_store_explicit(head, first, memory_order_release);
			/* Nothing is there, so the next piece rings; else something has come meanwhile. */
			if (!ioctl(fd, RTNOTIFY_IOC_ARM, &arm)) {
				while (sigwaitinfo(&signals, NULL) < 0)
					CHECK(errno == EINTR);
			} else {
				CHECK(errno == EAGAIN);
			}
			continue;
		}
		/* As many bytes as wanted, whatever records they are in. */
		for (takes++; wanted && first != end; wanted--) {
			const struct rtnotify_record *record = &records[first & (ring.entries - 1)];
			const unsigned char *bytes = pool + record->handle;

			CHECK(record->kind != RTNOTIFY_KIND_GAP);
			if (record->flags & RTNOTIFY_RECORD_INLINE)
				bytes = (const unsigned char *)&record->value;
			CHECK(bytes[used] == byte(done));
			done++;
			if (++used == record->payload_len) {
				used = 0;
				first++;
			}
		}
	}
	while (waitpid(child, &status, 0) < 0)
		CHECK(errno == EINTR);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	printf("stream_ring: %zu bytes in %zu takes\n", done, takes);
	return 0;
}
