/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* types/vxANSI.h: the types of the C standard. */
#ifndef APP_SHIM_VX_ANSI_H
#define APP_SHIM_VX_ANSI_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#endif /* APP_SHIM_VX_ANSI_H */
