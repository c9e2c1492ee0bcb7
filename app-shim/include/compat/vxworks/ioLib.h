/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ioLib.h: what the C library has for files. Drivers of iosLib are not covered. */
#ifndef APP_SHIM_VX_IO_LIB_H
#define APP_SHIM_VX_IO_LIB_H

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vxWorks.h"

#define STD_IN 0
#define STD_OUT 1
#define STD_ERR 2

#ifndef READ
#define READ O_RDONLY
#define WRITE O_WRONLY
#define UPDATE O_RDWR
#endif

#endif /* APP_SHIM_VX_IO_LIB_H */
