/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stdlib_noniso.h: numbers as text, as the C libraries of small machines have it. */
#ifndef STDLIB_NONISO_H
#define STDLIB_NONISO_H

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In bases 2 to 36; others give an empty text. */
__attribute__((__weak__)) char *ultoa(unsigned long value, char *text, int base)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char turned[72];
	size_t n = 0, at = 0;

	if (base >= 2 && base <= 36) {
		do {
			turned[n++] = digits[value % (unsigned long)base];
			value /= (unsigned long)base;
		} while (value > 0);
	}
	while (n > 0)
		text[at++] = turned[--n];
	text[at] = '\0';
	return text;
}

/* Negative in base 10 alone; else what 32 bits make of it, where they can. */
__attribute__((__weak__)) char *ltoa(long value, char *text, int base)
{
	if (value < 0 && base == 10) {
		text[0] = '-';
		ultoa(0ul - (unsigned long)value, text + 1, base);
		return text;
	}
	if (value < 0 && value >= -2147483647L - 1)
		return ultoa((unsigned int)value, text, base);
	return ultoa((unsigned long)value, text, base);
}

__attribute__((__weak__)) char *itoa(int value, char *text, int base)
{
	return ltoa(value, text, base);
}

__attribute__((__weak__)) char *utoa(unsigned int value, char *text, int base)
{
	return ultoa(value, text, base);
}

/* A negative width: to the left. */
__attribute__((__weak__)) char *dtostrf(double value, signed char width,
					unsigned char places, char *text)
{
	sprintf(text, "%*.*f", width, places, value);
	return text;
}

__attribute__((__weak__)) char *strrev(char *text)
{
	size_t from = 0, to = strlen(text);

	while (from + 1 < to) {
		char c = text[from];

		text[from++] = text[--to];
		text[to] = c;
	}
	return text;
}

__attribute__((__weak__)) char *strlwr(char *text)
{
	char *at;

	for (at = text; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return text;
}

__attribute__((__weak__)) char *strupr(char *text)
{
	char *at;

	for (at = text; *at != '\0'; at++)
		*at = (char)toupper((unsigned char)*at);
	return text;
}

#ifdef __cplusplus
}
#endif

#endif /* STDLIB_NONISO_H */
