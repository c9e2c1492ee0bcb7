// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * poll(): for programs with an event loop and other descriptors in it. The thread blocks the registered signal
 * and never takes it.
 */
#include "common.h"
#include <poll.h>

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);
	struct pollfd pollfd = { .fd = self.fd, .events = POLLIN };

	CHECK(poll(&pollfd, 1, 0) == 0);
	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		if (poll(&pollfd, 1, -1) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		CHECK(pollfd.revents == POLLIN);
		drain(&self);
	}
	CHECK(poll(&pollfd, 1, 0) == 0);
	return finish(&self, "poll");
}
