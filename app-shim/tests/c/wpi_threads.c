/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * In real time: routines that print and wait, a thread that waits for a pin, a
 * pin that moves fast while the program computes, a serial line.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wiringPi.h>
#include <wiringSerial.h>

#include "must.h"

enum { EDGES = 15000, WAITS = 20 };

static volatile int edges, waits, shared;

static void edge(void)
{
	edges++;
}

/* As if from outside: on a thread of its own. */
static PI_THREAD(world)
{
	int n;

	for (n = 1; n <= EDGES; n++) {
		/* No more than there is room for. */
		while (n - __atomic_load_n(&edges, __ATOMIC_SEQ_CST) > 500)
			sched_yield();
		app_shim_pin_raise(17, (uint32_t)n % 2, 0);
	}
	return NULL;
}

static PI_THREAD(waiter)
{
	while (waits < WAITS) {
		if (waitForInterrupt(1, 10000) != 1)
			exit(3);
		piLock(2);
		shared++;
		piUnlock(2);
		__atomic_fetch_add(&waits, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void flood(void)
{
	char text[64];
	int n = 0;

	CHECK(wiringPiISR(0, INT_EDGE_BOTH, edge) == 0);
	CHECK(piThreadCreate(world) == 0);
	while (edges < EDGES) {
		char *copy;

		snprintf(text, sizeof(text), "%d %u", n++, micros());
		copy = strdup(text);
		CHECK(copy != NULL && strcmp(copy, text) == 0);
		free(copy);
	}
	CHECK(edges == EDGES);
	wiringPiISRStop(0);
}

static void threads(void)
{
	int n;

	pullUpDnControl(1, PUD_DOWN);
	CHECK(piThreadCreate(waiter) == 0);
	for (n = 1; n <= WAITS; n++) {
		/* Its first call is what listens to the pin. */
		while (__atomic_load_n(&waits, __ATOMIC_SEQ_CST) < n) {
			piLock(2);
			shared++;
			piUnlock(2);
			app_shim_pin_raise(18, digitalRead(1) == LOW, 0);
			delay(1);
		}
	}
}

static volatile int done;

static void prints(void)
{
	unsigned long long before = app_shim_clock_ns();

	delay(3);
	CHECK(app_shim_clock_ns() - before >= 3000000);
	if (app_shim_mode() == APP_SHIM_MODE_THREAD)
		puts("a routine prints");
	done = 1;
}

static void routine(void)
{
	CHECK(wiringPiISR(3, INT_EDGE_RISING, prints) == 0);
	app_shim_pin_raise(22, 1, 0);
	while (!done)
		;
}

static int guarded[2];

static void locks_too(void)
{
	piLock(0);
	guarded[0]++;
	guarded[1]++;
	piUnlock(0);
	edges++;
}

static PI_THREAD(locker)
{
	int n;

	for (n = 0; n < 2000; n++) {
		piLock(0);
		guarded[0]++;
		sched_yield();
		guarded[1]++;
		piUnlock(0);
	}
	__atomic_fetch_add(&waits, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* The program, a thread and a routine want the same key. */
static void one_key(void)
{
	int n = 0;

	edges = waits = 0;
	CHECK(wiringPiISR(0, INT_EDGE_BOTH, locks_too) == 0);
	CHECK(piThreadCreate(world) == 0 && piThreadCreate(locker) == 0);
	while (edges < EDGES || waits == 0) {
		piLock(1);
		piLock(0);
		CHECK(guarded[0] == guarded[1]);
		guarded[0]++;
		/* Reading the time lets nobody in. */
		micros();
		if (n++ % 1000 == 0)
			delay(1);
		guarded[1]++;
		piUnlock(1);
		piUnlock(0);
	}
	CHECK(guarded[0] == n + 2000 + EDGES && guarded[1] == guarded[0]);
	wiringPiISRStop(0);
}

/* Interrupts do not end it. */
static void sleeping(void)
{
	unsigned long long before = app_shim_clock_ns();

	edges = 0;
	CHECK(wiringPiISR(0, INT_EDGE_BOTH, edge) == 0);
	CHECK(piThreadCreate(world) == 0);
	usleep(50000);
	CHECK(app_shim_clock_ns() - before >= 50000000);
	while (edges < EDGES)
		usleep(1000);
	wiringPiISRStop(0);
}

static void serial(void)
{
	int line = posix_openpt(O_RDWR | O_NOCTTY), fd;

	CHECK(line >= 0 && grantpt(line) == 0 && unlockpt(line) == 0);
	CHECK(serialOpen(ptsname(line), 12345) == -2);
	CHECK(serialOpen("/nonexistent", 9600) == -1);
	fd = serialOpen(ptsname(line), 9600);
	CHECK(fd >= 0);
	CHECK(write(line, "ab", 2) == 2);
	CHECK(serialGetchar(fd) == 'a' && serialDataAvail(fd) == 1);
	CHECK(serialGetchar(fd) == 'b');
	serialPrintf(fd, "%d-", 42);
	serialPuts(fd, "x");
	serialPutchar(fd, 'y');
	char text[8] = "";
	size_t got = 0;
	while (got < 5) {
		ssize_t n = read(line, text + got, 5 - got);
		CHECK(n > 0);
		got += (size_t)n;
	}
	CHECK(strcmp(text, "42-xy") == 0);
	serialClose(fd);
	close(line);
}

int main(void)
{
	CHECK(wiringPiSetup() == 0);
	flood();
	threads();
	routine();
	one_key();
	sleeping();
	serial();
	/* Refused where one may not, which is no error here. */
	(void)!piHiPri(10);
	puts("done");
	return 0;
}
