/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* string.h: the system's, and what the compilers for DOS had in it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include_next <string.h>
#ifndef APP_SHIM_DOS_STRING_H
#define APP_SHIM_DOS_STRING_H

#include "keywords.h"

#include <strings.h>

#ifdef __cplusplus
extern "C" {
#endif

char *strlwr(char *text);
char *strupr(char *text);
char *strrev(char *text);
char *strset(char *text, int character);
char *strnset(char *text, int character, size_t n);

#ifdef __cplusplus
}
#endif

#define stricmp(a, b) strcasecmp(a, b)
#define strcmpi(a, b) strcasecmp(a, b)
#define strnicmp(a, b, n) strncasecmp(a, b, n)
#define strncmpi(a, b, n) strncasecmp(a, b, n)
#define _stricmp(a, b) strcasecmp(a, b)
#define _strnicmp(a, b, n) strncasecmp(a, b, n)
#define _strlwr strlwr
#define _strupr strupr
#define _strrev strrev
#define _fmemcpy(to, from, n) memcpy(to, from, n)
#define _fmemset(to, c, n) memset(to, c, n)
#define _fmemmove(to, from, n) memmove(to, from, n)
#define _fmemcmp(a, b, n) memcmp(a, b, n)
#define _fstrcpy(to, from) strcpy(to, from)
#define _fstrlen(text) strlen(text)
#define _fstrcmp(a, b) strcmp(a, b)

#endif /* APP_SHIM_DOS_STRING_H */
