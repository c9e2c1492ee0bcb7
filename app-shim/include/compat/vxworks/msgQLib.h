/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* msgQLib.h: message queues. Service routines may use them without waiting. */
#ifndef APP_SHIM_VX_MSG_Q_LIB_H
#define APP_SHIM_VX_MSG_Q_LIB_H

#include "app_shim_vx.h"

#define S_msgQLib_INVALID_MSG_LENGTH (M_msgQLib | 1)
#define S_msgQLib_NON_ZERO_TIMEOUT_AT_INT_LEVEL (M_msgQLib | 2)
#define S_msgQLib_INVALID_QUEUE_TYPE (M_msgQLib | 3)

#define MSG_Q_TYPE_MASK 0x01
#define MSG_Q_FIFO 0x00
#define MSG_Q_PRIORITY 0x01

#define MSG_PRI_NORMAL 0
#define MSG_PRI_URGENT 1

/* An identifier, not a pointer to anything. It fits into an int. */
typedef struct msg_q *MSG_Q_ID;
#define MSG_Q_ID_NULL ((MSG_Q_ID)0)

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION MSG_Q_ID msgQCreate(int maxMsgs, int maxMsgLength,
					 int options)
{
	app_shim_id id = 0;
	app_shim_result result;

	app_shim_vx_begin();
	if (app_shim_in_isr()) {
		app_shim_vx_status(APP_SHIM_IN_ISR);
		return NULL;
	}
	if (options & ~0x7) {
		errno = S_msgQLib_INVALID_QUEUE_TYPE;
		return NULL;
	}
	if (maxMsgs <= 0 || maxMsgLength < 0) {
		errno = EINVAL;
		return NULL;
	}
	result = app_shim_msgq_create(
		(uint32_t)maxMsgs, (uint32_t)maxMsgLength,
		(options & MSG_Q_PRIORITY) ? APP_SHIM_BY_PRIORITY : 0, &id);
	if (app_shim_vx_status(result) != OK)
		return NULL;
	return (MSG_Q_ID)(uintptr_t)id;
}

APP_SHIM_VX_FUNCTION STATUS msgQDelete(MSG_Q_ID msgQId)
{
	return app_shim_vx_status(app_shim_msgq_delete((uintptr_t)msgQId));
}

APP_SHIM_VX_FUNCTION STATUS msgQSend(MSG_Q_ID msgQId, char *buffer, UINT nBytes,
				     int timeout, int priority)
{
	app_shim_result result;

	if (timeout != NO_WAIT && app_shim_in_isr())
		return app_shim_vx_error(S_msgQLib_NON_ZERO_TIMEOUT_AT_INT_LEVEL);
	result = app_shim_msgq_send(
		(uintptr_t)msgQId, buffer, nBytes, app_shim_vx_timeout(timeout),
		priority == MSG_PRI_URGENT ? APP_SHIM_URGENT : 0);
	if (result == APP_SHIM_TOO_LARGE)
		return app_shim_vx_error(S_msgQLib_INVALID_MSG_LENGTH);
	return app_shim_vx_status(result);
}

/* The message's length, of which what does not fit is gone; or ERROR. */
APP_SHIM_VX_FUNCTION int msgQReceive(MSG_Q_ID msgQId, char *buffer,
				     UINT maxNBytes, int timeout)
{
	uint32_t len = 0;
	app_shim_result result;

	if (timeout != NO_WAIT && app_shim_in_isr())
		return app_shim_vx_error(S_msgQLib_NON_ZERO_TIMEOUT_AT_INT_LEVEL);
	result = app_shim_msgq_receive((uintptr_t)msgQId, buffer, maxNBytes,
				       app_shim_vx_timeout(timeout), &len);
	if (app_shim_vx_status(result) != OK)
		return ERROR;
	return (int)len;
}

APP_SHIM_VX_FUNCTION int msgQNumMsgs(MSG_Q_ID msgQId)
{
	uint32_t count = 0;

	if (app_shim_vx_status(app_shim_msgq_count((uintptr_t)msgQId, &count)))
		return ERROR;
	return (int)count;
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_MSG_Q_LIB_H */
