// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * O_ASYNC: SIGIO when there is something to read, for programs that are built around it. F_SETOWN says who gets
 * it. With F_SETSIG it is a realtime signal that says which descriptor is ready; if that cannot be queued, a
 * plain SIGIO comes in its place, so both are waited for.
 *
 * It comes when there was nothing to read before, so read until there is nothing again. The registered signal
 * is a second doorbell, which this program blocks and never takes.
 */
#include "common.h"
#include <poll.h>

int main(void)
{
	int signo = SIGRTMIN + 1;
	int ready = SIGRTMIN + 2;
	sigset_t signals;

	block(signo);
	block(ready);
	block(SIGIO);
	sigemptyset(&signals);
	sigaddset(&signals, ready);
	sigaddset(&signals, SIGIO);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);

	CHECK(!fcntl(self.fd, F_SETOWN, getpid()));
	CHECK(!fcntl(self.fd, F_SETSIG, ready));
	CHECK(!fcntl(self.fd, F_SETFL, O_NONBLOCK | O_ASYNC));
	/* What came before that was not announced. */
	drain(&self);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		siginfo_t info;
		int got = sigwaitinfo(&signals, &info);

		if (got < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		self.doorbells++;
		if (got == ready && info.si_code == POLL_IN) {
			CHECK(info.si_fd == self.fd);
			CHECK(info.si_band & POLLIN);
		}
		drain(&self);
	}
	return finish(&self, "sigio");
}
