/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wdLib.h: watchdogs, which call a routine once, as a service routine. */
#ifndef APP_SHIM_VX_WD_LIB_H
#define APP_SHIM_VX_WD_LIB_H

#include "app_shim_vx.h"

typedef struct wdog {
	app_shim_id id; /* 0: deleted */
	VOIDFUNCPTR routine;
	_Vx_usr_arg_t parameter;
	struct wdog *next;
} WDOG;

typedef WDOG *WDOG_ID;
#define WDOG_ID_NULL ((WDOG_ID)0)

#ifdef __cplusplus
extern "C" {
#endif

/* Places of watchdogs that have been deleted; they stay memory for good. */
APP_SHIM_VX_FUNCTION WDOG_ID app_shim_vx_watchdogs = NULL;

APP_SHIM_VX_FUNCTION void app_shim_vx_expired(void *argument)
{
	WDOG_ID watchdog = (WDOG_ID)argument;
	void (*routine)(_Vx_usr_arg_t);

	routine = (void (*)(_Vx_usr_arg_t))(app_shim_vx_routine)watchdog->routine;
	routine(watchdog->parameter);
}

APP_SHIM_VX_FUNCTION WDOG_ID wdCreate(void)
{
	WDOG_ID watchdog;
	app_shim_id id = 0;
	int key;

	app_shim_vx_begin();
	if (app_shim_in_isr()) {
		app_shim_vx_status(APP_SHIM_IN_ISR);
		return NULL;
	}
	if (app_shim_vx_status(app_shim_wd_create(&id)) != OK)
		return NULL;
	key = app_shim_int_lock();
	watchdog = app_shim_vx_watchdogs;
	if (watchdog != NULL)
		app_shim_vx_watchdogs = watchdog->next;
	app_shim_int_unlock(key);
	if (watchdog == NULL)
		watchdog = (WDOG_ID)app_shim_vx_allocate(sizeof(*watchdog));
	if (watchdog == NULL) {
		app_shim_wd_delete(id);
		return NULL;
	}
	watchdog->id = id;
	return watchdog;
}

APP_SHIM_VX_FUNCTION STATUS wdDelete(WDOG_ID wdId)
{
	STATUS status;
	int key;

	if (wdId == NULL || wdId->id == 0)
		return app_shim_vx_error(S_objLib_OBJ_ID_ERROR);
	status = app_shim_vx_status(app_shim_wd_delete(wdId->id));
	if (status == OK) {
		key = app_shim_int_lock();
		wdId->id = 0;
		wdId->next = app_shim_vx_watchdogs;
		app_shim_vx_watchdogs = wdId;
		app_shim_int_unlock(key);
	}
	return status;
}

/* Starts it, or starts it again with another delay and routine. */
APP_SHIM_VX_FUNCTION STATUS wdStart(WDOG_ID wdId, int delay, FUNCPTR pRoutine,
				    _Vx_usr_arg_t parameter)
{
	app_shim_result result;
	int key;

	if (wdId == NULL || wdId->id == 0)
		return app_shim_vx_error(S_objLib_OBJ_ID_ERROR);
	if (pRoutine == NULL)
		return app_shim_vx_error(EINVAL);
	/* An expiry of before must not see half of the new ones. */
	key = app_shim_int_lock();
	app_shim_wd_cancel(wdId->id);
	wdId->routine = (VOIDFUNCPTR)(app_shim_vx_routine)pRoutine;
	wdId->parameter = parameter;
	result = app_shim_wd_start(wdId->id,
				   app_shim_vx_ticks(delay > 0 ? (uint64_t)delay :
								 1),
				   app_shim_vx_expired, wdId);
	app_shim_int_unlock(key);
	return app_shim_vx_status(result);
}

APP_SHIM_VX_FUNCTION STATUS wdCancel(WDOG_ID wdId)
{
	if (wdId == NULL || wdId->id == 0)
		return app_shim_vx_error(S_objLib_OBJ_ID_ERROR);
	return app_shim_vx_status(app_shim_wd_cancel(wdId->id));
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_WD_LIB_H */
