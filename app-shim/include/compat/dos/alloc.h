/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* alloc.h: one heap, near and far. */
#ifndef APP_SHIM_DOS_ALLOC_H
#define APP_SHIM_DOS_ALLOC_H

#include "stdlib.h"

#define farmalloc(n) malloc(n)
#define farcalloc(n, size) calloc(n, size)
#define farrealloc(block, n) realloc(block, n)
#define farfree(block) free(block)
#define _fmalloc(n) malloc(n)
#define _ffree(block) free(block)
#define coreleft() 0xffffu
#define farcoreleft() 0x80000ul

#endif /* APP_SHIM_DOS_ALLOC_H */
