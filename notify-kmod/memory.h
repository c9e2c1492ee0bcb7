/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory whose size a process has asked for; memory.c says how it differs from other memory.
 */
#ifndef RTNOTIFY_MEMORY_H
#define RTNOTIFY_MEMORY_H

#include <linux/types.h>

void *rtnotify_realloc(void *old, size_t size, bool zero);
void rtnotify_free(void *memory);

void *rtnotify_pages(size_t size);
void rtnotify_free_pages(void *pages);

#endif
