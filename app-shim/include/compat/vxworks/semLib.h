/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * semLib.h: binary, counting and mutual-exclusion semaphores. Service routines may
 * give and flush the first two.
 */
#ifndef APP_SHIM_VX_SEM_LIB_H
#define APP_SHIM_VX_SEM_LIB_H

#include "app_shim_vx.h"
#include "taskLib.h"

#define S_semLib_INVALID_STATE (M_semLib | 101)
#define S_semLib_INVALID_OPTION (M_semLib | 102)
#define S_semLib_INVALID_QUEUE_TYPE (M_semLib | 103)
#define S_semLib_INVALID_OPERATION (M_semLib | 104)
#define S_semLib_INVALID_INITIAL_COUNT (M_semLib | 105)
#define S_semLib_COUNT_OVERFLOW (M_semLib | 106)

#define SEM_Q_MASK 0x3
#define SEM_Q_FIFO 0x0
#define SEM_Q_PRIORITY 0x1
#define SEM_DELETE_SAFE 0x4
#define SEM_INVERSION_SAFE 0x8
#define SEM_EVENTSEND_ERR_NOTIFY 0x10
#define SEM_INTERRUPTIBLE 0x20

/* An identifier, not a pointer to anything. It fits into an int. */
typedef struct semaphore *SEM_ID;
#define SEM_ID_NULL ((SEM_ID)0)

typedef enum { SEM_EMPTY, SEM_FULL } SEM_B_STATE;

#ifdef __cplusplus
extern "C" {
#endif

/* Mutexes with SEM_DELETE_SAFE, by the part of an identifier that is an index. */
APP_SHIM_VX_FUNCTION unsigned char app_shim_vx_delete_safe[8192] = { 0 };

APP_SHIM_VX_FUNCTION unsigned char *app_shim_vx_is_delete_safe(SEM_ID semId)
{
	return &app_shim_vx_delete_safe[(uintptr_t)semId % 8192];
}

APP_SHIM_VX_FUNCTION SEM_ID app_shim_vx_sem(uint32_t kind, uint32_t initial,
					    int options)
{
	app_shim_id id = 0;
	app_shim_result result;

	app_shim_vx_begin();
	if (app_shim_in_isr()) {
		app_shim_vx_status(APP_SHIM_IN_ISR);
		return NULL;
	}
	if ((options & SEM_Q_MASK) > SEM_Q_PRIORITY) {
		errno = S_semLib_INVALID_QUEUE_TYPE;
		return NULL;
	}
	result = app_shim_sem_create(
		kind, initial,
		(options & SEM_Q_PRIORITY) ? APP_SHIM_BY_PRIORITY : 0, &id);
	if (app_shim_vx_status(result) != OK)
		return NULL;
	*app_shim_vx_is_delete_safe((SEM_ID)(uintptr_t)id) =
		kind == APP_SHIM_SEM_MUTEX && (options & SEM_DELETE_SAFE) != 0;
	return (SEM_ID)(uintptr_t)id;
}

APP_SHIM_VX_FUNCTION SEM_ID semBCreate(int options, SEM_B_STATE initialState)
{
	if ((int)initialState != SEM_EMPTY && (int)initialState != SEM_FULL) {
		errno = S_semLib_INVALID_STATE;
		return NULL;
	}
	return app_shim_vx_sem(APP_SHIM_SEM_BINARY, (uint32_t)initialState,
			       options);
}

APP_SHIM_VX_FUNCTION SEM_ID semCCreate(int options, int initialCount)
{
	if (initialCount < 0) {
		errno = S_semLib_INVALID_INITIAL_COUNT;
		return NULL;
	}
	return app_shim_vx_sem(APP_SHIM_SEM_COUNTING, (uint32_t)initialCount,
			       options);
}

APP_SHIM_VX_FUNCTION SEM_ID semMCreate(int options)
{
	if ((options & SEM_INVERSION_SAFE) && !(options & SEM_Q_PRIORITY)) {
		errno = S_semLib_INVALID_OPTION;
		return NULL;
	}
	return app_shim_vx_sem(APP_SHIM_SEM_MUTEX, 1, options);
}

/* The form of the first versions: binary, empty, first in first out. */
APP_SHIM_VX_FUNCTION SEM_ID semCreate(void)
{
	return app_shim_vx_sem(APP_SHIM_SEM_BINARY, 0, SEM_Q_FIFO);
}

APP_SHIM_VX_FUNCTION STATUS semDelete(SEM_ID semId)
{
	return app_shim_vx_status(app_shim_sem_delete((uintptr_t)semId));
}

APP_SHIM_VX_FUNCTION STATUS semGive(SEM_ID semId)
{
	app_shim_result result = app_shim_sem_give((uintptr_t)semId);

	if (result == APP_SHIM_FULL)
		return app_shim_vx_error(S_semLib_COUNT_OVERFLOW);
	if (result == APP_SHIM_OK && *app_shim_vx_is_delete_safe(semId))
		taskUnsafe();
	return app_shim_vx_status(result);
}

/* At most so many ticks. Not for service routines, whatever the timeout. */
APP_SHIM_VX_FUNCTION STATUS semTake(SEM_ID semId, int timeout)
{
	int safe = *app_shim_vx_is_delete_safe(semId);
	app_shim_result result;

	if (app_shim_in_isr())
		return app_shim_vx_status(APP_SHIM_IN_ISR);
	/* Before it has it, lest it be deleted in between. */
	if (safe)
		taskSafe();
	result = app_shim_sem_take((uintptr_t)semId,
				   app_shim_vx_timeout(timeout));
	if (safe && result != APP_SHIM_OK)
		taskUnsafe();
	return app_shim_vx_status(result);
}

APP_SHIM_VX_FUNCTION STATUS semFlush(SEM_ID semId)
{
	app_shim_result result = app_shim_sem_flush((uintptr_t)semId);

	if (result == APP_SHIM_INVALID)
		return app_shim_vx_error(S_semLib_INVALID_OPERATION);
	return app_shim_vx_status(result);
}

/* Empties it. */
APP_SHIM_VX_FUNCTION STATUS semClear(SEM_ID semId)
{
	return semTake(semId, NO_WAIT);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_SEM_LIB_H */
