// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * sigpending(): a program that has other work to do looks from time to time whether the doorbell has rung. It
 * takes the signals and then drains; the other way round an event that comes in between would wait for the
 * next look.
 */
#include "common.h"
#include <time.h>

/* The other work: one step of a pseudo-random sequence. */
static __u64 work(__u64 state)
{
	return state * 6364136223846793005u + 1442695040888963407u;
}

int main(void)
{
	int signo = SIGRTMIN + 1;
	const struct timespec now = { 0 };
	__u64 state = 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		sigset_t pending;

		state = work(state);
		CHECK(!sigpending(&pending));
		if (!sigismember(&pending, signo))
			continue;
		while (sigtimedwait(&self.signals, NULL, &now) > 0)
			self.doorbells++;
		drain(&self);
	}
	CHECK(state != 1);
	return finish(&self, "sigpending");
}
