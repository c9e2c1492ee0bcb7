/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* kernelLib.h: the kernel. */
#ifndef APP_SHIM_VX_KERNEL_LIB_H
#define APP_SHIM_VX_KERNEL_LIB_H

#include "app_shim_vx.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tasks of one priority do not take turns by themselves: only 0 works. */
APP_SHIM_VX_FUNCTION STATUS kernelTimeSlice(int ticks)
{
	return ticks == 0 ? OK : app_shim_vx_error(ENOSYS);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_KERNEL_LIB_H */
