// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * SIGUSR1, for programs that know nothing newer. The kernel keeps one such signal pending at most; the queue
 * keeps every event all the same. So it says "there is something", and the program reads everything.
 */
#include "common.h"

int main(void)
{
	int signo = SIGUSR1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		int got;

		CHECK(!sigwait(&self.signals, &got) && got == signo);
		self.doorbells++;
		drain(&self);
	}
	return finish(&self, "sigusr1");
}
