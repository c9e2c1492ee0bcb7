/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stdlib.h: the system's, and what the compilers for DOS had in it. */
#include_next <stdlib.h>
#ifndef APP_SHIM_DOS_STDLIB_H
#define APP_SHIM_DOS_STDLIB_H

#include "keywords.h"

#ifdef __cplusplus
extern "C" {
#endif

extern int _argc;
extern char **_argv;
extern unsigned char _osmajor, _osminor;
#define __argc _argc
#define __argv _argv

char *itoa(int value, char *text, int radix);
char *ltoa(long value, char *text, int radix);
char *ultoa(unsigned long value, char *text, int radix);
void randomize(void);
int app_shim_dos_random(int range);

#ifdef __cplusplus
}
#endif

/* The system has a function of this name without an argument. */
#define random(range) app_shim_dos_random(range)
#define _itoa itoa
#define _ltoa ltoa
#define _ultoa ultoa
#define _rotl(value, n)                                                        \
	((unsigned short)((unsigned short)(value) << ((n) & 15) |                  \
			  (unsigned short)(value) >> (-(n) & 15)))
#define _rotr(value, n) _rotl(value, -(n))
#ifndef __cplusplus
#ifndef min
#define min(a, b) ((a) < (b) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) ((a) > (b) ? (a) : (b))
#endif
#endif

#endif /* APP_SHIM_DOS_STDLIB_H */
