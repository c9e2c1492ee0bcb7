/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Service routines that do what they must not; the checker names each.
 *
 * check WHAT [MODE]: what the routine does; 1 (preempt) or 0 (thread).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_shim.h"

static const char *what;
static volatile int calls;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *volatile block;
static FILE *null;

/* Named in the backtrace. */
__attribute__((noinline)) void the_routine(void *argument)
{
	(void)argument;
	if (!strcmp(what, "malloc"))
		block = malloc(100);
	else if (!strcmp(what, "calloc"))
		block = calloc(1, 100);
	else if (!strcmp(what, "realloc"))
		block = realloc(block, 200);
	else if (!strcmp(what, "free")) {
		free(block);
		block = NULL;
	} else if (!strcmp(what, "printf"))
		printf("%d %f\n", 1, 2.0);
	else if (!strcmp(what, "fprintf"))
		fprintf(null, "%d %f\n", 1, 2.0);
	else if (!strcmp(what, "puts"))
		puts("text");
	else if (!strcmp(what, "fwrite"))
		fwrite("text", 1, 4, null);
	else if (!strcmp(what, "pthread_mutex_lock")) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
	if (!strcmp(what, "usleep"))
		usleep(1);
	else if (!strcmp(what, "long"))
		app_shim_delay_busy(20000000);
	else if (!strcmp(what, "unbalanced"))
		(void)app_shim_int_lock();
	calls++;
}

int main(int argc, char **argv)
{
	app_shim_config config;
	app_shim_stats stats;
	volatile int level_after;
	int32_t key;

	what = argc > 1 ? argv[1] : "nothing";
	null = fopen("/dev/null", "w");
	block = malloc(10);
	if (!null || !block || app_shim_config_init(&config) != APP_SHIM_OK)
		return 2;
	config.mode = argc > 2 ? (uint32_t)atoi(argv[2]) : 1;
	if (app_shim_init(&config) != APP_SHIM_OK ||
	    app_shim_connect(9, the_routine, NULL) != APP_SHIM_OK ||
	    app_shim_start() != APP_SHIM_OK)
		return 3;
	/* The program itself may do all of that. */
	fprintf(null, "%p\n", malloc(10));
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	usleep(1);
	key = app_shim_int_lock();
	if (!strcmp(what, "locked"))
		usleep(1);
	else if (!strcmp(what, "locked-delay"))
		app_shim_delay(1);
	else if (!strcmp(what, "stuck")) {
		app_shim_timer_set(9, 1000, 0);
		/* On hardware this would hang, too. */
		stats.size = sizeof(stats);
		do
			app_shim_get_stats(&stats);
		while (stats.findings == 0);
	}
	app_shim_int_unlock(key);
	/* Once from here, then by a timer that interrupts. */
	app_shim_raise(9, 0);
	level_after = app_shim_level_get();
	app_shim_timer_set(9, 1000, 50000000);
	while (calls < 3)
		;
	app_shim_timer_cancel(9);
	if (level_after != 0)
		return 4;
	stats.size = sizeof(stats);
	if (app_shim_get_stats(&stats) != APP_SHIM_OK)
		return 5;
	printf("findings %d\n", stats.findings > 0);
	return 0;
}
