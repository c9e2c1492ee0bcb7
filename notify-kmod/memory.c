// SPDX-License-Identifier: GPL-2.0
/*
 * Memory whose size a process has asked for. May sleep.
 *
 * Where it cannot be had, the process gets ENOMEM. Without __GFP_RETRY_MAYFAIL, a memory cgroup at its limit
 * would have a process killed instead (mm/memcontrol.c: try_charge_memcg), and the Rust side cannot name that
 * flag in Linux 7.2.
 */
#include <linux/gfp.h>
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

/*
 * Whole pages in one range of addresses, zero. NULL: there is not so much.
 *
 * vmalloc() would give back what it had got already only later, in a worker; until then a memory cgroup would
 * be at its limit, and the next allocation of the process for any other purpose would have it killed.
 */
void *rtnotify_pages(size_t size)
{
	unsigned int count = size >> PAGE_SHIFT, got;
	struct page **pages = kvmalloc_array(count, sizeof(*pages), GFP_ASKED_FOR);
	void *start;

	if (!pages)
		return NULL;
	for (got = 0; got < count; got++) {
		pages[got] = alloc_page(GFP_ASKED_FOR | __GFP_ZERO);
		if (!pages[got])
			goto failed;
	}
	/* The pages and their array belong to the range now. */
	start = vmap(pages, count, VM_MAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
	if (start)
		return start;
failed:
	while (got)
		__free_page(pages[--got]);
	kvfree(pages);
	return NULL;
}

void rtnotify_free_pages(void *pages)
{
	vfree(pages);
}
