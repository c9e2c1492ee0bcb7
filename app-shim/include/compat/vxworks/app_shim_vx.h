/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the headers of this facade share: starting the controller, result codes
 * as VxWorks has them, ticks, memory whose addresses fit into an int.
 *
 * The functions of the facade are weak definitions, so every source may include
 * every header, there is one of each in the program, and its address can be
 * taken. Nothing else has to be linked but the library; main() is in it for
 * programs that have none and start in usrAppInit().
 */
#ifndef APP_SHIM_VX_H
#define APP_SHIM_VX_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <app_shim.h>

#include "vxWorks.h"
#include "vwModNum.h"
#include "objLib.h"

#define APP_SHIM_VX_FUNCTION __attribute__((__weak__))

#ifdef __cplusplus
extern "C" {
#endif

/*
 * In virtual time, what runs while all tasks wait: it moves time on to what
 * expires next.
 */
APP_SHIM_VX_FUNCTION void app_shim_vx_idle(void *argument)
{
	app_shim_id never = 0;
	uint64_t ns;

	(void)argument;
	app_shim_sem_create(APP_SHIM_SEM_BINARY, 0, 0, &never);
	for (;;) {
		/* What was logged comes before what happens later. */
		app_shim_log_flush();
		if (app_shim_clock_next(&ns) == APP_SHIM_OK) {
			app_shim_clock_advance(ns);
			app_shim_task_yield();
			continue;
		}
		/* Timeouts are real time. */
		app_shim_sem_take(never, 1000000);
	}
}

/*
 * Makes and starts the controller at the first call of the facade. The system
 * clock has the level that it has on most boards, so that intLevelSet(7) masks
 * all that there is.
 */
APP_SHIM_VX_FUNCTION void app_shim_vx_begin(void)
{
	app_shim_config config;
	app_shim_task_args idle;
	app_shim_id id;

	if (app_shim_mode() >= 0) {
		app_shim_ensure(NULL);
		return;
	}
	if (app_shim_config_init(&config) != APP_SHIM_OK)
		return;
	config.clock_priority = 6;
	if (app_shim_ensure(&config) != APP_SHIM_OK ||
	    app_shim_clock_advance(0) != APP_SHIM_OK)
		return;
	memset(&idle, 0, sizeof(idle));
	idle.size = sizeof(idle);
	idle.priority = 255;
	idle.name = "tIdle";
	idle.stack_size = 65536;
	idle.entry = app_shim_vx_idle;
	app_shim_task_spawn(&idle, &id);
}

/* VxWorks' error number for a result; 0: no error. */
APP_SHIM_VX_FUNCTION int app_shim_vx_errno(app_shim_result result)
{
	switch (result) {
	case APP_SHIM_OK:
		return 0;
	case APP_SHIM_IN_ISR:
		return M_intLib | 1; /* S_intLib_NOT_ISR_CALLABLE */
	case APP_SHIM_NO_SUCH:
	case APP_SHIM_NULL:
		return S_objLib_OBJ_ID_ERROR;
	case APP_SHIM_UNAVAILABLE:
		return S_objLib_OBJ_UNAVAILABLE;
	case APP_SHIM_DELETED:
		return S_objLib_OBJ_DELETED;
	case APP_SHIM_TIMEOUT:
		return S_objLib_OBJ_TIMEOUT;
	case APP_SHIM_NOT_OWNER:
		return M_semLib | 104; /* S_semLib_INVALID_OPERATION */
	case APP_SHIM_FULL:
		return S_objLib_OBJ_UNAVAILABLE;
	case APP_SHIM_NO_MEMORY:
		return M_memLib | 1; /* S_memLib_NOT_ENOUGH_MEMORY */
	case APP_SHIM_NOT_TASK:
		return S_objLib_OBJ_ID_ERROR;
	default:
		return EINVAL;
	}
}

/* OK, or ERROR with the error number set. */
APP_SHIM_VX_FUNCTION STATUS app_shim_vx_status(app_shim_result result)
{
	if (result == APP_SHIM_OK)
		return OK;
	errno = app_shim_vx_errno(result);
	return ERROR;
}

/* ERROR with that error number. */
APP_SHIM_VX_FUNCTION STATUS app_shim_vx_error(int number)
{
	errno = number;
	return ERROR;
}

/* Nanoseconds of so many ticks. */
APP_SHIM_VX_FUNCTION uint64_t app_shim_vx_ticks(uint64_t ticks)
{
	uint64_t rate = app_shim_clock_rate_get(APP_SHIM_CLOCK_SYSTEM);

	if (rate == 0)
		rate = 60;
	return ticks / rate * 1000000000u + ticks % rate * 1000000000u / rate;
}

/* A timeout of so many ticks; -1: for ever. */
APP_SHIM_VX_FUNCTION int64_t app_shim_vx_timeout(int ticks)
{
	if (ticks < 0)
		return APP_SHIM_FOREVER;
	return (int64_t)app_shim_vx_ticks((uint64_t)ticks);
}

/*
 * Memory for what programs have pointers to, which they like to pass through an
 * int: below 2 GiB where the system can do that. Zeroed.
 */
struct app_shim_vx_memory {
	size_t size;
	int mapped;
	int reserved;
};

APP_SHIM_VX_FUNCTION void *app_shim_vx_allocate(size_t size)
{
	struct app_shim_vx_memory *memory;

	size += sizeof(*memory);
#if defined(MAP_32BIT) && defined(MAP_ANONYMOUS)
	memory = (struct app_shim_vx_memory *)mmap(
		NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (memory != (struct app_shim_vx_memory *)MAP_FAILED) {
		memory->size = size;
		memory->mapped = 1;
		return memory + 1;
	}
#endif
	memory = (struct app_shim_vx_memory *)calloc(1, size);
	if (memory == NULL) {
		errno = M_memLib | 1;
		return NULL;
	}
	memory->size = size;
	return memory + 1;
}

APP_SHIM_VX_FUNCTION void app_shim_vx_free(void *pointer)
{
	struct app_shim_vx_memory *memory =
		(struct app_shim_vx_memory *)pointer - 1;

	if (memory->mapped)
		munmap(memory, memory->size);
	else
		free(memory);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_H */
