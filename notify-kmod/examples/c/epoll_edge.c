// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * epoll, edge-triggered: epoll_wait() returns once for what is new, so everything has to be read, until EAGAIN.
 */
#include "common.h"
#include <sys/epoll.h>

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.fd = self.fd };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	CHECK(epoll >= 0);
	CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, self.fd, &event));
	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		if (epoll_wait(epoll, &event, 1, -1) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		CHECK(event.data.fd == self.fd && event.events == EPOLLIN);
		drain(&self);
	}
	return finish(&self, "epoll_edge");
}
