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

#define sleep_enable() ((void)0)
#define sleep_disable() ((void)0)
#define sleep_bod_disable() ((void)0)

static __inline__ __attribute__((__unused__)) void sleep_cpu(void)
{
	app_shim_stats before, now;

	before.size = now.size = sizeof(now);
	app_shim_arduino_pass(0);
	app_shim_get_stats(&before);
	do {
		if (app_shim_arduino.is_virtual)
			app_shim_arduino_idle(1000000);
		else
			app_shim_wait_any(1000000);
		app_shim_arduino_pass(0);
		app_shim_get_stats(&now);
	} while (now.served == before.served);
}

static __inline__ __attribute__((__unused__)) void sleep_mode(void)
{
	sleep_cpu();
}

#endif /* _AVR_SLEEP_H_ */
