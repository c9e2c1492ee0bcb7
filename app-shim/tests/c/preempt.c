/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A busy program that is interrupted a million times: it allocates, prints and
 * locks while service routines of three priorities run on its own stack.
 *
 * preempt [EVENTS [FLAGS]]: the number of events, and flags of the controller.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_shim.h"

#define VECTORS 3

static volatile unsigned long counts[VECTORS];
static volatile double scratch = 1.0;
static unsigned long wrong;
static unsigned long each;
static volatile int done;

static void isr(void *argument)
{
	unsigned long vector = (unsigned long)argument;
	app_shim_event event;

	memset(&event, 0, sizeof(event));
	event.size = sizeof(event);
	if (app_shim_current(&event) != APP_SHIM_OK ||
	    event.vector != vector || event.value != counts[vector] ||
	    event.payload_len != sizeof(unsigned long) ||
	    memcmp(event.payload, (void *)&counts[vector],
		   sizeof(unsigned long)) != 0 ||
	    !app_shim_in_isr())
		wrong++;
	counts[vector]++;
	/* A flag of a higher priority's routine, which is raised after this. */
	if (vector == 0 && event.value % 1000 == 0)
		while (counts[2] <= event.value)
			;
	/* Whoever was interrupted must not notice. */
	scratch = scratch * 1.5 + (double)vector;
	errno = 4711;
}

static void *raiser(void *argument)
{
	app_shim_raise_args event;
	unsigned long n;
	unsigned long vector;

	(void)argument;
	memset(&event, 0, sizeof(event));
	event.size = sizeof(event);
	event.flags = APP_SHIM_EVENT_VALUE;
	for (n = 0; n < each; n++) {
		for (vector = 0; vector < VECTORS; vector++) {
			event.vector = (uint32_t)vector;
			event.value = n;
			event.payload = &n;
			event.payload_len = sizeof(n);
			if (app_shim_raise_wait(&event, APP_SHIM_FOREVER) !=
			    APP_SHIM_OK)
				wrong++;
		}
	}
	done = 1;
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long events = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	app_shim_config config;
	app_shim_stats stats;
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	FILE *null = fopen("/dev/null", "w");
	unsigned long rounds = 0;
	unsigned long vector;
	pthread_t thread;

	each = (events + VECTORS - 1) / VECTORS;
	if (app_shim_config_init(&config) != APP_SHIM_OK)
		return 2;
	config.mode = APP_SHIM_MODE_PREEMPT;
	/* A short queue: the raiser waits, and each few events need a signal. */
	config.queue_len = 8;
	config.flags = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	if (!null || app_shim_init(&config) != APP_SHIM_OK)
		return 2;
	for (vector = 0; vector < VECTORS; vector++) {
		app_shim_connect((uint32_t)vector, isr, (void *)vector);
		app_shim_set_priority((uint32_t)vector, (uint32_t)vector + 1);
	}
	if (app_shim_start() != APP_SHIM_OK)
		return 3;
	if (pthread_create(&thread, NULL, raiser, NULL) != 0)
		return 4;
	while (!done || counts[0] < each || counts[1] < each ||
	       counts[2] < each) {
		void *volatile block = malloc(16 + rounds % 5000);
		double sum = 0;
		int32_t key;
		int i;

		errno = 17;
		for (i = 1; i < 20; i++)
			sum += 1.0 / i;
		if (errno != 17 || sum < 3.54773 || sum > 3.54775)
			wrong++;
		fprintf(null, "%lu %f\n", rounds, sum);
		pthread_mutex_lock(&mutex);
		rounds++;
		pthread_mutex_unlock(&mutex);
		free(block);
		key = app_shim_int_lock();
		{
			unsigned long before = counts[0] + counts[1] + counts[2];

			sum += (double)before;
			if (before != counts[0] + counts[1] + counts[2])
				wrong++;
		}
		app_shim_int_unlock(key);
	}
	pthread_join(thread, NULL);
	memset(&stats, 0, sizeof(stats));
	stats.size = sizeof(stats);
	if (app_shim_get_stats(&stats) != APP_SHIM_OK)
		return 5;
	printf("events %lu served %llu missed %llu signals %llu deepest %llu rounds %lu wrong %lu\n",
	       each * VECTORS, (unsigned long long)stats.served,
	       (unsigned long long)stats.missed,
	       (unsigned long long)stats.signals_handled,
	       (unsigned long long)stats.deepest, rounds, wrong);
	if (stats.served != each * VECTORS || stats.missed || wrong)
		return 1;
	/* while (!flag); ends. */
	app_shim_stop();
	return 0;
}
