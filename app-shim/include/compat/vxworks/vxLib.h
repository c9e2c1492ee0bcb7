/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* vxLib.h: test-and-set, and looking whether there is memory at an address. */
#ifndef APP_SHIM_VX_VX_LIB_H
#define APP_SHIM_VX_VX_LIB_H

#include "app_shim_vx.h"
#include <fcntl.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* TRUE: the byte was 0, and is not any more. */
APP_SHIM_VX_FUNCTION BOOL vxTas(void *address)
{
	return !__atomic_test_and_set((char *)address, __ATOMIC_SEQ_CST);
}

/* Reads or writes 1, 2, 4 or 8 bytes; ERROR where that would be a bus error. */
APP_SHIM_VX_FUNCTION STATUS vxMemProbe(char *adrs, int mode, int length,
				       char *pVal)
{
	int ends[2];
	int done = 0;

	if (length != 1 && length != 2 && length != 4 && length != 8)
		return app_shim_vx_error(EINVAL);
	/* The system looks at the address when it copies to or from a pipe. */
	if (pipe(ends) != 0)
		return ERROR;
	if (mode == VX_READ)
		done = write(ends[1], adrs, (size_t)length) == length &&
		       read(ends[0], pVal, (size_t)length) == length;
	else
		done = write(ends[1], pVal, (size_t)length) == length &&
		       read(ends[0], adrs, (size_t)length) == length;
	close(ends[0]);
	close(ends[1]);
	return done ? OK : ERROR;
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_VX_LIB_H */
