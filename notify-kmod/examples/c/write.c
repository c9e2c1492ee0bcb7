// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * write(): posting to a user source, many messages with one system call. All are checked before any is posted,
 * so a batch with a mistake in it posts nothing.
 */
#include "common.h"

#define BATCH	100

struct batch {
	_Alignas(8) char bytes[BATCH * (sizeof(struct rtnotify_post) + sizeof(struct message))];
	size_t len;
};

/* Appends a message for @source; each starts at a multiple of 8 bytes. */
static void append(struct batch *batch, __u32 source, const void *payload, __u32 len)
{
	struct rtnotify_post head = { .size = sizeof(head), .source = source, .payload_len = len };
	size_t padded = (len + RTNOTIFY_FRAME_ALIGN - 1) / RTNOTIFY_FRAME_ALIGN * RTNOTIFY_FRAME_ALIGN;

	CHECK(batch->len + sizeof(head) + padded <= sizeof(batch->bytes));
	memcpy(batch->bytes + batch->len, &head, sizeof(head));
	memcpy(batch->bytes + batch->len + sizeof(head), payload, len);
	batch->len += sizeof(head) + padded;
}

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);

	for (__u64 n = 1; n <= EVENTS; ) {
		struct batch good = { 0 }, bad = { 0 };

		for (int i = 0; i < BATCH; i++) {
			struct message body = message(n++);

			append(&good, self.source, &body, sizeof(body));
			/* There is no source 0. */
			append(&bad, i == BATCH / 2 ? 0 : self.source, &body, sizeof(body));
		}
		CHECK(write(self.fd, bad.bytes, bad.len) < 0 && errno == ENOENT);
		CHECK(stats(self.fd).queued == 0);

		CHECK(write(self.fd, good.bytes, good.len) == (ssize_t)good.len);
		CHECK(stats(self.fd).queued == BATCH);
		drain(&self);
	}
	CHECK(self.events == EVENTS);
	return finish(&self, "write");
}
