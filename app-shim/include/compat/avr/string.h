/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* string.h: the system's with its extensions, and what it may lack. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include_next <string.h>
#ifndef APP_SHIM_AVR_STRING_H
#define APP_SHIM_AVR_STRING_H

#include <strings.h>

#ifdef __cplusplus
extern "C" {
#endif

#if !defined(__GLIBC__) || __GLIBC__ < 2 ||                                    \
	(__GLIBC__ == 2 && __GLIBC_MINOR__ < 38)
size_t strlcpy(char *to, const char *from, size_t size);
size_t strlcat(char *to, const char *from, size_t size);
#endif
char *strlwr(char *text);
char *strupr(char *text);
char *strrev(char *text);

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_AVR_STRING_H */
