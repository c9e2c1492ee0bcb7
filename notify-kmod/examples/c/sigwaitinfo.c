// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * sigwaitinfo(): sleep until the next event, and get its handle with the signal. One signal for each event,
 * one pread() to fetch it: the simplest way, and the one without handlers.
 */
#include "common.h"

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_PER_EVENT);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		siginfo_t info;

		if (sigwaitinfo(&self.signals, &info) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		answer(&self, info.si_code, (uintptr_t)info.si_value.sival_ptr);
	}
	return finish(&self, "sigwaitinfo");
}
