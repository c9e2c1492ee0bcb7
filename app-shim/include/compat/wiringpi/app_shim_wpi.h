/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The core of the wiringPi facade: starting the controller, numbers of pins,
 * interrupts, time that passes. wiringPi.h has what programs call.
 *
 * Functions are weak definitions, so every source may include this and nothing
 * but the library has to be linked. The controller's pins are BCM numbers, 0 to
 * 63. The interrupt of pin n is vector n; vector 64 + n debounces it.
 */
#ifndef APP_SHIM_WPI_H
#define APP_SHIM_WPI_H

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../app_shim.h"

#define APP_SHIM_WPI_WEAK __attribute__((__weak__))

#define APP_SHIM_WPI_PINS 64
#define APP_SHIM_WPI_DEBOUNCE_VECTOR 64

#ifdef __cplusplus
extern "C" {
#endif

struct WPIWfiStatus {
	/* -1: error, 0: timeout, 1: there was one. */
	int statusOK;
	unsigned int pinBCM;
	/* INT_EDGE_FALLING or INT_EDGE_RISING. */
	int edge;
	/* Of CLOCK_MONOTONIC. */
	long long int timeStamp_us;
};

struct app_shim_wpi_pin {
	void (*function)(void);
	void (*function2)(struct WPIWfiStatus status, void *data);
	void *data;
	/* Which edges are wanted; 0: none. */
	int edge;
	uint64_t debounce_ns;
	/* The level that was last told of, where it is debounced. */
	volatile int level;
	/* Given for each interrupt, for waitForInterrupt(). */
	app_shim_id event;
	volatile long long last_us;
	volatile int last_edge;
	/* The level that it has as an output, now or later. */
	int latch;
	int pwm, mode;
};

struct app_shim_wpi {
	volatile int begun;
	int is_virtual;
	/* Uptime at which the program ends; 0: never. */
	uint64_t end_ns;
	/* Time of the setup call. */
	uint64_t epoch_ns;
	/* How the program numbers pins: WPI_MODE_* + 1; 0: no setup yet. */
	int numbering;
	int pwm_range;
	struct app_shim_wpi_pin pin[APP_SHIM_WPI_PINS];
};

APP_SHIM_WPI_WEAK struct app_shim_wpi app_shim_wpi;

/* In the library; a program gets it with -Wl,-u,replay_start. */
void replay_start(uint32_t priority, uint32_t serial_vector,
		  uint32_t key_vector) __attribute__((__weak__));

APP_SHIM_WPI_WEAK void app_shim_wpi_fail(const char *what)
{
	char text[256] = "";

	app_shim_last_error(text, sizeof(text));
	fprintf(stderr, "app-shim: %s: %s\n", what, text);
	exit(2);
}

/* "1500ms", "20s", "300us". */
APP_SHIM_WPI_WEAK uint64_t app_shim_wpi_read_time(const char *text)
{
	char *unit;
	uint64_t number = strtoull(text, &unit, 10);

	if (strcmp(unit, "us") == 0)
		return number * 1000u;
	if (strcmp(unit, "ms") == 0)
		return number * 1000000u;
	if (strcmp(unit, "s") == 0)
		return number * 1000000000u;
	fprintf(stderr, "APP_SHIM_WIRINGPI_END: %s?\n", text);
	exit(2);
}

APP_SHIM_WPI_WEAK int app_shim_wpi_begin(int numbering)
{
	struct app_shim_wpi *me = &app_shim_wpi;
	const char *end = getenv("APP_SHIM_WIRINGPI_END");

	me->numbering = numbering + 1;
	if (me->begun)
		return 0;
	me->begun = 1;
	if (app_shim_ensure(NULL) != APP_SHIM_OK)
		app_shim_wpi_fail("start");
	me->is_virtual = app_shim_clock_advance(0) == APP_SHIM_OK;
	me->epoch_ns = app_shim_now_ns();
	me->pwm_range = 1024;
	if (end != NULL && *end != '\0')
		me->end_ns = app_shim_wpi_read_time(end);
	if (replay_start != NULL)
		replay_start(APP_SHIM_PRIORITY_MAX, 0, 0);
	return 0;
}

APP_SHIM_WPI_WEAK uint64_t app_shim_wpi_uptime(void)
{
	uint64_t now = app_shim_now_ns();

	/* An event may have happened before the setup. */
	return now > app_shim_wpi.epoch_ns ? now - app_shim_wpi.epoch_ns : 0;
}

/*
 * A call of the facade; in virtual time it takes so long, so that loops that
 * wait for a time or a level come to an end.
 */
APP_SHIM_WPI_WEAK void app_shim_wpi_pass(uint64_t ns)
{
	struct app_shim_wpi *me = &app_shim_wpi;

	if (app_shim_in_isr())
		return;
	if (me->is_virtual && ns > 0)
		app_shim_clock_advance(ns);
	if (me->end_ns != 0 && app_shim_wpi_uptime() >= me->end_ns) {
		app_shim_stop();
		exit(0);
	}
}

/* ---- Numbers of pins -------------------------------------------------- */

APP_SHIM_WPI_WEAK int app_shim_wpi_of_wiring(int pin)
{
	static const signed char bcm[32] = {
		17, 18, 27, 22, 23, 24, 25, 4,	2,  3,	8, 7, 10, 9, 11, 14,
		15, 28, 29, 30, 31, 5,	6,  13, 19, 26, 12, 16, 20, 21, 0, 1
	};

	return pin >= 0 && pin < 32 ? bcm[pin] : -1;
}

APP_SHIM_WPI_WEAK int app_shim_wpi_of_header(int pin)
{
	static const signed char bcm[64] = {
		-1, -1, -1, 2,	-1, 3,	-1, 4,	14, -1, 15, 17, 18, 27, -1, 22,
		23, -1, 24, 10, -1, 9,	25, 11, 8,  -1, 7,  0,	1,  5,	-1, 6,
		12, 13, -1, 19, 16, 26, 20, -1, 21, -1, -1, -1, -1, -1, -1, -1,
		-1, -1, -1, 28, 29, 30, 31, -1, -1, -1, -1, -1, -1, -1, -1, -1
	};

	return pin >= 0 && pin < 64 ? bcm[pin] : -1;
}

/* The BCM number of what the program calls a pin; -1: none. */
APP_SHIM_WPI_WEAK int app_shim_wpi_bcm(int pin)
{
	static const char early[] =
		"wiringPi: a pin is used before wiringPiSetup()\n";

	switch (app_shim_wpi.numbering - 1) {
	case 0: /* WPI_MODE_PINS */
		return app_shim_wpi_of_wiring(pin);
	case 1: /* WPI_MODE_GPIO */
	case 2: /* WPI_MODE_GPIO_SYS */
		return pin >= 0 && pin < APP_SHIM_WPI_PINS ? pin : -1;
	case 3: /* WPI_MODE_PHYS */
		return app_shim_wpi_of_header(pin);
	default:
		fputs(early, stderr);
		return -1;
	}
}

/* An output shows it at once, an input when it becomes one. */
APP_SHIM_WPI_WEAK void app_shim_wpi_put(int bcm, int level)
{
	app_shim_wpi.pin[bcm].latch = level;
	/* There, writing to an input does not touch its resistors. */
	if (app_shim_pin_get_mode((uint32_t)bcm) == APP_SHIM_PIN_OUTPUT)
		app_shim_pin_write((uint32_t)bcm, (uint32_t)level);
}

/* ---- Interrupts ------------------------------------------------------- */

/* Tells the program of an edge. */
APP_SHIM_WPI_WEAK void app_shim_wpi_tell(uint32_t bcm, int level)
{
	struct app_shim_wpi_pin *pin = &app_shim_wpi.pin[bcm];
	void (*function)(void) = pin->function;
	void (*function2)(struct WPIWfiStatus, void *) = pin->function2;
	struct WPIWfiStatus status;

	status.statusOK = 1;
	status.pinBCM = bcm;
	status.edge = level ? 2 : 1;
	status.timeStamp_us = (long long)(app_shim_now_ns() / 1000u);
	pin->last_us = status.timeStamp_us;
	pin->last_edge = status.edge;
	if (pin->event != 0)
		app_shim_sem_give(pin->event);
	if (function2 != NULL)
		function2(status, pin->data);
	else if (function != NULL)
		function();
}

/* A level has been the same for as long as is asked for. */
APP_SHIM_WPI_WEAK void app_shim_wpi_settled(void *argument)
{
	uint32_t bcm = (uint32_t)(size_t)argument;
	struct app_shim_wpi_pin *pin = &app_shim_wpi.pin[bcm];
	int level = app_shim_pin_read(bcm);

	if (level == pin->level || pin->edge == 0)
		return;
	pin->level = level;
	if (pin->edge == 3 || pin->edge == (level ? 2 : 1))
		app_shim_wpi_tell(bcm, level);
}

APP_SHIM_WPI_WEAK void app_shim_wpi_served(void *argument)
{
	uint32_t bcm = (uint32_t)(size_t)argument;
	struct app_shim_wpi_pin *pin = &app_shim_wpi.pin[bcm];

	if (pin->debounce_ns > 0)
		app_shim_timer_set(APP_SHIM_WPI_DEBOUNCE_VECTOR + bcm,
				   pin->debounce_ns, 0);
	else
		app_shim_wpi_tell(bcm, app_shim_pin_read(bcm));
}

/* Has a pin's edges served: 1 falling, 2 rising, 3 both. */
APP_SHIM_WPI_WEAK int app_shim_wpi_listen(int bcm, int edge,
					  uint64_t debounce_ns)
{
	struct app_shim_wpi_pin *pin = &app_shim_wpi.pin[bcm];
	uint32_t n = (uint32_t)bcm, how = APP_SHIM_EDGE_CHANGE;
	void *argument = (void *)(size_t)n;
	app_shim_result result;

	result = app_shim_connect(n, app_shim_wpi_served, argument);
	if (result != APP_SHIM_OK && result != APP_SHIM_BUSY)
		return -1;
	if (debounce_ns > 0) {
		result = app_shim_connect(APP_SHIM_WPI_DEBOUNCE_VECTOR + n,
					  app_shim_wpi_settled, argument);
		if (result != APP_SHIM_OK && result != APP_SHIM_BUSY)
			return -1;
	}
	if (pin->event == 0 && !app_shim_in_isr() &&
	    app_shim_sem_create(APP_SHIM_SEM_COUNTING, 0, 0, &pin->event) !=
		    APP_SHIM_OK)
		return -1;
	if (debounce_ns == 0 && edge != 3)
		how = edge == 1 ? APP_SHIM_EDGE_FALLING : APP_SHIM_EDGE_RISING;
	pin->edge = edge;
	pin->debounce_ns = debounce_ns;
	pin->level = app_shim_pin_read(n);
	return app_shim_pin_attach(n, n, how) == APP_SHIM_OK ? 0 : -1;
}

/* 1: an interrupt, 0: the time is up, -1: no. */
APP_SHIM_WPI_WEAK int app_shim_wpi_await(int bcm, int ms)
{
	struct app_shim_wpi *me = &app_shim_wpi;
	app_shim_id event = me->pin[bcm].event;
	uint64_t left = (uint64_t)(ms < 0 ? 0 : ms) * 1000000u, next;
	app_shim_result result;

	while (me->is_virtual) {
		result = app_shim_sem_take(event, APP_SHIM_NO_WAIT);
		if (result == APP_SHIM_OK)
			return 1;
		if (result != APP_SHIM_UNAVAILABLE)
			return -1;
		if (ms >= 0 && left == 0)
			return 0;
		if (app_shim_clock_next(&next) != APP_SHIM_OK)
			next = 1000000;
		if (ms >= 0 && next > left)
			next = left;
		/* What is due at this very moment takes no time. */
		app_shim_wpi_pass(next > 0 ? next : 1);
		left -= next < left ? next : left;
	}
	result = app_shim_sem_take(event, ms < 0 ? APP_SHIM_FOREVER :
						   (int64_t)left);
	app_shim_wpi_pass(0);
	if (result == APP_SHIM_OK)
		return 1;
	return result == APP_SHIM_TIMEOUT || result == APP_SHIM_UNAVAILABLE ?
		       0 :
		       -1;
}

/* ---- Waiting ---------------------------------------------------------- */

/* Waits on the system's clock, however many signals arrive. */
APP_SHIM_WPI_WEAK void app_shim_wpi_wait_out(uint64_t ns)
{
	uint64_t until = app_shim_clock_ns() + ns, now;

	while ((now = app_shim_clock_ns()) < until) {
		if (until - now >= 2000000)
			poll(NULL, 0, (int)((until - now) / 1000000u % 1000000u));
		else
			app_shim_delay_busy(until - now);
	}
}

/* Without letting go of anything: a routine, or who has interrupts locked. */
APP_SHIM_WPI_WEAK void app_shim_wpi_wait_here(uint64_t ns)
{
	/* Where a routine has interrupted the program, that goes on standing still. */
	if (app_shim_wpi.is_virtual || app_shim_mode() != APP_SHIM_MODE_THREAD)
		app_shim_delay_busy(ns);
	else
		app_shim_wpi_wait_out(ns);
}

APP_SHIM_WPI_WEAK void app_shim_wpi_wait(uint64_t ns)
{
	struct app_shim_wpi *me = &app_shim_wpi;
	uint64_t now;

	if (app_shim_in_isr()) {
		app_shim_wpi_wait_here(ns);
		return;
	}
	app_shim_wpi_pass(0);
	if (me->end_ns != 0) {
		now = app_shim_wpi_uptime();
		if (now < me->end_ns && ns > me->end_ns - now)
			ns = me->end_ns - now;
	}
	if (app_shim_level_get() > 0)
		app_shim_wpi_wait_here(ns);
	else if (ns < 100000 && !me->is_virtual)
		app_shim_delay_busy(ns);
	else
		app_shim_delay(ns);
	app_shim_wpi_pass(0);
}

/*
 * The system's own calls for that end when a signal arrives, which in preempt mode
 * each interrupt is, and know nothing of virtual time. So programs get these.
 */
APP_SHIM_WPI_WEAK void app_shim_wpi_sleep(uint64_t ns)
{
	if (app_shim_wpi.begun)
		app_shim_wpi_wait(ns);
	else
		app_shim_wpi_wait_out(ns);
}

APP_SHIM_WPI_WEAK unsigned int sleep(unsigned int seconds)
{
	app_shim_wpi_sleep((uint64_t)seconds * 1000000000u);
	return 0;
}

APP_SHIM_WPI_WEAK int usleep(unsigned int us)
{
	app_shim_wpi_sleep((uint64_t)us * 1000u);
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_WPI_H */
