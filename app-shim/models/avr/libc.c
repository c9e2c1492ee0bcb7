/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* libc.c: what the AVR's C library has beyond the system's. */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static char *digits(unsigned long value, char *text, int radix, int negative)
{
	char reversed[8 * sizeof(value) + 1];
	char *to = text;
	int n = 0;

	if (radix < 2 || radix > 36) {
		*text = 0;
		return text;
	}
	do {
		reversed[n++] = "0123456789abcdefghijklmnopqrstuvwxyz"
			[value % (unsigned)radix];
		value /= (unsigned)radix;
	} while (value);
	if (negative)
		*to++ = '-';
	while (n)
		*to++ = reversed[--n];
	*to = 0;
	return text;
}

char *ultoa(unsigned long value, char *text, int radix)
{
	return digits(value, text, radix, 0);
}

char *utoa(unsigned value, char *text, int radix)
{
	return digits(value, text, radix, 0);
}

char *ltoa(long value, char *text, int radix)
{
	int negative = radix == 10 && value < 0;

	return digits(negative ? 0 - (unsigned long)value : (unsigned long)value,
		      text, radix, negative);
}

char *itoa(int value, char *text, int radix)
{
	int negative = radix == 10 && value < 0;

	return digits(negative ? 0 - (unsigned)value : (unsigned)value, text,
		      radix, negative);
}

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

char *strlwr(char *text)
{
	char *p;

	for (p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

char *strupr(char *text)
{
	char *p;

	for (p = text; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return text;
}

char *strrev(char *text)
{
	size_t n = strlen(text), i;

	for (i = 0; i < n / 2; i++) {
		char c = text[i];

		text[i] = text[n - 1 - i];
		text[n - 1 - i] = c;
	}
	return text;
}
