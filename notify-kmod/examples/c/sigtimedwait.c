// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * sigtimedwait(): as sigwaitinfo(), for a limited time. In window mode a burst costs a bounded number of
 * signals, and each one means "read everything".
 */
#include "common.h"
#include <time.h>

int main(void)
{
	int signo = SIGRTMIN + 1;
	struct timespec limit = { .tv_nsec = 20 * 1000 * 1000 };

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);

	/* Nobody has posted yet: the time runs out, or somebody else rings and nothing is there. */
	if (sigtimedwait(&self.signals, NULL, &limit) < 0)
		CHECK(errno == EAGAIN);
	drain(&self);
	CHECK(self.events == 0);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		if (sigtimedwait(&self.signals, NULL, &limit) < 0) {
			CHECK(errno == EAGAIN || errno == EINTR);
			/* Here a program would do what it has to do from time to time. */
			continue;
		}
		self.doorbells++;
		drain(&self);
	}
	return finish(&self, "sigtimedwait");
}
