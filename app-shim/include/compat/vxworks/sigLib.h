/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* sigLib.h: what the C library has for signals. A sigset_t is no number here. */
#ifndef APP_SHIM_VX_SIG_LIB_H
#define APP_SHIM_VX_SIG_LIB_H

#include <signal.h>

#include "vxWorks.h"

#define SIGCONTEXT struct sigcontext

#endif /* APP_SHIM_VX_SIG_LIB_H */
