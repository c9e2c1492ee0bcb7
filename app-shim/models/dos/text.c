/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* text.c: what string.h and stdlib.h of the compilers for DOS had in addition. */
#include <stdlib.h>
#include <time.h>

void randomize(void);
int app_shim_dos_random(int range);
char *strset(char *text, int character);
char *strnset(char *text, int character, size_t n);

void randomize(void)
{
	srand((unsigned)time(NULL));
}

int app_shim_dos_random(int range)
{
	return range > 0 ? rand() % range : 0;
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
