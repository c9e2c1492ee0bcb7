// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Blocking read(): sleeps until there is something, and returns as many events as fit. One system call for a
 * whole batch; the thread blocks the registered signal and never takes it.
 */
#include "common.h"

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(0, signo, RTNOTIFY_MODE_WINDOW);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		static _Alignas(8) char frames[16384];
		ssize_t len = read(self.fd, frames, sizeof(frames));

		if (len < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		CHECK(len > 0);
		book_frames(&self, frames, len);
	}
	return finish(&self, "read_blocking");
}
