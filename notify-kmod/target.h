/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Target threads: the part of the signal layer that has no Rust binding.
 *
 * A target holds a reference on the task and on its pid, and the exec id that the task had when it
 * registered. Everything here may be called from hard-interrupt context unless it says otherwise.
 */
#ifndef RTNOTIFY_TARGET_H
#define RTNOTIFY_TARGET_H

#include <linux/fs.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct rtnotify_target;

/* Why rtnotify_target_send() did not send; negative errnos otherwise have their usual meaning. */
#define RTNOTIFY_SEND_REFUSED	(-EAGAIN)	/* RLIMIT_SIGPENDING */
#define RTNOTIFY_SEND_EXITED	(-ESRCH)	/* the thread is exiting or has exited */
#define RTNOTIFY_SEND_EXEC	(-ENOEXEC)	/* it executes another program now */
#define RTNOTIFY_SEND_UNHANDLED	(-EINVAL)	/* it neither blocks nor handles the signal */

struct rtnotify_target *rtnotify_target_get(pid_t tid, int signo);
void rtnotify_target_watch(struct rtnotify_target *target, void (*exited)(void *context),
			   void *context);
void rtnotify_target_put(struct rtnotify_target *target);

int rtnotify_target_send(struct rtnotify_target *target, int signo, u64 handle, bool fallback);
pid_t rtnotify_target_tid(struct rtnotify_target *target);
bool rtnotify_target_pending(struct rtnotify_target *target, int signo);
bool rtnotify_target_exited(struct rtnotify_target *target);
void rtnotify_target_recheck(struct rtnotify_target *target);
void rtnotify_target_take_pending(struct rtnotify_target *target, int signo, struct file *file);

struct pid *rtnotify_process_get(void);
void rtnotify_process_put(struct pid *process);
pid_t rtnotify_process_number(struct pid *process);
bool rtnotify_process_is_current(struct pid *process);

void rtnotify_file_opened(struct file *file);

unsigned long rtnotify_lock(spinlock_t *lock);
void rtnotify_unlock(spinlock_t *lock, unsigned long flags);
bool rtnotify_trylock(spinlock_t *lock, unsigned long *flags);

#endif
