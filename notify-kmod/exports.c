// SPDX-License-Identifier: GPL-2.0
/*
 * The exported producer interface. A Rust crate root cannot export symbols to other modules, so these stand
 * in front of the functions in producer.rs; include/rtnotify_producer.h documents them.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <linux/types.h>

#include "include/rtnotify_producer.h"

int rtnotify_rs_source_register(const char *name, size_t max_payload,
				const struct rtnotify_source_ops *ops, void *context, void **out);
void rtnotify_rs_source_unregister(void *source);
int rtnotify_rs_post(void *source, u16 kind, const u64 *value, const void *data, size_t len,
		     u64 time_ns);
int rtnotify_rs_post_wait(void *source, u16 kind, const u64 *value, const void *data, size_t len,
			  u64 time_ns, u64 timeout_ns);
int rtnotify_rs_reserve(void *source, u16 kind, const u64 *value, size_t len, u64 *small,
			void **out, u32 *place);
int rtnotify_rs_commit(void *source, u32 place, u16 kind, const u64 *value, void *to, size_t len,
		       size_t used, u64 time_ns);
void rtnotify_rs_cancel(void *source, u32 place);
int rtnotify_rs_complete(void *source, u64 token, int error, const void *data, size_t len);
void rtnotify_rs_complete_all(void *source, const void *data, size_t len);

struct rtnotify_source *rtnotify_source_register(const char *name, size_t max_payload,
						 rtnotify_write_fn write, void *context)
{
	const struct rtnotify_source_ops ops = { .write = write };

	return rtnotify_source_register_ops(name, max_payload, &ops, context);
}
EXPORT_SYMBOL_GPL(rtnotify_source_register);

struct rtnotify_source *rtnotify_source_register_ops(const char *name, size_t max_payload,
						     const struct rtnotify_source_ops *ops,
						     void *context)
{
	void *source;
	int ret;

	if (!name || !ops)
		return ERR_PTR(-EINVAL);
	ret = rtnotify_rs_source_register(name, max_payload, ops, context, &source);
	return ret ? ERR_PTR(ret) : source;
}
EXPORT_SYMBOL_GPL(rtnotify_source_register_ops);

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

int rtnotify_post_wait(struct rtnotify_source *source, u16 kind, const u64 *value,
		       const void *data, size_t len, u64 time_ns, u64 timeout_ns)
{
	if (IS_ERR_OR_NULL(source) || (len && !data))
		return -EINVAL;
	might_sleep();
	return rtnotify_rs_post_wait(source, kind, value, data, len, time_ns, timeout_ns);
}
EXPORT_SYMBOL_GPL(rtnotify_post_wait);

/*
 * Who leaves waits for reservations to end, so those who hold one must not sleep. On PREEMPT_RT the locks below
 * do, and nothing can be done about it here.
 */
static void rtnotify_hold(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
}

static void rtnotify_let_go(struct rtnotify_reservation *reservation)
{
	reservation->source = NULL;
	reservation->data = NULL;
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
}

int rtnotify_reserve(struct rtnotify_source *source, u16 kind, const u64 *value, size_t len,
		     struct rtnotify_reservation *reservation)
{
	int ret;

	if (!reservation)
		return -EINVAL;
	memset(reservation, 0, sizeof(*reservation));
	if (IS_ERR_OR_NULL(source))
		return -EINVAL;
	rtnotify_hold();
	ret = rtnotify_rs_reserve(source, kind, value, len, &reservation->small,
				  &reservation->data, &reservation->place);
	if (ret) {
		rtnotify_let_go(reservation);
		return ret;
	}
	reservation->source = source;
	reservation->to = reservation->data;
	reservation->len = len;
	reservation->kind = kind;
	reservation->has_value = value;
	reservation->value = value ? *value : 0;
	return 0;
}
EXPORT_SYMBOL_GPL(rtnotify_reserve);

int rtnotify_commit(struct rtnotify_reservation *reservation, size_t len, u64 time_ns)
{
	int ret;

	if (!reservation || !reservation->source || len > reservation->len)
		return -EINVAL;
	ret = rtnotify_rs_commit(reservation->source, reservation->place, reservation->kind,
				 reservation->has_value ? &reservation->value : NULL,
				 reservation->to, reservation->len, len, time_ns);
	rtnotify_let_go(reservation);
	return ret;
}
EXPORT_SYMBOL_GPL(rtnotify_commit);

void rtnotify_cancel(struct rtnotify_reservation *reservation)
{
	if (!reservation || !reservation->source)
		return;
	rtnotify_rs_cancel(reservation->source, reservation->place);
	rtnotify_let_go(reservation);
}
EXPORT_SYMBOL_GPL(rtnotify_cancel);

int rtnotify_complete(struct rtnotify_source *source, u64 token, const void *data, size_t len)
{
	if (IS_ERR_OR_NULL(source) || (len && !data))
		return -EINVAL;
	return rtnotify_rs_complete(source, token, 0, data, len);
}
EXPORT_SYMBOL_GPL(rtnotify_complete);

int rtnotify_complete_error(struct rtnotify_source *source, u64 token, int error)
{
	if (IS_ERR_OR_NULL(source) || error >= 0 || error < -MAX_ERRNO)
		return -EINVAL;
	return rtnotify_rs_complete(source, token, error, NULL, 0);
}
EXPORT_SYMBOL_GPL(rtnotify_complete_error);

void rtnotify_complete_all(struct rtnotify_source *source, const void *data, size_t len)
{
	if (!IS_ERR_OR_NULL(source) && (data || !len))
		rtnotify_rs_complete_all(source, data, len);
}
EXPORT_SYMBOL_GPL(rtnotify_complete_all);
