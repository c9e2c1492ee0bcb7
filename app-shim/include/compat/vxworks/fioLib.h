/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* fioLib.h: printing to descriptors. */
#ifndef APP_SHIM_VX_FIO_LIB_H
#define APP_SHIM_VX_FIO_LIB_H

#include "app_shim_vx.h"
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION __attribute__((__format__(__printf__, 2, 3))) int
fdprintf(int fd, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (length >= (int)sizeof(text))
		length = (int)sizeof(text) - 1;
	return length < 0 ? length : (int)write(fd, text, (size_t)length);
}

APP_SHIM_VX_FUNCTION __attribute__((__format__(__printf__, 1, 2))) int
printErr(const char *fmt, ...)
{
	va_list args;
	int length;

	va_start(args, fmt);
	length = vfprintf(stderr, fmt, args);
	va_end(args);
	return length;
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_FIO_LIB_H */
