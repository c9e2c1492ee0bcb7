/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* tickLib.h: the system clock's ticks. Inside a service routine those of its event. */
#ifndef APP_SHIM_VX_TICK_LIB_H
#define APP_SHIM_VX_TICK_LIB_H

#include "app_shim_vx.h"

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION ULONG tickGet(void)
{
	app_shim_vx_begin();
	return (ULONG)app_shim_tick_get();
}

APP_SHIM_VX_FUNCTION void tickSet(ULONG ticks)
{
	app_shim_vx_begin();
	app_shim_tick_set(ticks);
}

APP_SHIM_VX_FUNCTION UINT64 tick64Get(void)
{
	app_shim_vx_begin();
	return app_shim_tick_get();
}

APP_SHIM_VX_FUNCTION void tick64Set(UINT64 ticks)
{
	app_shim_vx_begin();
	app_shim_tick_set(ticks);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_TICK_LIB_H */
