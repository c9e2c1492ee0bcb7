/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* text.c: what string.h and stdlib.h of the compilers for DOS had in addition. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

char *itoa(int value, char *text, int radix);
char *ltoa(long value, char *text, int radix);
char *ultoa(unsigned long value, char *text, int radix);
void randomize(void);
int app_shim_dos_random(int range);
char *strlwr(char *text);
char *strupr(char *text);
char *strrev(char *text);
char *strset(char *text, int character);
char *strnset(char *text, int character, size_t n);

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

void randomize(void)
{
	srand((unsigned)time(NULL));
}

int app_shim_dos_random(int range)
{
	return range > 0 ? rand() % range : 0;
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

char *strset(char *text, int character)
{
	char *at;

	for (at = text; *at; at++)
		*at = (char)character;
	return text;
}

char *strnset(char *text, int character, size_t n)
{
	char *at;

	for (at = text; *at && n; at++, n--)
		*at = (char)character;
	return text;
}
