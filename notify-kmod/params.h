/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits on what one user may hold, as the module parameters say; params.c documents each.
 */
#ifndef RTNOTIFY_PARAMS_H
#define RTNOTIFY_PARAMS_H

#include <linux/types.h>

u64 rtnotify_max_clients(void);
u64 rtnotify_max_sources(void);
u64 rtnotify_max_queued_bytes(void);
bool rtnotify_may_exceed_limits(void);

#endif
