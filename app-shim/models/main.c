/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * main() for programs that have none, which the linker takes from the library then.
 *
 * Sketches for Arduino have setup() and loop().
 *
 * Programs for VxWorks start in usrAppInit(); this ends when all tasks that they have
 * spawned have ended, and never where they spawn none. With -no-pie all pointers to
 * static data and what malloc() gives fit into an int, which older programs take
 * for granted.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "logLib.h"
#include "taskLib.h"

#include "replay.h"

#define WEAK __attribute__((__weak__))

extern void usrAppInit(void) WEAK;

extern void setup(void) WEAK;
extern void loop(void) WEAK;
/* In Arduino.h. */
extern void app_shim_arduino_start(void (*replay)(uint32_t, uint32_t,
						  uint32_t)) WEAK;
extern void app_shim_arduino_turn(void) WEAK;

static int any_task_lives(void)
{
	uint32_t state;
	int i;

	if (__atomic_load_n(&app_shim_vx_spawned, __ATOMIC_SEQ_CST) == 0)
		return 1;
	for (i = 0; i < (int)NELEMENTS(app_shim_vx_tasks); i++) {
		int tid = __atomic_load_n(&app_shim_vx_tasks[i], __ATOMIC_SEQ_CST);

		if (tid != 0 && app_shim_task_state((app_shim_id)tid, &state) ==
					APP_SHIM_OK)
			return 1;
	}
	return 0;
}

static int vx_main(void)
{
	const struct timespec moment = { 0, 2000000 };

	/* One heap, just after static data. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	app_shim_vx_begin();
	usrAppInit();
	while (any_task_lives()) {
		app_shim_cpu_release();
		nanosleep(&moment, NULL);
		app_shim_cpu_acquire();
	}
	app_shim_log_flush();
	fflush(stdout);
	return 0;
}

int main(void)
{
	if (usrAppInit)
		return vx_main();
	if (setup && loop && app_shim_arduino_start && app_shim_arduino_turn) {
		app_shim_arduino_start(replay_start);
		setup();
		for (;;) {
			loop();
			app_shim_arduino_turn();
		}
	}
	fputs("app-shim: the program has no main(), usrAppInit() or setup() and loop()\n",
	      stderr);
	return 127;
}
