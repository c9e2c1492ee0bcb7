// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * sigsuspend(): the signal is blocked except while the program sleeps, so the handler runs at one known place
 * and need not be careful about anything else. Between the look at the flag and the sleep nothing is lost:
 * sigsuspend() unblocks and sleeps in one step.
 */
#include "common.h"
#include <stdatomic.h>

static atomic_bool rung;

static void on_doorbell(int signo)
{
	(void)signo;
	atomic_store(&rung, true);
}

int main(void)
{
	int signo = SIGRTMIN + 1;
	struct sigaction action = { .sa_handler = on_doorbell };
	sigset_t asleep = block(signo);

	sigemptyset(&action.sa_mask);
	CHECK(!sigaction(signo, &action, NULL));
	sigdelset(&asleep, signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		while (!atomic_exchange(&rung, false))
			sigsuspend(&asleep);
		self.doorbells++;
		drain(&self);
	}
	return finish(&self, "sigsuspend");
}
