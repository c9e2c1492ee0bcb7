/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * errnoLib.h: a task's error number, which is the C library's errno of its
 * thread. A service routine has its own as far as it must not change the task's.
 */
#ifndef APP_SHIM_VX_ERRNO_LIB_H
#define APP_SHIM_VX_ERRNO_LIB_H

#include "app_shim_vx.h"
#include "taskLib.h"
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION int errnoGet(void)
{
	return errno;
}

APP_SHIM_VX_FUNCTION STATUS errnoSet(int errorValue)
{
	errno = errorValue;
	return OK;
}

/* Prints an error number, 0: the caller's, with its name. */
APP_SHIM_VX_FUNCTION void printErrno(int errNo)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{ M_objLib | 1, "S_objLib_OBJ_ID_ERROR" },
		{ M_objLib | 2, "S_objLib_OBJ_UNAVAILABLE" },
		{ M_objLib | 3, "S_objLib_OBJ_DELETED" },
		{ M_objLib | 4, "S_objLib_OBJ_TIMEOUT" },
		{ M_objLib | 5, "S_objLib_OBJ_NO_METHOD" },
		{ M_intLib | 1, "S_intLib_NOT_ISR_CALLABLE" },
		{ M_semLib | 101, "S_semLib_INVALID_STATE" },
		{ M_semLib | 102, "S_semLib_INVALID_OPTION" },
		{ M_semLib | 103, "S_semLib_INVALID_QUEUE_TYPE" },
		{ M_semLib | 104, "S_semLib_INVALID_OPERATION" },
		{ M_semLib | 105, "S_semLib_INVALID_INITIAL_COUNT" },
		{ M_semLib | 106, "S_semLib_COUNT_OVERFLOW" },
		{ M_msgQLib | 1, "S_msgQLib_INVALID_MSG_LENGTH" },
		{ M_msgQLib | 2, "S_msgQLib_NON_ZERO_TIMEOUT_AT_INT_LEVEL" },
		{ M_msgQLib | 3, "S_msgQLib_INVALID_QUEUE_TYPE" },
		{ M_taskLib | 101, "S_taskLib_NAME_NOT_FOUND" },
		{ M_taskLib | 109, "S_taskLib_ILLEGAL_PRIORITY" },
		{ M_memLib | 1, "S_memLib_NOT_ENOUGH_MEMORY" }
	};
	const char *name = NULL;
	size_t i;

	if (errNo == 0)
		errNo = errno;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == errNo)
			name = names[i].name;
	}
	if (name == NULL)
		name = errNo < (1 << 16) ? strerror(errNo) : "unknown";
	fprintf(stderr, "errno = 0x%x : %s\n", (unsigned int)errNo, name);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_ERRNO_LIB_H */
