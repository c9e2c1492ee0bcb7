// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * signalfd(): the signals of the thread that reads, as a file: several with one call, each with its handle, and
 * fit for poll(). The thread that is registered has to be the one that reads.
 */
#include "common.h"
#include <sys/signalfd.h>

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_PER_EVENT);
	int signals = signalfd(-1, &self.signals, SFD_CLOEXEC);

	CHECK(signals >= 0);
	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		struct signalfd_siginfo infos[16];
		ssize_t len = read(signals, infos, sizeof(infos));

		if (len < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		CHECK(len > 0 && len % sizeof(infos[0]) == 0);
		for (size_t i = 0; i < len / sizeof(infos[0]); i++)
			answer(&self, infos[i].ssi_code, infos[i].ssi_ptr);
	}
	return finish(&self, "signalfd");
}
