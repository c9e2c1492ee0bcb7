/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What service routines and tasks do with each other: semaphores, queues, rings,
 * watchdogs, clocks, tasks. Each check names itself when it fails.
 *
 * services MODE: 0 thread, 1 preempt.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_shim.h"

static int failures;

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

#define OK(call) CHECK((call) == APP_SHIM_OK)

#define SECOND 1000000000LL

static app_shim_id binary, counting, mutex, queue, ring, watchdog;
static volatile int fired, ticks, order_at;
static char order[64];

static void note(char c)
{
	if (order_at < (int)sizeof(order) - 1)
		order[order_at++] = c;
}

static void give(void *argument)
{
	(void)argument;
	CHECK(app_shim_sem_give(binary) == APP_SHIM_OK);
	/* What would wait is refused, what does not is allowed. */
	CHECK(app_shim_sem_take(counting, APP_SHIM_FOREVER) == APP_SHIM_IN_ISR);
	CHECK(app_shim_sem_take(counting, APP_SHIM_NO_WAIT) ==
	      APP_SHIM_UNAVAILABLE);
	CHECK(app_shim_sem_give(mutex) == APP_SHIM_IN_ISR);
	CHECK(app_shim_delay(1) == APP_SHIM_IN_ISR);
	CHECK(app_shim_log_flush() == APP_SHIM_IN_ISR);
	CHECK(app_shim_stop() == APP_SHIM_IN_ISR);
}

static void send(void *argument)
{
	app_shim_event event;
	uint32_t put;

	(void)argument;
	event.size = sizeof(event);
	OK(app_shim_current(&event));
	OK(app_shim_msgq_send(queue, event.payload, event.payload_len,
			      APP_SHIM_NO_WAIT, 0));
	OK(app_shim_ring_put(ring, event.payload, event.payload_len, &put));
	CHECK(put == event.payload_len);
}

static void fire(void *argument)
{
	fired += (int)(long)argument;
	CHECK(app_shim_in_isr());
}

static void tick(void *argument)
{
	(void)argument;
	ticks++;
}

static void waiter(void *argument)
{
	app_shim_result result = app_shim_sem_take(counting, APP_SHIM_FOREVER);

	CHECK(result == APP_SHIM_OK);
	note((char)(long)argument);
}

static void deleted_waiter(void *argument)
{
	app_shim_id id = *(app_shim_id *)argument;

	CHECK(app_shim_sem_take(id, APP_SHIM_FOREVER) == APP_SHIM_DELETED);
	note('d');
}

static void forever(void *argument)
{
	(void)argument;
	for (;;)
		app_shim_delay(1000000);
}

static void raiser(void *argument)
{
	app_shim_raise(3, (uint64_t)(long)argument);
}

static app_shim_id spawn(const char *name, int priority,
			 void (*entry)(void *), void *argument)
{
	app_shim_task_args task;
	app_shim_id id = 0;

	memset(&task, 0, sizeof(task));
	task.size = sizeof(task);
	task.name = name;
	task.priority = priority;
	task.entry = entry;
	task.argument = argument;
	OK(app_shim_task_spawn(&task, &id));
	return id;
}

static void mutual(void *argument)
{
	volatile long *shared = argument;
	int i;

	for (i = 0; i < 1000; i++) {
		long seen;

		OK(app_shim_sem_take(mutex, APP_SHIM_FOREVER));
		OK(app_shim_sem_take(mutex, APP_SHIM_FOREVER));
		seen = *shared;
		if (i % 50 == 0)
			app_shim_task_yield();
		*shared = seen + 1;
		OK(app_shim_sem_give(mutex));
		OK(app_shim_sem_give(mutex));
	}
}

static void consumer(void *argument)
{
	long *sum = argument;
	long value;
	uint32_t len;
	int i;

	for (i = 0; i < 2000; i++) {
		if (app_shim_msgq_receive(queue, &value, sizeof(value),
					  20 * SECOND, &len) != APP_SHIM_OK ||
		    len != sizeof(value)) {
			CHECK(!"a message is missing");
			return;
		}
		*sum += value;
	}
	note('C');
}

int main(int argc, char **argv)
{
	app_shim_config config;
	app_shim_raise_args event;
	app_shim_stats stats;
	app_shim_id id, other;
	char buffer[64];
	uint32_t count, room, state;
	uint64_t before;
	int32_t priority;
	int i;
	long shared = 0, sum = 0;

	OK(app_shim_config_init(&config));
	config.mode = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
	CHECK(app_shim_sem_give(1) == APP_SHIM_NOT_STARTED);
	OK(app_shim_init(&config));
	CHECK(app_shim_init(&config) == APP_SHIM_BUSY);
	OK(app_shim_start());
	CHECK(app_shim_start() == APP_SHIM_BUSY);
	OK(app_shim_ensure(NULL));
	CHECK(app_shim_mode() == (int32_t)config.mode);

	OK(app_shim_sem_create(APP_SHIM_SEM_BINARY, 0, 0, &binary));
	OK(app_shim_sem_create(APP_SHIM_SEM_COUNTING, 0, APP_SHIM_BY_PRIORITY,
			       &counting));
	OK(app_shim_sem_create(APP_SHIM_SEM_MUTEX, 0, APP_SHIM_BY_PRIORITY,
			       &mutex));
	OK(app_shim_msgq_create(4, 8, 0, &queue));
	OK(app_shim_ring_create(16, &ring));
	OK(app_shim_wd_create(&watchdog));

	/* A routine gives, a task takes; giving twice counts once. */
	OK(app_shim_connect(1, give, NULL));
	CHECK(app_shim_connect(1, give, NULL) == APP_SHIM_BUSY);
	OK(app_shim_raise(1, 0));
	OK(app_shim_raise(1, 0));
	OK(app_shim_sem_take(binary, 20 * SECOND));
	CHECK(app_shim_sem_take(binary, APP_SHIM_NO_WAIT) ==
	      APP_SHIM_UNAVAILABLE);
	before = app_shim_clock_ns();
	CHECK(app_shim_sem_take(binary, SECOND / 100) == APP_SHIM_TIMEOUT);
	CHECK(app_shim_clock_ns() - before >= SECOND / 100);

	/* Messages and bytes from a routine. */
	OK(app_shim_connect(2, send, NULL));
	memset(&event, 0, sizeof(event));
	event.size = sizeof(event);
	event.vector = 2;
	event.payload = "abcdefgh";
	event.payload_len = 8;
	OK(app_shim_raise_event(&event));
	event.payload_len = 3;
	OK(app_shim_raise_event(&event));
	OK(app_shim_msgq_receive(queue, buffer, sizeof(buffer), 20 * SECOND,
				 &count));
	CHECK(count == 8 && memcmp(buffer, "abcdefgh", 8) == 0);
	OK(app_shim_msgq_receive(queue, buffer, 2, 20 * SECOND, &count));
	CHECK(count == 2);
	OK(app_shim_ring_room(ring, &count, &room));
	CHECK(count == 11 && room == 5);
	OK(app_shim_ring_get(ring, buffer, sizeof(buffer), &count));
	CHECK(count == 11 && memcmp(buffer, "abcdefghabc", 11) == 0);
	OK(app_shim_ring_put_ahead(ring, 'y', 1));
	OK(app_shim_ring_put_ahead(ring, 'x', 0));
	OK(app_shim_ring_move_ahead(ring, 2));
	OK(app_shim_ring_get(ring, buffer, sizeof(buffer), &count));
	CHECK(count == 2 && memcmp(buffer, "xy", 2) == 0);
	CHECK(app_shim_ring_put_ahead(ring, 'x', 16) == APP_SHIM_FULL);
	CHECK(app_shim_msgq_send(queue, buffer, 9, 0, 0) == APP_SHIM_TOO_LARGE);
	for (i = 0; i < 4; i++)
		OK(app_shim_msgq_send(queue, &"0123"[i], 1, 0,
				      i == 3 ? APP_SHIM_URGENT : 0));
	CHECK(app_shim_msgq_send(queue, buffer, 1, 0, 0) ==
	      APP_SHIM_UNAVAILABLE);
	CHECK(app_shim_msgq_send(queue, buffer, 1, SECOND / 100, 0) ==
	      APP_SHIM_TIMEOUT);
	for (i = 0; i < 4; i++) {
		OK(app_shim_msgq_receive(queue, buffer, 1, 0, &count));
		CHECK(buffer[0] == "3012"[i]);
	}

	/* Waiters by priority, whatever the order of their arrival. */
	spawn("low", 150, waiter, (void *)(long)'l');
	spawn("high", 50, waiter, (void *)(long)'h');
	spawn("middle", 120, waiter, (void *)(long)'m');
	OK(app_shim_delay(SECOND / 50));
	CHECK(app_shim_task_find("low", &id) == APP_SHIM_OK);
	OK(app_shim_task_name(id, buffer, sizeof(buffer)));
	CHECK(strcmp(buffer, "low") == 0);
	while (app_shim_task_state(id, &state) == APP_SHIM_OK &&
	       state != APP_SHIM_TASK_WAITING)
		app_shim_delay(1000000);
	for (i = 0; i < 3; i++)
		OK(app_shim_sem_give(counting));
	while (order_at < 3)
		app_shim_delay(1000000);
	CHECK(strcmp(order, "hml") == 0);
	order_at = 0;
	memset(order, 0, sizeof(order));

	/* Flushing lets all go; deleting says so. */
	spawn("a", 90, waiter, (void *)(long)'a');
	spawn("b", 90, waiter, (void *)(long)'b');
	OK(app_shim_sem_flush(counting));
	while (order_at < 2)
		app_shim_delay(1000000);
	OK(app_shim_sem_count(counting, &count));
	CHECK(count == 0);
	OK(app_shim_sem_create(APP_SHIM_SEM_COUNTING, 0, 0, &other));
	spawn("d", 90, deleted_waiter, &other);
	OK(app_shim_sem_delete(other));
	while (order_at < 3)
		app_shim_delay(1000000);
	CHECK(order[2] == 'd');
	CHECK(app_shim_sem_give(other) == APP_SHIM_NO_SUCH);

	/* Mutual exclusion, recursion and ownership. */
	order_at = 0;
	CHECK(app_shim_sem_give(mutex) == APP_SHIM_NOT_OWNER);
	spawn("m1", 101, mutual, &shared);
	spawn("m2", 101, mutual, &shared);
	id = spawn("m3", 101, mutual, &shared);
	while (app_shim_task_state(id, &state) == APP_SHIM_OK || shared < 3000)
		app_shim_delay(1000000);
	CHECK(shared == 3000);

	/* A mutex passes on priority. */
	OK(app_shim_sem_take(mutex, 0));
	id = spawn("urgent", 10, mutual, &shared);
	OK(app_shim_task_get_priority(0, &priority));
	CHECK(priority == 10);
	OK(app_shim_sem_give(mutex));
	OK(app_shim_task_get_priority(0, &priority));
	CHECK(priority == 100);
	while (app_shim_task_state(id, &state) == APP_SHIM_OK)
		app_shim_delay(1000000);

	/* A full queue makes senders wait. */
	spawn("consumer", 110, consumer, &sum);
	for (i = 0; i < 2000; i++) {
		long value = i;

		OK(app_shim_msgq_send(queue, &value, sizeof(value),
				      20 * SECOND, 0));
	}
	while (order_at < 1)
		app_shim_delay(1000000);
	CHECK(sum == 1999000);

	/* Watchdogs: once, anew, cancelled. */
	OK(app_shim_wd_start(watchdog, SECOND / 1000, fire, (void *)1));
	while (fired < 1)
		app_shim_delay(100000);
	OK(app_shim_wd_start(watchdog, 3600 * SECOND, fire, (void *)100));
	OK(app_shim_wd_start(watchdog, SECOND / 1000, fire, (void *)2));
	while (fired < 3)
		app_shim_delay(100000);
	i = app_shim_int_lock();
	OK(app_shim_wd_start(watchdog, 1000, fire, (void *)100));
	app_shim_delay_busy(SECOND / 50);
	OK(app_shim_wd_cancel(watchdog));
	app_shim_int_unlock(i);
	OK(app_shim_delay(SECOND / 100));
	CHECK(fired == 3);
	OK(app_shim_wd_delete(watchdog));
	CHECK(app_shim_wd_cancel(watchdog) == APP_SHIM_NO_SUCH);

	/* A clock. */
	CHECK(app_shim_clock_rate_get(APP_SHIM_CLOCK_SYSTEM) == 60);
	CHECK(app_shim_clock_rate_set(APP_SHIM_CLOCK_AUX, 0) ==
	      APP_SHIM_INVALID);
	OK(app_shim_clock_rate_set(APP_SHIM_CLOCK_AUX, 1000));
	OK(app_shim_clock_connect(APP_SHIM_CLOCK_AUX, tick, NULL));
	CHECK(ticks == 0);
	before = app_shim_clock_ns();
	OK(app_shim_clock_enable(APP_SHIM_CLOCK_AUX));
	while (ticks < 20)
		app_shim_delay(1000000);
	CHECK(app_shim_clock_ns() - before >= 20 * SECOND / 1000);
	OK(app_shim_clock_disable(APP_SHIM_CLOCK_AUX));
	OK(app_shim_clock_connect(APP_SHIM_CLOCK_AUX, NULL, NULL));
	OK(app_shim_tick_set(1000000));
	before = app_shim_tick_get();
	CHECK(before >= 1000000 && before < 1100000);

	/* A task that a flag of a routine ends; deleting, suspending. */
	fired = 0;
	OK(app_shim_connect(3, fire, (void *)1));
	spawn("raiser", 120, raiser, NULL);
	while (!fired)
		app_shim_delay(1000000);
	id = spawn("forever", 90, forever, NULL);
	CHECK(id != app_shim_task_self());
	OK(app_shim_task_suspend(id));
	OK(app_shim_task_state(id, &state));
	CHECK(state & APP_SHIM_TASK_STOPPED);
	OK(app_shim_task_resume(id));
	OK(app_shim_task_delete(id));
	CHECK(app_shim_task_state(id, &state) == APP_SHIM_NO_SUCH);

	/* Numbers. */
	stats.size = sizeof(stats);
	OK(app_shim_get_stats(&stats));
	CHECK(stats.raised == stats.served + stats.filtered + stats.missed +
				      stats.cleared + stats.unhandled +
				      stats.pending);
	CHECK(stats.cleared == 1);
	CHECK(app_shim_raise(77, 0) == APP_SHIM_NOT_CONNECTED);

	/* Nothing is written where nothing is said. */
	stats.size = 8;
	CHECK(app_shim_get_stats(&stats) == APP_SHIM_INVALID);
	CHECK(app_shim_get_stats(NULL) == APP_SHIM_NULL);
	CHECK(app_shim_connect(0, NULL, NULL) == APP_SHIM_NULL);
	CHECK(app_shim_connect(256, fire, NULL) == APP_SHIM_INVALID);
	CHECK(app_shim_sem_create(9, 0, 0, &id) == APP_SHIM_INVALID);
	CHECK(strcmp(app_shim_result_name(APP_SHIM_FULL), "APP_SHIM_FULL") == 0);
	CHECK(app_shim_map("nonsense") == APP_SHIM_MAP);
	OK(app_shim_last_error(buffer, sizeof(buffer)));
	CHECK(strstr(buffer, "line 1") != NULL);

	OK(app_shim_log("a %ld and %s\n", 42, (long)"text", 0, 0, 0, 0));
	OK(app_shim_log_text("plain\n", 6));
	OK(app_shim_log_flush());
	OK(app_shim_stop());
	return failures != 0;
}
