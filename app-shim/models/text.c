/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * text.c: what the C libraries of the AVR and of the compilers for DOS had beyond the
 * system's. The int of both had 16 bits.
 */
#include <ctype.h>
#include <limits.h>
#include <stddef.h>

char *itoa(int value, char *text, int radix);
char *utoa(unsigned value, char *text, int radix);
char *ltoa(long value, char *text, int radix);
char *ultoa(unsigned long value, char *text, int radix);
char *strlwr(char *text);
char *strupr(char *text);
char *strrev(char *text);

char *ultoa(unsigned long value, char *text, int radix)
{
	char digits[CHAR_BIT * sizeof(value)], *to = text;
	size_t n = 0;

	if (radix >= 2 && radix <= 36)
		do {
			digits[n++] = "0123456789abcdefghijklmnopqrstuvwxyz"
				[value % (unsigned)radix];
			value /= (unsigned)radix;
		} while (value);
	while (n)
		*to++ = digits[--n];
	*to = 0;
	return text;
}

char *ltoa(long value, char *text, int radix)
{
	if (radix != 10 || value >= 0)
		return ultoa((unsigned long)value, text, radix);
	*text = '-';
	ultoa(0ul - (unsigned long)value, text + 1, radix);
	return text;
}

char *itoa(int value, char *text, int radix)
{
	/* A negative number in another radix is one of 16 bits. */
	if (radix != 10 && value < 0)
		return ultoa((unsigned short)value, text, radix);
	return ltoa(value, text, radix);
}

char *utoa(unsigned value, char *text, int radix)
{
	return ultoa(value, text, radix);
}

char *strlwr(char *text)
{
	char *at;

	for (at = text; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return text;
}

char *strupr(char *text)
{
	char *at;

	for (at = text; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return text;
}

char *strrev(char *text)
{
	char *begin = text, *end = text, c;

	while (*end)
		end++;
	while (begin < end && begin < --end) {
		c = *begin;
		*begin++ = *end;
		*end = c;
	}
	return text;
}
