// SPDX-License-Identifier: GPL-2.0
/*
 * Version and module parameters.
 *
 * In C because a parameter of a Rust module does not appear in sysfs (Linux 7.2, rust/macros/module.rs gives
 * it no permissions), and limits should be seen and changed while the module is loaded. Everything here may
 * be called from any context in which the calling process is the one that is being charged.
 */
#include <linux/capability.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "params.h"

MODULE_VERSION("0.1.0");

static unsigned int max_clients = 1024;
module_param(max_clients, uint, 0644);
MODULE_PARM_DESC(max_clients, "Open files of the device that one user may have (default 1024)");

static unsigned int max_sources = 256;
module_param(max_sources, uint, 0644);
MODULE_PARM_DESC(max_sources, "Sources that one user's processes may have (default 256)");

static unsigned long max_queued_bytes = 512UL << 20;
module_param(max_queued_bytes, ulong, 0644);
MODULE_PARM_DESC(max_queued_bytes,
		 "Bytes of kernel memory that one user's registrations may hold (default 512 MiB)");

u64 rtnotify_max_clients(void)
{
	return READ_ONCE(max_clients);
}

u64 rtnotify_max_sources(void)
{
	return READ_ONCE(max_sources);
}

u64 rtnotify_max_queued_bytes(void)
{
	return READ_ONCE(max_queued_bytes);
}

/* Whether the calling process may exceed them. In the initial user namespace, as for resource limits. */
bool rtnotify_may_exceed_limits(void)
{
	return capable(CAP_SYS_RESOURCE);
}
