// SPDX-License-Identifier: GPL-2.0
/*
 * Memory whose size a process has asked for. May sleep.
 *
 * Where it cannot be had, the process gets ENOMEM. Without __GFP_RETRY_MAYFAIL, a memory cgroup at its limit
 * would have a process killed instead (mm/memcontrol.c: try_charge_memcg), and the Rust side cannot name that
 * flag in Linux 7.2.
 */
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "memory.h"

#define GFP_ASKED_FOR (GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Like realloc(3): @old may be NULL. NULL: there is not so much. */
void *rtnotify_realloc(void *old, size_t size, bool zero)
{
	return kvrealloc(old, size, GFP_ASKED_FOR | (zero ? __GFP_ZERO : 0));
}

void rtnotify_free(void *memory)
{
	kvfree(memory);
}

/* Whole pages of vmalloc memory, zero. NULL: there is not so much. */
void *rtnotify_pages(size_t size)
{
	return __vmalloc(size, GFP_ASKED_FOR | __GFP_ZERO);
}

void rtnotify_free_pages(void *pages)
{
	vfree(pages);
}
