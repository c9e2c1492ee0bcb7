/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * intLib.h, with what intArchLib.h has: interrupts.
 *
 * A level is one of the controller, 0 to 63: a vector's is its priority, which
 * the map gives. intLock() masks all of them.
 */
#ifndef APP_SHIM_VX_INT_LIB_H
#define APP_SHIM_VX_INT_LIB_H

#include "app_shim_vx.h"
#include "iv.h"

#define S_intLib_NOT_ISR_CALLABLE (M_intLib | 1)
#define S_intLib_VEC_TABLE_WP_UNAVAILABLE (M_intLib | 2)

#define INT_CONTEXT() (intContext())
#define INT_RESTRICT() (intContext() ? ERROR : OK)

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION BOOL intContext(void)
{
	return app_shim_in_isr() ? TRUE : FALSE;
}

APP_SHIM_VX_FUNCTION int intCount(void)
{
	return app_shim_isr_depth();
}

APP_SHIM_VX_FUNCTION int intLock(void)
{
	app_shim_vx_begin();
	return app_shim_int_lock();
}

APP_SHIM_VX_FUNCTION void intUnlock(int lockKey)
{
	app_shim_int_unlock(lockKey);
}

APP_SHIM_VX_FUNCTION int intLevelSet(int level)
{
	app_shim_vx_begin();
	return app_shim_level_set(level);
}

/*
 * Connects a routine in the place of what was there. On boards that chain the
 * routines of a vector, programs must chain here by themselves.
 */
APP_SHIM_VX_FUNCTION STATUS intConnect(VOIDFUNCPTR *vector, VOIDFUNCPTR routine,
				       _Vx_usr_arg_t parameter)
{
	app_shim_vx_begin();
	if (routine == NULL)
		return app_shim_vx_error(EINVAL);
	return app_shim_vx_status(app_shim_vector_set(
		(uint32_t)IVEC_TO_INUM(vector),
		(app_shim_handler)(app_shim_vx_routine)routine,
		(void *)parameter, NULL, NULL));
}

/* Disconnects it: it does not run any more when this returns. */
APP_SHIM_VX_FUNCTION STATUS intDisconnect(VOIDFUNCPTR *vector,
					  VOIDFUNCPTR routine,
					  _Vx_usr_arg_t parameter)
{
	app_shim_handler handler = NULL;
	void *argument = NULL;
	uint32_t number = (uint32_t)IVEC_TO_INUM(vector);

	app_shim_vx_begin();
	app_shim_vector_get(number, &handler, &argument);
	if (handler == NULL || argument != (void *)parameter ||
	    handler != (app_shim_handler)(app_shim_vx_routine)routine)
		return app_shim_vx_error(EINVAL);
	return app_shim_vx_status(app_shim_disconnect(number));
}

/* A routine without an argument, NULL: none. */
APP_SHIM_VX_FUNCTION void intVecSet(FUNCPTR *vector, FUNCPTR function)
{
	app_shim_vx_begin();
	app_shim_vector_set((uint32_t)IVEC_TO_INUM(vector),
			    (app_shim_handler)(app_shim_vx_routine)function,
			    NULL, NULL, NULL);
}

APP_SHIM_VX_FUNCTION FUNCPTR intVecGet(FUNCPTR *vector)
{
	app_shim_handler handler = NULL;
	void *argument;

	app_shim_vx_begin();
	app_shim_vector_get((uint32_t)IVEC_TO_INUM(vector), &handler, &argument);
	return (FUNCPTR)(app_shim_vx_routine)handler;
}

/* Of a vector, as on boards whose levels and vectors are the same. */
APP_SHIM_VX_FUNCTION int intEnable(int level)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_enable((uint32_t)level));
}

APP_SHIM_VX_FUNCTION int intDisable(int level)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_disable((uint32_t)level));
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_INT_LIB_H */
