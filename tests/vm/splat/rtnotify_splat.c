// SPDX-License-Identifier: GPL-2.0
/*
 * Provokes one real kernel report while it is being loaded.
 *
 * For tests only: they show that `cargo xtask vm` fails a run in whose kernel log
 * a report appears, although the command itself succeeds. Never load this on a
 * machine that matters.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *kind = "";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "warn, lockdep, atomic or oops");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);

/* Takes two locks in both orders: harmless here, a deadlock for two threads. */
static void provoke_lockdep(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void provoke_sleep_in_atomic(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
}

static void provoke_oops(void)
{
	/* Hidden from the compiler, which would see the mistake. */
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 1);
}

static int __init rtnotify_splat_init(void)
{
	if (!strcmp(kind, "warn"))
		WARN(1, "rtnotify_splat: as asked for\n");
	else if (!strcmp(kind, "lockdep"))
		provoke_lockdep();
	else if (!strcmp(kind, "atomic"))
		provoke_sleep_in_atomic();
	else if (!strcmp(kind, "oops"))
		provoke_oops();
	else
		return -EINVAL;
	return 0;
}
module_init(rtnotify_splat_init);

static void __exit rtnotify_splat_exit(void)
{
}
module_exit(rtnotify_splat_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Provokes kernel reports, for the tests of the tests");
