/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * logLib.h: messages that a task of the system formats and writes. The format, and
 * what %s names, must still be there then.
 */
#ifndef APP_SHIM_VX_LOG_LIB_H
#define APP_SHIM_VX_LOG_LIB_H

#include "app_shim_vx.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many characters: as many as the format has, since nobody waits for more. */
APP_SHIM_VX_FUNCTION int logMsg(const char *fmt, _Vx_usr_arg_t arg1,
				_Vx_usr_arg_t arg2, _Vx_usr_arg_t arg3,
				_Vx_usr_arg_t arg4, _Vx_usr_arg_t arg5,
				_Vx_usr_arg_t arg6)
{
	app_shim_vx_begin();
	if (app_shim_vx_status(
		    app_shim_log(fmt, arg1, arg2, arg3, arg4, arg5, arg6)))
		return ERROR;
	return (int)strlen(fmt);
}

APP_SHIM_VX_FUNCTION void logFdSet(int fd)
{
	app_shim_vx_begin();
	app_shim_log_flush();
	app_shim_log_fd(fd);
}

APP_SHIM_VX_FUNCTION STATUS logInit(int fd, int maxMsgs)
{
	(void)maxMsgs;
	logFdSet(fd);
	return OK;
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_LOG_LIB_H */
