/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_shim.h"
#include "line.h"
#include "pty.h"

static void *receive(void *argument)
{
	struct line *line = argument;
	uint8_t bytes[64];

	for (;;) {
		app_shim_raise_args event = { .size = sizeof(event) };
		struct pollfd ready = { .fd = line->in, .events = POLLIN };
		ssize_t n;

		if (line->raised - __atomic_load_n(&line->taken,
						   __ATOMIC_ACQUIRE) >
		    line->limit) {
			poll(NULL, 0, 1);
			continue;
		}
		if (poll(&ready, 1, -1) < 0)
			continue;
		n = read(line->in, bytes, sizeof(bytes));
		if (n < 0 && errno == EIO) {
			/* Nobody has opened the pseudo-terminal. */
			poll(NULL, 0, 10);
			continue;
		}
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return NULL;
		event.vector = line->vector;
		event.payload = bytes;
		event.payload_len = (uint32_t)n;
		line->raised += (uint32_t)n;
		while (app_shim_raise_wait(&event, APP_SHIM_FOREVER) ==
		       APP_SHIM_NOT_STARTED)
			poll(NULL, 0, 1);
	}
}

void line_start(struct line *line, const char *variable, const char *otherwise,
		uint32_t vector, uint32_t limit)
{
	const char *what = getenv(variable);
	pthread_t thread;
	sigset_t all, old;

	line->in = line->out = -1;
	line->vector = vector;
	line->limit = limit;
	if (!what || !*what)
		what = otherwise;
	if (strcmp(what, "stdio") == 0) {
		line->in = 0;
		line->out = 1;
	} else if (strcmp(what, "pty") == 0) {
		line->in = line->out = app_shim_pty();
	} else if (strncmp(what, "fd:", 3) == 0) {
		line->in = line->out = atoi(what + 3);
	} else if (strcmp(what, "out") == 0) {
		line->out = 1;
	}
	if (line->in < 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (pthread_create(&thread, NULL, receive, line) == 0)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void line_send(struct line *line, uint8_t byte)
{
	int saved = errno;

	/* A pseudo-terminal that nobody reads loses it, as a line does. */
	while (line->out >= 0 && write(line->out, &byte, 1) < 0 &&
	       errno == EINTR)
		;
	errno = saved;
}

void line_taken(struct line *line, uint32_t bytes)
{
	__atomic_fetch_add(&line->taken, bytes, __ATOMIC_RELEASE);
}
