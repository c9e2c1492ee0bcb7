// SPDX-License-Identifier: GPL-2.0
/*
 * The exported producer interface. A Rust crate root cannot export symbols to other modules, so these stand
 * in front of the functions in producer.rs; include/rtnotify_producer.h documents them.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/types.h>

#include "include/rtnotify_producer.h"

int rtnotify_rs_source_register(const char *name, size_t max_payload, rtnotify_write_fn write,
				void *context, void **out);
void rtnotify_rs_source_unregister(void *source);
int rtnotify_rs_post(void *source, u16 kind, const u64 *value, const void *data, size_t len,
		     u64 time_ns);

struct rtnotify_source *rtnotify_source_register(const char *name, size_t max_payload,
						 rtnotify_write_fn write, void *context)
{
	void *source;
	int ret;

	if (!name)
		return ERR_PTR(-EINVAL);
	ret = rtnotify_rs_source_register(name, max_payload, write, context, &source);
	return ret ? ERR_PTR(ret) : source;
}
EXPORT_SYMBOL_GPL(rtnotify_source_register);

void rtnotify_source_unregister(struct rtnotify_source *source)
{
	if (!IS_ERR_OR_NULL(source))
		rtnotify_rs_source_unregister(source);
}
EXPORT_SYMBOL_GPL(rtnotify_source_unregister);

int rtnotify_post(struct rtnotify_source *source, u16 kind, const u64 *value, const void *data,
		  size_t len)
{
	return rtnotify_post_at(source, kind, value, data, len, 0);
}
EXPORT_SYMBOL_GPL(rtnotify_post);

int rtnotify_post_at(struct rtnotify_source *source, u16 kind, const u64 *value, const void *data,
		     size_t len, u64 time_ns)
{
	if (IS_ERR_OR_NULL(source) || (len && !data))
		return -EINVAL;
	return rtnotify_rs_post(source, kind, value, data, len, time_ns);
}
EXPORT_SYMBOL_GPL(rtnotify_post_at);
