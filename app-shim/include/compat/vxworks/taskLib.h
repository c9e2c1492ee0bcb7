/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * taskLib.h: tasks. One at a time has the CPU; another one gets it where a task
 * waits, or calls the system while one of higher priority is ready.
 */
#ifndef APP_SHIM_VX_TASK_LIB_H
#define APP_SHIM_VX_TASK_LIB_H

#include "app_shim_vx.h"

#define S_taskLib_NAME_NOT_FOUND (M_taskLib | 101)
#define S_taskLib_TASK_HOOK_TABLE_FULL (M_taskLib | 102)
#define S_taskLib_TASK_HOOK_NOT_FOUND (M_taskLib | 103)
#define S_taskLib_TASK_SWAP_HOOK_REFERENCED (M_taskLib | 104)
#define S_taskLib_TASK_SWAP_HOOK_SET (M_taskLib | 105)
#define S_taskLib_TASK_SWAP_HOOK_CLEAR (M_taskLib | 106)
#define S_taskLib_TASK_VAR_NOT_FOUND (M_taskLib | 107)
#define S_taskLib_TASK_UNDELAYED (M_taskLib | 108)
#define S_taskLib_ILLEGAL_PRIORITY (M_taskLib | 109)

#define MAX_TASK_ARGS 10
#define VX_TASK_NAME_LENGTH 31

#define VX_TASK_PRIORITY_MIN 0
#define VX_TASK_PRIORITY_MAX 255

/* Options; none of them makes a difference here. */
#define VX_SUPERVISOR_MODE 0x0001
#define VX_UNBREAKABLE 0x0002
#define VX_DEALLOC_STACK 0x0004
#define VX_FP_TASK 0x0008
#define VX_STDIO 0x0010
#define VX_ADA_DEBUG 0x0020
#define VX_FORTRAN 0x0040
#define VX_PRIVATE_ENV 0x0080
#define VX_NO_STACK_FILL 0x0100

typedef int TASK_ID;

#ifndef TASK_ID_NULL
#define TASK_ID_NULL 0
#define TASK_ID_ERROR (-1)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a new task is told. */
struct app_shim_vx_entry {
	int (*routine)(_Vx_usr_arg_t, _Vx_usr_arg_t, _Vx_usr_arg_t,
		       _Vx_usr_arg_t, _Vx_usr_arg_t, _Vx_usr_arg_t,
		       _Vx_usr_arg_t, _Vx_usr_arg_t, _Vx_usr_arg_t,
		       _Vx_usr_arg_t);
	_Vx_usr_arg_t args[MAX_TASK_ARGS];
};

/* Names that taskName() has given away; they stay for good. */
struct app_shim_vx_name {
	struct app_shim_vx_name *next;
	char text[VX_TASK_NAME_LENGTH + 1];
};

APP_SHIM_VX_FUNCTION struct app_shim_vx_name *app_shim_vx_names = NULL;
/* Tasks without a name are t1, t2 and so on. */
APP_SHIM_VX_FUNCTION int app_shim_vx_nameless = 0;
/* Tasks that were spawned and may live, for main.c; and how many ever were. */
APP_SHIM_VX_FUNCTION int app_shim_vx_tasks[256] = { 0 };
APP_SHIM_VX_FUNCTION int app_shim_vx_spawned = 0;

/* Notes a task in the place of one that has ended. */
APP_SHIM_VX_FUNCTION void app_shim_vx_note(int tid)
{
	uint32_t state;
	int i, old;

	__atomic_add_fetch(&app_shim_vx_spawned, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < 256; i++) {
		old = __atomic_load_n(&app_shim_vx_tasks[i], __ATOMIC_SEQ_CST);
		if (old != 0 && app_shim_task_state((app_shim_id)old, &state) ==
					APP_SHIM_OK)
			continue;
		if (__atomic_compare_exchange_n(&app_shim_vx_tasks[i], &old, tid,
						0, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return;
	}
}

/* What a task has of its own, in the place of one that has ended. */
struct app_shim_vx_tcb {
	int tid;
	int safe; /* taskSafe() less taskUnsafe() */
	int *error; /* its errno */
};

APP_SHIM_VX_FUNCTION struct app_shim_vx_tcb app_shim_vx_tcbs[256] = { { 0, 0, NULL } };

/* NULL: no task that was spawned. */
APP_SHIM_VX_FUNCTION struct app_shim_vx_tcb *app_shim_vx_tcb_of(int tid)
{
	int i;

	for (i = 0; i < 256; i++) {
		if (__atomic_load_n(&app_shim_vx_tcbs[i].tid,
				    __ATOMIC_ACQUIRE) == tid)
			return &app_shim_vx_tcbs[i];
	}
	return NULL;
}

/* The calling task begins. */
APP_SHIM_VX_FUNCTION void app_shim_vx_enrol(void)
{
	uint32_t state;
	int i, old;

	for (i = 0; i < 256; i++) {
		old = __atomic_load_n(&app_shim_vx_tcbs[i].tid, __ATOMIC_ACQUIRE);
		/* -1: somebody is about to take it. */
		if (old == -1 ||
		    (old != 0 &&
		     app_shim_task_state((app_shim_id)old, &state) == APP_SHIM_OK))
			continue;
		if (!__atomic_compare_exchange_n(&app_shim_vx_tcbs[i].tid, &old, -1,
						 0, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		app_shim_vx_tcbs[i].safe = 0;
		app_shim_vx_tcbs[i].error = &errno;
		__atomic_store_n(&app_shim_vx_tcbs[i].tid,
				 (int)app_shim_task_self(), __ATOMIC_RELEASE);
		return;
	}
}

APP_SHIM_VX_FUNCTION void app_shim_vx_task(void *argument)
{
	struct app_shim_vx_entry e = *(struct app_shim_vx_entry *)argument;

	free(argument);
	app_shim_vx_enrol();
	e.routine(e.args[0], e.args[1], e.args[2], e.args[3], e.args[4],
		  e.args[5], e.args[6], e.args[7], e.args[8], e.args[9]);
}

APP_SHIM_VX_FUNCTION int
app_shim_vx_spawn(const char *name, int priority, int stackSize,
		  FUNCPTR entryPt, const _Vx_usr_arg_t *args, uint32_t flags)
{
	char made[VX_TASK_NAME_LENGTH + 1];
	char digits[16];
	struct app_shim_vx_entry *entry;
	app_shim_task_args task;
	app_shim_id id = 0;
	app_shim_result result;
	int number, i = 0, n = 0;

	app_shim_vx_begin();
	if (app_shim_in_isr())
		return app_shim_vx_status(APP_SHIM_IN_ISR);
	if (priority < VX_TASK_PRIORITY_MIN || priority > VX_TASK_PRIORITY_MAX)
		return app_shim_vx_error(S_taskLib_ILLEGAL_PRIORITY);
	if (entryPt == NULL)
		return app_shim_vx_error(EINVAL);
	if (name == NULL) {
		number = __atomic_add_fetch(&app_shim_vx_nameless, 1,
					    __ATOMIC_RELAXED);
		made[i++] = 't';
		for (; number > 0; number /= 10)
			digits[n++] = (char)('0' + number % 10);
		while (n > 0)
			made[i++] = digits[--n];
		made[i] = '\0';
		name = made;
	}
	entry = (struct app_shim_vx_entry *)malloc(sizeof(*entry));
	if (entry == NULL)
		return app_shim_vx_error(M_memLib | 1);
	memcpy(entry->args, args, sizeof(entry->args));
	entry->routine =
		(int (*)(_Vx_usr_arg_t, _Vx_usr_arg_t, _Vx_usr_arg_t,
			 _Vx_usr_arg_t, _Vx_usr_arg_t, _Vx_usr_arg_t,
			 _Vx_usr_arg_t, _Vx_usr_arg_t, _Vx_usr_arg_t,
			 _Vx_usr_arg_t))(app_shim_vx_routine)entryPt;
	memset(&task, 0, sizeof(task));
	task.size = sizeof(task);
	task.priority = priority;
	task.name = name;
	/* Sizes of then are too small for a C library of now. */
	task.stack_size = 256u * 1024u;
	if (stackSize > 0)
		task.stack_size += (uint64_t)stackSize * 2;
	task.entry = app_shim_vx_task;
	task.argument = entry;
	task.flags = flags;
	result = app_shim_task_spawn(&task, &id);
	if (result != APP_SHIM_OK) {
		free(entry);
		return app_shim_vx_status(result);
	}
	app_shim_vx_note((int)id);
	return (int)id;
}

APP_SHIM_VX_FUNCTION int
taskSpawn(const char *name, int priority, int options, int stackSize,
	  FUNCPTR entryPt, _Vx_usr_arg_t arg1, _Vx_usr_arg_t arg2,
	  _Vx_usr_arg_t arg3, _Vx_usr_arg_t arg4, _Vx_usr_arg_t arg5,
	  _Vx_usr_arg_t arg6, _Vx_usr_arg_t arg7, _Vx_usr_arg_t arg8,
	  _Vx_usr_arg_t arg9, _Vx_usr_arg_t arg10)
{
	_Vx_usr_arg_t args[MAX_TASK_ARGS];

	(void)options;
	args[0] = arg1;
	args[1] = arg2;
	args[2] = arg3;
	args[3] = arg4;
	args[4] = arg5;
	args[5] = arg6;
	args[6] = arg7;
	args[7] = arg8;
	args[8] = arg9;
	args[9] = arg10;
	return app_shim_vx_spawn(name, priority, stackSize, entryPt, args, 0);
}

/* The same, suspended until taskActivate(). */
APP_SHIM_VX_FUNCTION int
taskCreate(const char *name, int priority, int options, int stackSize,
	   FUNCPTR entryPt, _Vx_usr_arg_t arg1, _Vx_usr_arg_t arg2,
	   _Vx_usr_arg_t arg3, _Vx_usr_arg_t arg4, _Vx_usr_arg_t arg5,
	   _Vx_usr_arg_t arg6, _Vx_usr_arg_t arg7, _Vx_usr_arg_t arg8,
	   _Vx_usr_arg_t arg9, _Vx_usr_arg_t arg10)
{
	_Vx_usr_arg_t args[MAX_TASK_ARGS];

	(void)options;
	args[0] = arg1;
	args[1] = arg2;
	args[2] = arg3;
	args[3] = arg4;
	args[4] = arg5;
	args[5] = arg6;
	args[6] = arg7;
	args[7] = arg8;
	args[8] = arg9;
	args[9] = arg10;
	return app_shim_vx_spawn(name, priority, stackSize, entryPt, args,
				 APP_SHIM_TASK_SUSPENDED);
}

APP_SHIM_VX_FUNCTION STATUS taskActivate(int tid)
{
	return app_shim_vx_status(app_shim_task_resume((app_shim_id)tid));
}

/* In a service routine the interrupted task. */
APP_SHIM_VX_FUNCTION int taskIdSelf(void)
{
	app_shim_vx_begin();
	return (int)app_shim_task_self();
}

APP_SHIM_VX_FUNCTION STATUS taskIdVerify(int tid)
{
	uint32_t state;

	return app_shim_vx_status(app_shim_task_state((app_shim_id)tid, &state));
}

/* Whether it has asked not to be deleted. */
APP_SHIM_VX_FUNCTION int app_shim_vx_is_safe(int tid)
{
	struct app_shim_vx_tcb *tcb = app_shim_vx_tcb_of(tid);

	return tcb != NULL && __atomic_load_n(&tcb->safe, __ATOMIC_SEQ_CST) > 0;
}

/* At once, even where the task has asked not to be. */
APP_SHIM_VX_FUNCTION STATUS taskDeleteForce(int tid)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_task_delete((app_shim_id)tid));
}

/*
 * 0: the caller, which then does not return. Waits for a task between taskSafe()
 * and taskUnsafe().
 */
APP_SHIM_VX_FUNCTION STATUS taskDelete(int tid)
{
	app_shim_vx_begin();
	while (tid != 0 && tid != (int)app_shim_task_self() &&
	       app_shim_vx_is_safe(tid)) {
		if (app_shim_delay(app_shim_vx_ticks(1)) != APP_SHIM_OK)
			break;
	}
	return taskDeleteForce(tid);
}

/* The calling task is not deleted until it has said taskUnsafe() as often. */
APP_SHIM_VX_FUNCTION STATUS taskSafe(void)
{
	struct app_shim_vx_tcb *tcb;

	app_shim_vx_begin();
	if (app_shim_in_isr())
		return app_shim_vx_status(APP_SHIM_IN_ISR);
	tcb = app_shim_vx_tcb_of((int)app_shim_task_self());
	if (tcb != NULL)
		__atomic_add_fetch(&tcb->safe, 1, __ATOMIC_SEQ_CST);
	return OK;
}

APP_SHIM_VX_FUNCTION STATUS taskUnsafe(void)
{
	struct app_shim_vx_tcb *tcb;

	if (app_shim_in_isr())
		return app_shim_vx_status(APP_SHIM_IN_ISR);
	tcb = app_shim_vx_tcb_of((int)app_shim_task_self());
	if (tcb != NULL && tcb->safe > 0)
		__atomic_sub_fetch(&tcb->safe, 1, __ATOMIC_SEQ_CST);
	return OK;
}

/* The error number of a task that was spawned; 0: the caller's. */
APP_SHIM_VX_FUNCTION int errnoOfTaskGet(int tid)
{
	struct app_shim_vx_tcb *tcb;
	uint32_t state;

	if (tid == 0 || tid == (int)app_shim_task_self())
		return errno;
	tcb = app_shim_vx_tcb_of(tid);
	if (tcb == NULL ||
	    app_shim_task_state((app_shim_id)tid, &state) != APP_SHIM_OK)
		return app_shim_vx_error(S_objLib_OBJ_ID_ERROR);
	return *(volatile int *)tcb->error;
}

APP_SHIM_VX_FUNCTION STATUS errnoOfTaskSet(int tid, int errorValue)
{
	struct app_shim_vx_tcb *tcb;
	uint32_t state;

	if (tid == 0 || tid == (int)app_shim_task_self()) {
		errno = errorValue;
		return OK;
	}
	tcb = app_shim_vx_tcb_of(tid);
	if (tcb == NULL ||
	    app_shim_task_state((app_shim_id)tid, &state) != APP_SHIM_OK)
		return app_shim_vx_error(S_objLib_OBJ_ID_ERROR);
	*(volatile int *)tcb->error = errorValue;
	return OK;
}

APP_SHIM_VX_FUNCTION STATUS taskSuspend(int tid)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_task_suspend((app_shim_id)tid));
}

APP_SHIM_VX_FUNCTION STATUS taskResume(int tid)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_task_resume((app_shim_id)tid));
}

/* 0: leaves the CPU to tasks of the same priority. */
APP_SHIM_VX_FUNCTION STATUS taskDelay(int ticks)
{
	app_shim_vx_begin();
	if (ticks <= 0)
		return app_shim_vx_status(app_shim_task_yield());
	return app_shim_vx_status(
		app_shim_delay(app_shim_vx_ticks((uint64_t)ticks)));
}

APP_SHIM_VX_FUNCTION STATUS taskLock(void)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_task_lock());
}

APP_SHIM_VX_FUNCTION STATUS taskUnlock(void)
{
	return app_shim_vx_status(app_shim_task_unlock());
}

APP_SHIM_VX_FUNCTION STATUS taskPrioritySet(int tid, int newPriority)
{
	app_shim_vx_begin();
	if (newPriority < VX_TASK_PRIORITY_MIN ||
	    newPriority > VX_TASK_PRIORITY_MAX)
		return app_shim_vx_error(S_taskLib_ILLEGAL_PRIORITY);
	return app_shim_vx_status(
		app_shim_task_set_priority((app_shim_id)tid, newPriority));
}

APP_SHIM_VX_FUNCTION STATUS taskPriorityGet(int tid, int *pPriority)
{
	int32_t priority = 0;
	app_shim_result result;

	app_shim_vx_begin();
	result = app_shim_task_get_priority((app_shim_id)tid, &priority);
	if (result == APP_SHIM_OK)
		*pPriority = priority;
	return app_shim_vx_status(result);
}

APP_SHIM_VX_FUNCTION BOOL app_shim_vx_state(int tid, uint32_t mask,
					    uint32_t value)
{
	uint32_t state = 0;

	if (app_shim_task_state((app_shim_id)tid, &state) != APP_SHIM_OK)
		return FALSE;
	return (state & mask) == value;
}

APP_SHIM_VX_FUNCTION BOOL taskIsReady(int tid)
{
	return app_shim_vx_state(tid, 0xff, APP_SHIM_TASK_READY);
}

APP_SHIM_VX_FUNCTION BOOL taskIsSuspended(int tid)
{
	return app_shim_vx_state(tid, APP_SHIM_TASK_STOPPED,
				 APP_SHIM_TASK_STOPPED);
}

APP_SHIM_VX_FUNCTION BOOL taskIsPended(int tid)
{
	return app_shim_vx_state(tid, 0xf, APP_SHIM_TASK_WAITING);
}

APP_SHIM_VX_FUNCTION BOOL taskIsDelayed(int tid)
{
	return app_shim_vx_state(tid, 0xf, APP_SHIM_TASK_DELAYED);
}

/* Valid for good. NULL: no such task. Not for service routines. */
APP_SHIM_VX_FUNCTION char *taskName(int tid)
{
	struct app_shim_vx_name *head, *name;
	char text[VX_TASK_NAME_LENGTH + 1];

	app_shim_vx_begin();
	if (app_shim_vx_status(app_shim_task_name((app_shim_id)tid, text,
						  sizeof(text))) != OK)
		return NULL;
	head = __atomic_load_n(&app_shim_vx_names, __ATOMIC_ACQUIRE);
	for (name = head; name != NULL; name = name->next) {
		if (strcmp(name->text, text) == 0)
			return name->text;
	}
	name = (struct app_shim_vx_name *)app_shim_vx_allocate(sizeof(*name));
	if (name == NULL)
		return NULL;
	strcpy(name->text, text);
	name->next = head;
	while (!__atomic_compare_exchange_n(&app_shim_vx_names, &name->next, name,
					    0, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	return name->text;
}

APP_SHIM_VX_FUNCTION int taskNameToId(const char *name)
{
	app_shim_id id = 0;

	app_shim_vx_begin();
	if (app_shim_task_find(name, &id) != APP_SHIM_OK)
		return app_shim_vx_error(S_taskLib_NAME_NOT_FOUND);
	return (int)id;
}

/* The caller where it is 0. */
APP_SHIM_VX_FUNCTION int taskIdDefault(int tid)
{
	static int chosen;

	if (tid != 0)
		chosen = tid;
	return chosen;
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_TASK_LIB_H */
