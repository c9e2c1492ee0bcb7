/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pty.c: a pseudo-terminal as the other end of a serial line. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "pty.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

int app_shim_pty(void)
{
	char name[64];
	struct termios raw;
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (grantpt(fd) != 0 || unlockpt(fd) != 0 ||
	    ptsname_r(fd, name, sizeof(name)) != 0) {
		close(fd);
		return -1;
	}
	if (tcgetattr(fd, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	fprintf(stderr, "serial line: %s\n", name);
	return fd;
}
