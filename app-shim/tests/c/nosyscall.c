/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Locks and unlocks interrupts where any system call but read and write ends the
 * thread.
 *
 * nosyscall MODE: 0 thread, 1 preempt.
 */
#define _GNU_SOURCE
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app_shim.h"

static volatile int done;

static void nothing(void *argument)
{
	(void)argument;
}

static void *watch(void *argument)
{
	int rounds;

	(void)argument;
	for (rounds = 0; rounds < 30000 && !done; rounds++)
		usleep(1000);
	_exit(done == 10000 ? 0 : 1);
	return NULL;
}

int main(int argc, char **argv)
{
	app_shim_config config;
	pthread_t thread;
	int i;

	if (app_shim_config_init(&config) != APP_SHIM_OK)
		return 2;
	config.mode = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
	if (app_shim_init(&config) != APP_SHIM_OK ||
	    app_shim_connect(1, nothing, NULL) != APP_SHIM_OK ||
	    app_shim_start() != APP_SHIM_OK ||
	    pthread_create(&thread, NULL, watch, NULL) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
		return 3;
	for (i = 0; i < 10000; i++) {
		int32_t outer = app_shim_int_lock();
		int32_t inner = app_shim_int_lock();

		app_shim_int_unlock(inner);
		app_shim_int_unlock(outer);
	}
	done = i;
	for (;;)
		;
}
