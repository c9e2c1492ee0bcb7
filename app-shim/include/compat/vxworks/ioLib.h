/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ioLib.h: what the C library has for files. Drivers of iosLib are not covered. */
#ifndef APP_SHIM_VX_IO_LIB_H
#define APP_SHIM_VX_IO_LIB_H

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vxWorks.h"

#endif /* APP_SHIM_VX_IO_LIB_H */
