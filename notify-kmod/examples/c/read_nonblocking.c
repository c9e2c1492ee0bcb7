// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Non-blocking read(): a program that has a rhythm of its own takes what is there, once in each turn. A buffer
 * that the first event does not fit in takes nothing.
 */
#include "common.h"
#include <sched.h>

int main(void)
{
	static _Alignas(8) char frames[16384];
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);

	CHECK(read(self.fd, frames, sizeof(frames)) < 0 && errno == EAGAIN);
	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		ssize_t len = read(self.fd, frames, sizeof(struct rtnotify_record));

		CHECK(len < 0 && (errno == EMSGSIZE || errno == EAGAIN));

		len = read(self.fd, frames, sizeof(frames));
		if (len < 0) {
			CHECK(errno == EAGAIN);
			/* Here a program would do the rest of its turn. */
			sched_yield();
			continue;
		}
		CHECK(len > 0);
		book_frames(&self, frames, len);
	}
	return finish(&self, "read_nonblocking");
}
