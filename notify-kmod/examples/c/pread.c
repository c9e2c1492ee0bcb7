// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * pread() by handle: a handle is a file offset, so a payload can be read in parts, from any place, as often as
 * one likes. The pread() that copies it from its start to its end consumes the event; after that the handle
 * names nothing.
 */
#include "common.h"
#include <stddef.h>

/* Reads the payload that @handle names in every way. False if it names none. */
static bool look(struct subscriber *self, __u64 handle)
{
	struct message whole, wanted = message(self->events + 1);
	__u64 square;
	char first[4];

	if (pread(self->fd, first, sizeof(first), handle) < 0) {
		CHECK(errno == ESTALE || errno == EINVAL || errno == ENODATA);
		return false;
	}
	if (handle & RTNOTIFY_MAX_PAYLOAD)
		return false;	/* forged: it names the middle of an event */
	CHECK(!memcmp(first, &wanted, sizeof(first)));

	CHECK(pread(self->fd, &square, sizeof(square),
		    handle + offsetof(struct message, square)) == sizeof(square));
	CHECK(square == wanted.square);
	CHECK(pread(self->fd, first, sizeof(first), handle + sizeof(whole)) == 0);

	CHECK(pread(self->fd, &whole, sizeof(whole), handle) == sizeof(whole));
	CHECK(!memcmp(&whole, &wanted, sizeof(whole)));
	self->events++;
	CHECK(pread(self->fd, &whole, sizeof(whole), handle) < 0 && errno == ESTALE);
	return true;
}

int main(void)
{
	int signo = SIGRTMIN + 1;

	block(signo);

	struct subscriber self = start(O_NONBLOCK, signo, RTNOTIFY_MODE_PER_EVENT);
	struct rtnotify_unregister request = { .size = sizeof(request) };

	/* The payload alone, without its record. */
	CHECK(!ioctl(self.fd, RTNOTIFY_IOC_UNREGISTER, &request));
	register_thread(self.fd, signo, RTNOTIFY_MODE_PER_EVENT, 0);
	subscribe(self.fd, self.source);

	produce(&self, EVENTS);
	while (self.events < EVENTS) {
		siginfo_t info;

		if (sigwaitinfo(&self.signals, &info) < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		self.doorbells++;
		if (info.si_code != SI_QUEUE || !look(&self, (uintptr_t)info.si_value.sival_ptr))
			drain(&self);
	}
	return finish(&self, "pread");
}
