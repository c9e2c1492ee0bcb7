/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* mem.h: blocks of memory. */
#ifndef APP_SHIM_DOS_MEM_H
#define APP_SHIM_DOS_MEM_H

#include "string.h"

#define setmem(to, n, c) memset(to, c, n)
#define movmem(from, to, n) memmove(to, from, n)
#define movedata(from_seg, from_off, to_seg, to_off, n)                        \
	memcpy(app_shim_dos_pointer(to_seg, to_off),                               \
	       app_shim_dos_pointer(from_seg, from_off), n)

#endif /* APP_SHIM_DOS_MEM_H */
