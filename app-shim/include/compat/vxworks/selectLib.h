/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* selectLib.h: select() is the system's; a task that waits there should leave the CPU, see app_shim_cpu_release(). */
#include <sys/select.h>
