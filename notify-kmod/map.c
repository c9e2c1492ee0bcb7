// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping payloads: checks of an area, putting pages into it, and the count of areas that show them.
 *
 * Everything runs in process context with the mmap lock held for writing. Pages are put in as bare page
 * frames: what can be looked up there (get_user_pages) could be held past the unmapping, and would then show
 * whatever the memory is used for next.
 */
#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "map.h"

/**
 * rtnotify_map_check() - Whether an area may show anything at all.
 * @vma: the new area
 * @handle: out: what it is to show, the file offset
 * @len: out: length in bytes, whole pages
 *
 * Return: 0; -EACCES: to be executed; -EINVAL: not a shared mapping.
 */
int rtnotify_map_check(struct vm_area_struct *vma, u64 *handle, size_t *len)
{
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	/* VM_SHARED is taken away from files that are open for reading only. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	*handle = (u64)vma->vm_pgoff << PAGE_SHIFT;
	*len = vma->vm_end - vma->vm_start;
	return 0;
}

/**
 * rtnotify_map_read_only() - Makes sure that an area is never written to.
 * @vma: the new area
 *
 * Return: 0; -EACCES: that is what it is for.
 */
int rtnotify_map_read_only(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	vm_flags_clear(vma, VM_MAYWRITE);
	return 0;
}

/**
 * rtnotify_map_uninherited() - Keeps an area that is written to from children.
 * @vma: the new area
 *
 * Return: 0.
 */
int rtnotify_map_uninherited(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_DONTCOPY);
	return 0;
}

/**
 * rtnotify_map_insert() - Shows memory in an area, never to be executed.
 * @vma: the new area
 * @memory: vmalloc memory, starting with a page, as long as the area
 *
 * Return: 0, or a negative errno; the caller then fails the mmap, which takes out what was put in.
 */
int rtnotify_map_insert(struct vm_area_struct *vma, const void *memory)
{
	unsigned long at;

	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	for (at = vma->vm_start; at < vma->vm_end; at += PAGE_SIZE, memory += PAGE_SIZE) {
		int ret = remap_pfn_range(vma, at, vmalloc_to_pfn(memory), PAGE_SIZE,
					  vma->vm_page_prot);

		if (ret)
			return ret;
	}
	return 0;
}

/* An area was split, moved or inherited. */
static void rtnotify_map_open(struct vm_area_struct *vma)
{
	rtnotify_rs_mapping_get(vma->vm_private_data);
}

static void rtnotify_map_close(struct vm_area_struct *vma)
{
	rtnotify_rs_mapping_put(vma->vm_private_data);
}

static const struct vm_operations_struct rtnotify_map_ops = {
	.open = rtnotify_map_open,
	.close = rtnotify_map_close,
};

/**
 * rtnotify_map_own() - Hands a mapping over to the area that shows it.
 * @vma: the new area; its mmap must succeed now
 * @mapping: counted once; put when the area goes
 */
void rtnotify_map_own(struct vm_area_struct *vma, void *mapping)
{
	vma->vm_private_data = mapping;
	vma->vm_ops = &rtnotify_map_ops;
}

/* Words that are shared with processes. */
void rtnotify_store_release(u64 *word, u64 value)
{
	smp_store_release(word, value);
}

u64 rtnotify_load_acquire(const u64 *word)
{
	return smp_load_acquire(word);
}

/**
 * rtnotify_copy_shared() - Copies memory that a process may be changing, once.
 * @to: where to
 * @from: where from
 * @len: how many bytes
 */
void rtnotify_copy_shared(void *to, const void *from, size_t len)
{
	/* Each byte may be old or new; what matters is that the copy is looked at, and not this again. */
	memcpy(to, from, len);
	barrier();
}
