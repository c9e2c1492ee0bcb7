// SPDX-License-Identifier: GPL-2.0
/*
 * Target threads: the part of the signal layer that has no Rust binding.
 *
 * siginfo layouts, the sighand lock, wait entries on a pid and interrupt-safe spin locks have no Rust
 * abstraction in Linux 7.2, so they are here, each behind one small function; what to send, and when, is
 * decided in Rust.
 *
 * Lock order: the caller's client lock, then siglock. The exit notification runs under
 * pid->wait_pidfd.lock and takes no lock: it only queues irq_work.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/irq_work.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "target.h"
#include "trace.h"

/* How long a thread-group leader that exits before its threads can go unnoticed. */
#define LEADER_CHECK_MS 50

struct rtnotify_target {
	struct task_struct *task;
	struct pid *pid;
	u32 exec_id;
	bool leader;
	bool watched;
	wait_queue_entry_t wait;
	struct irq_work irq_work;
	struct delayed_work recheck;
	void (*exited)(void *context);
	void *context;
};

/* As lock_task_sighand(), which is not exported: NULL once the task has given up its handlers. */
static struct sighand_struct *lock_sighand(struct task_struct *task, unsigned long *flags)
{
	struct sighand_struct *sighand;

	rcu_read_lock();
	for (;;) {
		sighand = rcu_dereference(task->sighand);
		if (!sighand)
			break;
		/* The memory stays a sighand_struct under RCU, but it may become another process's. */
		spin_lock_irqsave(&sighand->siglock, *flags);
		if (likely(sighand == rcu_access_pointer(task->sighand)))
			break;
		spin_unlock_irqrestore(&sighand->siglock, *flags);
	}
	rcu_read_unlock();
	return sighand;
}

/*
 * A realtime signal whose default action is in force kills the process. While a thread sleeps in
 * sigtimedwait(), the signals it waits for are blocked in real_blocked rather than in blocked.
 */
static bool blocks_or_handles(struct task_struct *task, int signo)
{
	struct sighand_struct *sighand;
	unsigned long flags;
	bool safe = false;

	sighand = lock_sighand(task, &flags);
	if (!sighand)
		return false;
	if (sigismember(&task->blocked, signo) || sigismember(&task->real_blocked, signo)) {
		safe = true;
	} else {
		__sighandler_t handler = sighand->action[signo - 1].sa.sa_handler;

		safe = handler != SIG_DFL && handler != SIG_IGN;
	}
	spin_unlock_irqrestore(&sighand->siglock, flags);
	return safe;
}

static void exited_irq_work(struct irq_work *work)
{
	struct rtnotify_target *target = container_of(work, struct rtnotify_target, irq_work);

	target->exited(target->context);
}

static void exited_recheck(struct work_struct *work)
{
	struct rtnotify_target *target =
		container_of(to_delayed_work(work), struct rtnotify_target, recheck);

	target->exited(target->context);
}

static int exited_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct rtnotify_target *target = container_of(wait, struct rtnotify_target, wait);

	irq_work_queue(&target->irq_work);
	return 0;
}

/*
 * The thread @tid of the calling process (0: the calling thread) as a target for @signo.
 * May sleep. -ESRCH: no such thread in this process. -EINVAL: it neither blocks nor handles @signo.
 */
struct rtnotify_target *rtnotify_target_get(pid_t tid, int signo)
{
	struct rtnotify_target *target;
	int ret = -ESRCH;

	target = kzalloc_obj(*target, GFP_KERNEL_ACCOUNT);
	if (!target)
		return ERR_PTR(-ENOMEM);

	target->pid = tid ? find_get_pid(tid) : get_pid(task_pid(current));
	if (!target->pid)
		goto err_free;
	target->task = get_pid_task(target->pid, PIDTYPE_PID);
	if (!target->task)
		goto err_pid;
	if (!same_thread_group(target->task, current))
		goto err_task;
	ret = -EINVAL;
	if (!blocks_or_handles(target->task, signo))
		goto err_task;

	target->exec_id = READ_ONCE(target->task->self_exec_id);
	target->leader = thread_group_leader(target->task);
	init_waitqueue_func_entry(&target->wait, exited_wake);
	init_irq_work(&target->irq_work, exited_irq_work);
	INIT_DELAYED_WORK(&target->recheck, exited_recheck);
	return target;

err_task:
	put_task_struct(target->task);
err_pid:
	put_pid(target->pid);
err_free:
	kfree(target);
	return ERR_PTR(ret);
}

/*
 * Calls @exited, from interrupt or workqueue context, when the thread exits, and also without that after
 * rtnotify_target_recheck(): the callee looks for itself. Until rtnotify_target_put().
 */
void rtnotify_target_watch(struct rtnotify_target *target, void (*exited)(void *context),
			   void *context)
{
	target->exited = exited;
	target->context = context;
	target->watched = true;
	add_wait_queue(&target->pid->wait_pidfd, &target->wait);
	/* It may have exited before the entry was there. */
	if (rtnotify_target_exited(target))
		irq_work_queue(&target->irq_work);
}

/* Ends the watch and drops the references. May sleep; no callback runs any more when it returns. */
void rtnotify_target_put(struct rtnotify_target *target)
{
	if (target->watched) {
		remove_wait_queue(&target->pid->wait_pidfd, &target->wait);
		irq_work_sync(&target->irq_work);
		cancel_delayed_work_sync(&target->recheck);
	}
	put_task_struct(target->task);
	put_pid(target->pid);
	kfree(target);
}

bool rtnotify_target_exited(struct rtnotify_target *target)
{
	return READ_ONCE(target->task->flags) & PF_EXITING;
}

/*
 * A thread-group leader that exits before its threads wakes nobody: look again in a while. Called while
 * events are queued; does nothing for other threads.
 */
void rtnotify_target_recheck(struct rtnotify_target *target)
{
	/* Asked with every event, so what is cheap comes first. */
	if (target->leader && target->watched && !delayed_work_pending(&target->recheck))
		queue_delayed_work(system_percpu_wq, &target->recheck,
				   msecs_to_jiffies(LEADER_CHECK_MS));
}

/* Whether @signo is pending for this very thread. What is true may change at once; false stays false. */
bool rtnotify_target_pending(struct rtnotify_target *target, int signo)
{
	unsigned long *word = &target->task->pending.signal.sig[(signo - 1) / _NSIG_BPW];

	return READ_ONCE(*word) & (1UL << ((signo - 1) % _NSIG_BPW));
}

/* si_code is SI_QUEUE: with SI_KERNEL signalfd would drop the value. */
static int send_doorbell(struct rtnotify_target *target, int signo, u64 handle, bool fallback)
{
	struct kernel_siginfo info;

	if (rtnotify_target_exited(target))
		return RTNOTIFY_SEND_EXITED;
	if (READ_ONCE(target->task->self_exec_id) != target->exec_id)
		return RTNOTIFY_SEND_EXEC;
	if (!blocks_or_handles(target->task, signo))
		return RTNOTIFY_SEND_UNHANDLED;
	if (fallback)
		return send_sig(signo, target->task, 1);

	clear_siginfo(&info);
	info.si_signo = signo;
	info.si_code = SI_QUEUE;
	info.si_value.sival_ptr = (void __user *)(unsigned long)handle;
	return send_sig_info(signo, &info, target->task);
}

/*
 * Sends @signo with @handle as its value, or as a @fallback without one, which the limit on queued signals
 * cannot refuse. Returns 0 or one of RTNOTIFY_SEND_*.
 */
int rtnotify_target_send(struct rtnotify_target *target, int signo, u64 handle, bool fallback)
{
	int ret = send_doorbell(target, signo, handle, fallback);

	rtnotify_trace_signal(task_pid_nr(target->task), signo, handle, fallback, ret);
	return ret;
}

/* The thread's number in the pid namespace of the calling process; 0: it has none there. */
pid_t rtnotify_target_tid(struct rtnotify_target *target)
{
	return pid_vnr(target->pid);
}

static void take_pending_of_current(int signo)
{
	struct kernel_siginfo info;
	enum pid_type type;
	sigset_t others;

	sigfillset(&others);
	sigdelset(&others, signo);
	spin_lock_irq(&current->sighand->siglock);
	/* Only this thread's own queue: the shared one belongs to others. */
	while (sigismember(&current->pending.signal, signo)) {
		if (!dequeue_signal(&others, &info, &type))
			break;
	}
	spin_unlock_irq(&current->sighand->siglock);
}

struct take_pending_work {
	struct callback_head work;
	struct file *file;
	int signo;
};

static void take_pending_work(struct callback_head *head)
{
	struct take_pending_work *work = container_of(head, struct take_pending_work, work);

	take_pending_of_current(work->signo);
	/* The last fput() runs after this function has returned, so the module outlives it. */
	fput(work->file);
	kfree(work);
}

/*
 * Takes what the target has pending of @signo off its queue: at once if it is the calling thread, else before
 * it returns to user mode the next time, so before it could unblock the signal. May sleep. @file keeps the
 * module loaded that long.
 */
void rtnotify_target_take_pending(struct rtnotify_target *target, int signo, struct file *file)
{
	struct take_pending_work *work;

	if (target->task == current) {
		take_pending_of_current(signo);
		return;
	}
	/* Of a process that exits nothing is left anyway. */
	if ((current->flags & PF_EXITING) || rtnotify_target_exited(target))
		return;
	if (!rtnotify_target_pending(target, signo))
		return;
	if (READ_ONCE(target->task->self_exec_id) != target->exec_id)
		return;
	work = kmalloc_obj(*work, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	init_task_work(&work->work, take_pending_work);
	work->file = get_file(file);
	work->signo = signo;
	if (task_work_add(target->task, &work->work, TWA_RESUME)) {
		fput(work->file);
		kfree(work);
	}
}

/* The calling process, as its thread-group pid with a reference. */
struct pid *rtnotify_process_get(void)
{
	return get_pid(task_tgid(current));
}

void rtnotify_process_put(struct pid *process)
{
	put_pid(process);
}

/* The process's number in the pid namespace of the calling process; 0: it has none there. */
pid_t rtnotify_process_number(struct pid *process)
{
	return pid_vnr(process);
}

bool rtnotify_process_is_current(struct pid *process)
{
	return task_tgid(current) == process;
}

/*
 * read() has no position and gives records; pread() has one and it is a handle; there is no pwrite() or
 * lseek().
 */
void rtnotify_file_opened(struct file *file)
{
	file->f_mode |= FMODE_STREAM;
	file->f_mode &= ~(FMODE_LSEEK | FMODE_PWRITE);
}

/* Interrupt-safe spin lock, for the Rust lock backend. */
unsigned long rtnotify_lock(spinlock_t *lock)
{
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

void rtnotify_unlock(spinlock_t *lock, unsigned long flags)
{
	spin_unlock_irqrestore(lock, flags);
}

bool rtnotify_trylock(spinlock_t *lock, unsigned long *flags)
{
	return spin_trylock_irqsave(lock, *flags);
}
