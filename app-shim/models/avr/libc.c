/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* libc.c: what the AVR's C library has beyond the system's. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

char *dtostrf(double value, signed char width, unsigned char precision,
	      char *text)
{
	sprintf(text, "%*.*f", width, precision, value);
	return text;
}

char *dtostre(double value, char *text, unsigned char precision,
	      unsigned char flags)
{
	const char *format = flags & 4 ? flags & 2 ? "%+.*E" :
					 flags & 1 ? "% .*E" : "%.*E" :
			     flags & 2 ? "%+.*e" : flags & 1 ? "% .*e" : "%.*e";

	sprintf(text, format, precision, value);
	return text;
}

__attribute__((weak)) size_t strlcpy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from);

	if (size) {
		size_t m = n < size ? n : size - 1;

		memcpy(to, from, m);
		to[m] = 0;
	}
	return n;
}

__attribute__((weak)) size_t strlcat(char *to, const char *from, size_t size)
{
	size_t n = strnlen(to, size);

	return n + strlcpy(to + n, from, size - n);
}
