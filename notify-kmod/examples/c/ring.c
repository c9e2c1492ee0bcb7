// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A mapped ring: records and payloads are read where the kernel has put them, and given back by storing an index.
 * While there is more, an event costs no system call. When there is no more the lane is armed, and the next event
 * rings.
 */
#include "common.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* One part of it, at its offset and with its length. */
static void *map(int fd, int protection, __u64 offset, __u64 len)
{
	void *start = mmap(NULL, len, protection, MAP_SHARED, fd, offset);

	CHECK(start != MAP_FAILED);
	return start;
}

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_COALESCED);
	struct rtnotify_ring ring = { .size = sizeof(ring) };

	CHECK(!ioctl(self.fd, RTNOTIFY_IOC_MAP_RING, &ring));

	const char *shared = map(self.fd, PROT_READ, ring.ring_offset, ring.ring_len);
	const char *pool = map(self.fd, PROT_READ, ring.pool_offset, ring.pool_len);
	_Atomic __u64 *head = map(self.fd, PROT_READ | PROT_WRITE, ring.control_offset,
				  ring.control_len);
	const _Atomic __u64 *tail = (const void *)shared;
	const struct rtnotify_record *records = (const void *)(shared + 4096);
	struct rtnotify_arm arm = { .size = sizeof(arm) };
	__u64 done = 0;

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		if (sigwaitinfo(&self.signals, NULL) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		self.doorbells++;
		do {
			__u64 end = atomic_load_explicit(tail, memory_order_acquire);

			for (; done != end; done++) {
				const struct rtnotify_record *record =
					&records[done & (ring.entries - 1)];

				book(&self, record, pool + record->handle);
			}
			atomic_store_explicit(head, done, memory_order_release);
		} while (ioctl(self.fd, RTNOTIFY_IOC_ARM, &arm) && errno == EAGAIN);
	}
	return finish(&self, "ring");
}
