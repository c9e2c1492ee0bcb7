// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * epoll, level-triggered: as long as something is left, epoll_wait() returns at once. So a program may take a
 * few events at a time and serve its other descriptors in between.
 */
#include "common.h"
#include <sys/epoll.h>

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_WINDOW);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = self.fd };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	CHECK(epoll >= 0);
	CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, self.fd, &event));
	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		static _Alignas(8) char frames[4 * (sizeof(struct rtnotify_record) +
						    sizeof(struct message))];

		if (epoll_wait(epoll, &event, 1, -1) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		CHECK(event.data.fd == self.fd && event.events == EPOLLIN);

		ssize_t len = read(self.fd, frames, sizeof(frames));

		CHECK(len > 0);
		book_frames(&self, frames, len);
	}
	CHECK(epoll_wait(epoll, &event, 1, 0) == 0);
	return finish(&self, "epoll_level");
}
