/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/sleep.h: the processor sleeps until a service routine has run. */
#ifndef _AVR_SLEEP_H_
#define _AVR_SLEEP_H_

#include "interrupt.h"

#define SLEEP_MODE_IDLE 0
#define SLEEP_MODE_ADC 1
#define SLEEP_MODE_PWR_DOWN 2
#define SLEEP_MODE_PWR_SAVE 3
#define SLEEP_MODE_STANDBY 6
#define SLEEP_MODE_EXT_STANDBY 7

/* All modes sleep alike. */
static __inline__ __attribute__((__unused__)) void set_sleep_mode(int mode)
{
	(void)mode;
}

/* How many service routines had run when sleep_enable() was called last; 0: it was not. */
__attribute__((__weak__)) uint64_t app_shim_arduino_awake;

static __inline__ __attribute__((__unused__)) uint64_t
app_shim_arduino_served_so_far(void)
{
	app_shim_stats stats;

	stats.size = sizeof(stats);
	return app_shim_get_stats(&stats) == APP_SHIM_OK ? stats.served + 1 : 1;
}

static __inline__ __attribute__((__unused__)) void sleep_enable(void)
{
	app_shim_arduino_pass(0);
	app_shim_arduino_awake = app_shim_arduino_served_so_far();
}

#define sleep_disable() ((void)0)
#define sleep_bod_disable() ((void)0)

/*
 * There, what is pending when interrupts are turned on just before this wakes the
 * processor; here, what has run since sleep_enable() does.
 */
static __inline__ __attribute__((__unused__)) void sleep_cpu(void)
{
	uint64_t before = app_shim_arduino_awake;

	app_shim_arduino_pass(0);
	if (before == 0)
		before = app_shim_arduino_served_so_far();
	app_shim_arduino_awake = 0;
	while (app_shim_arduino_served_so_far() == before) {
		if (app_shim_arduino.is_virtual)
			app_shim_arduino_idle(1000000);
		else
			app_shim_wait_any(1000000);
		app_shim_arduino_pass(0);
	}
}

static __inline__ __attribute__((__unused__)) void sleep_mode(void)
{
	sleep_enable();
	sleep_cpu();
}

#endif /* _AVR_SLEEP_H_ */
