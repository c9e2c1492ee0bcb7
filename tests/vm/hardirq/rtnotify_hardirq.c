// SPDX-License-Identifier: GPL-2.0
/*
 * Posts events from hard-interrupt context on every CPU, as fast as a timer goes.
 *
 * For tests only: they race this against everything that a subscriber can do. Loading registers the sources
 * hardirq-0, hardirq-1, ...; writing 1 to the parameter "run" starts a timer on each CPU, each of which posts
 * "count" events, or until 0 is written or the module is removed. "state" says what has been posted.
 *
 * The n-th event of a CPU, counted from 1, goes to source (n / 4) % sources. Its number is cpu << 48 | n. If
 * n % 4 is 3, the event is of kind 1 and its payload is this number, in 8 bytes; else it is of kind 0, its value
 * is this number, and its payload consists of n * 397 % (PAGE_BYTES + 1) bytes of a table, from
 * (n * 31 + cpu * 1009) % PAGE_BYTES on, where byte i of the table is bits 13 to 20 of i * 2654435761. Some are
 * posted into room reserved before.
 *
 * Timers expire in hard interrupts, as long as the kernel is not PREEMPT_RT. A poster is used by its timer
 * alone, and between runs by the writer of "run", whom the lock of the module's parameters serialises.
 */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "../../../notify-kmod/include/rtnotify_producer.h"

#define MAX_SOURCES	4
#define PAGE_BYTES	4096

struct poster {
	struct hrtimer timer;
	unsigned int cpu;
	/* Events so far. */
	u64 n;
	/* Events to come in this run; 0 for no end. */
	unsigned int left;
};

static unsigned int sources = 2;
module_param(sources, uint, 0444);
MODULE_PARM_DESC(sources, "Sources to post to, 1 to 4");

static unsigned int period_ns = 200000;
module_param(period_ns, uint, 0644);
MODULE_PARM_DESC(period_ns, "Time between the end of a post and the next interrupt of that CPU");

static unsigned int count;
module_param(count, uint, 0644);
MODULE_PARM_DESC(count, "Events per CPU and run; 0 for no end (default)");

static struct rtnotify_source *registered[MAX_SOURCES];
static atomic64_t posted[MAX_SOURCES];
static atomic64_t refused[MAX_SOURCES];
/* Posts that gave an error. */
static atomic64_t failed;
/* Posts that did not come from a hard interrupt of their CPU. */
static atomic64_t outside;
/* Posters whose timers are to expire. */
static atomic_t running;
static bool ready;
static DEFINE_PER_CPU(struct poster, posters);
static u8 table[2 * PAGE_BYTES];

/* Posts into reserved room, now and then after having given it back; more of it than is needed. */
static int post_reserved(struct rtnotify_source *source, u16 kind, const u64 *value,
			 const void *data, size_t len, bool cancel)
{
	struct rtnotify_reservation room;
	int ret;

	for (;;) {
		ret = rtnotify_reserve(source, kind, value, clamp(len + 9, 1, PAGE_BYTES), &room);
		if (ret == -EBUSY)
			return rtnotify_post(source, kind, value, data, len);
		if (ret)
			return ret;
		if (room.data)
			memcpy(room.data, data, len);
		if (!cancel)
			return rtnotify_commit(&room, len, 0);
		rtnotify_cancel(&room);
		cancel = false;
	}
}

static void post(struct poster *poster)
{
	u64 n = ++poster->n;
	u64 number = (u64)poster->cpu << 48 | n;
	unsigned int which = (n / 4) % sources;
	const u8 *data = table + (n * 31 + poster->cpu * 1009) % PAGE_BYTES;
	size_t len = n * 397 % (PAGE_BYTES + 1);
	int ret;

	if (n % 8 == 7)
		ret = post_reserved(registered[which], 1, NULL, &number, sizeof(number), false);
	else if (n % 4 == 3)
		ret = rtnotify_post(registered[which], 1, NULL, &number, sizeof(number));
	else if (n % 4 == 1)
		ret = post_reserved(registered[which], 0, &number, data, len, n % 16 == 5);
	else
		ret = rtnotify_post(registered[which], 0, &number, data, len);
	if (ret < 0) {
		atomic64_inc(&failed);
		return;
	}
	atomic64_inc(&posted[which]);
	atomic64_add(ret, &refused[which]);
}

static enum hrtimer_restart expire(struct hrtimer *timer)
{
	struct poster *poster = container_of(timer, struct poster, timer);

	if (!in_hardirq() || smp_processor_id() != poster->cpu)
		atomic64_inc(&outside);
	post(poster);
	if (poster->left && !--poster->left) {
		atomic_dec(&running);
		return HRTIMER_NORESTART;
	}
	/* From now, not from when it was due: a slow machine must get on with the rest, too. */
	hrtimer_set_expires(timer, ktime_add_ns(ktime_get(), period_ns));
	return HRTIMER_RESTART;
}

/* On each CPU, in an interrupt. */
static void start(void *unused)
{
	struct poster *poster = this_cpu_ptr(&posters);

	poster->left = count;
	atomic_inc(&running);
	hrtimer_start(&poster->timer, ns_to_ktime(period_ns), HRTIMER_MODE_REL_PINNED);
}

static void stop(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		hrtimer_cancel(&per_cpu(posters, cpu).timer);
	atomic_set(&running, 0);
}

static int run_set(const char *text, const struct kernel_param *param)
{
	bool run;
	int ret = kstrtobool(text, &run);

	if (ret)
		return ret;
	if (!ready)
		return -ENODEV;
	stop();
	if (run)
		on_each_cpu(start, NULL, 1);
	return 0;
}

static int run_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&running));
}

static const struct kernel_param_ops run_ops = { .set = run_set, .get = run_get };
module_param_cb(run, &run_ops, NULL, 0644);
MODULE_PARM_DESC(run, "Write 1 to start, 0 to stop; reads as the number of CPUs that post");

static int state_get(char *buffer, const struct kernel_param *param)
{
	unsigned int i, cpu, cpus = 0;
	int len;

	for_each_possible_cpu(cpu)
		cpus += READ_ONCE(per_cpu(posters, cpu).n) != 0;
	len = sysfs_emit(buffer, "failed=%lld outside=%lld cpus=%u", atomic64_read(&failed),
			 atomic64_read(&outside), cpus);
	for (i = 0; i < sources; i++)
		len += sysfs_emit_at(buffer, len, " posted%u=%lld refused%u=%lld", i,
				     atomic64_read(&posted[i]), i, atomic64_read(&refused[i]));
	len += sysfs_emit_at(buffer, len, "\n");
	return len;
}

static const struct kernel_param_ops state_ops = { .get = state_get };
module_param_cb(state, &state_ops, NULL, 0444);
MODULE_PARM_DESC(state, "What has been posted, per source, and what has gone wrong");

static void leave(void)
{
	unsigned int i;

	/* Who writes to "run" from now on is told that there is nothing to start. */
	kernel_param_lock(THIS_MODULE);
	ready = false;
	stop();
	kernel_param_unlock(THIS_MODULE);
	for (i = 0; i < sources; i++)
		rtnotify_source_unregister(registered[i]);
}

static int __init rtnotify_hardirq_init(void)
{
	unsigned int i, cpu;

	if (!sources || sources > MAX_SOURCES)
		return -EINVAL;
	for (i = 0; i < sizeof(table); i++)
		table[i] = (u32)(i * 2654435761u) >> 13;
	for_each_possible_cpu(cpu) {
		struct poster *poster = &per_cpu(posters, cpu);

		poster->cpu = cpu;
		hrtimer_setup(&poster->timer, expire, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	}
	for (i = 0; i < sources; i++) {
		char name[16];

		snprintf(name, sizeof(name), "hardirq-%u", i);
		registered[i] = rtnotify_source_register(name, PAGE_BYTES, NULL, NULL);
		if (IS_ERR(registered[i])) {
			int ret = PTR_ERR(registered[i]);

			leave();
			return ret;
		}
	}
	ready = true;
	return 0;
}
module_init(rtnotify_hardirq_init);

static void __exit rtnotify_hardirq_exit(void)
{
	leave();
}
module_exit(rtnotify_hardirq_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Posts from hard interrupts on every CPU, for the tests");
