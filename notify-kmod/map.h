/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mapping payloads: the part of the memory layer that has no Rust binding.
 */
#ifndef RTNOTIFY_MAP_H
#define RTNOTIFY_MAP_H

#include <linux/mm_types.h>
#include <linux/types.h>

/* Provided by mapping.rs: count the areas that show a mapping. */
void rtnotify_rs_mapping_get(void *mapping);
void rtnotify_rs_mapping_put(void *mapping);

int rtnotify_map_check(struct vm_area_struct *vma, u64 *handle, size_t *len);
int rtnotify_map_read_only(struct vm_area_struct *vma);
int rtnotify_map_uninherited(struct vm_area_struct *vma);
int rtnotify_map_insert(struct vm_area_struct *vma, const void *memory);
void rtnotify_map_own(struct vm_area_struct *vma, void *mapping);

void rtnotify_store_release(u64 *word, u64 value);
u64 rtnotify_load_acquire(const u64 *word);
void rtnotify_copy_shared(void *to, const void *from, size_t len);

#endif
