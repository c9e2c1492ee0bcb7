/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* rebootLib.h: routines that are called before a reboot, which here is the end of the program. */
#ifndef APP_SHIM_VX_REBOOT_LIB_H
#define APP_SHIM_VX_REBOOT_LIB_H

#include <errno.h>
#include <stdlib.h>

#include "app_shim_vx.h"

#define BOOT_NORMAL 0x00
#define BOOT_NO_AUTOBOOT 0x01
#define BOOT_CLEAR 0x02
#define BOOT_QUICK_AUTOBOOT 0x04

#define APP_SHIM_VX_REBOOT_HOOKS 32

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION FUNCPTR app_shim_vx_reboot_hooks[APP_SHIM_VX_REBOOT_HOOKS];
APP_SHIM_VX_FUNCTION int app_shim_vx_reboot_count;
APP_SHIM_VX_FUNCTION int app_shim_vx_reboot_type;

APP_SHIM_VX_FUNCTION void app_shim_vx_call_reboot_hooks(void)
{
	int i;

	for (i = 0; i < app_shim_vx_reboot_count; i++)
		((int (*)(int))app_shim_vx_reboot_hooks[i])(
			app_shim_vx_reboot_type);
}

/* Called in the order in which they were added, with the type of the reboot. */
APP_SHIM_VX_FUNCTION STATUS rebootHookAdd(FUNCPTR rebootHook)
{
	STATUS status = OK;
	int32_t key = app_shim_int_lock();

	if (app_shim_vx_reboot_count == APP_SHIM_VX_REBOOT_HOOKS ||
	    (app_shim_vx_reboot_count == 0 &&
	     atexit(app_shim_vx_call_reboot_hooks) != 0))
		status = app_shim_vx_error(ENOMEM);
	else
		app_shim_vx_reboot_hooks[app_shim_vx_reboot_count++] =
			rebootHook;
	app_shim_int_unlock(key);
	return status;
}

/* Not the C library's, which reboots the machine. */
#define reboot app_shim_vx_reboot

APP_SHIM_VX_FUNCTION void reboot(int startType)
{
	app_shim_vx_reboot_type = startType;
	exit(0);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_REBOOT_LIB_H */
