// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * sigaction() with SA_SIGINFO: the handler gets the handle and passes it on through a pipe. It calls nothing
 * but write(), which is safe in a handler, and leaves errno alone. The main program sleeps in read().
 *
 * The kernel sends at most a window's worth of signals that are not answered, so the pipe does not fill up. If
 * others ring as well it can: then the handler notes it, and the main program drains.
 */
#include "common.h"
#include <stdatomic.h>

static int doorbells[2];
static atomic_bool missed;

static void on_doorbell(int signo, siginfo_t *info, void *context)
{
	int saved = errno;
	/* 0 is no handle. */
	__u64 handle = info->si_code == SI_QUEUE ? (uintptr_t)info->si_value.sival_ptr : 0;

	(void)signo;
	(void)context;
	if (write(doorbells[1], &handle, sizeof(handle)) != sizeof(handle))
		atomic_store(&missed, true);
	errno = saved;
}

int main(void)
{
	int signo = SIGRTMIN + 1;
	struct sigaction action = { .sa_sigaction = on_doorbell, .sa_flags = SA_SIGINFO };

	CHECK(!pipe2(doorbells, O_CLOEXEC));
	CHECK(!fcntl(doorbells[1], F_SETFL, O_NONBLOCK));
	sigemptyset(&action.sa_mask);
	CHECK(!sigaction(signo, &action, NULL));

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_PER_EVENT);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		__u64 handle;

		if (read(doorbells[0], &handle, sizeof(handle)) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		answer(&self, handle ? SI_QUEUE : 0, handle);
		/* A doorbell is missed only while others are in the pipe, so this is not too late. */
		if (atomic_exchange(&missed, false))
			drain(&self);
	}
	return finish(&self, "handler");
}
