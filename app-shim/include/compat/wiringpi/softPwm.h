/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * softPwm.h: pulse width modulation by a timer, in steps of 100 us: a period has
 * as many as the range. Vector 128 + the pin's BCM number.
 */
#ifndef __SOFT_PWM_H__
#define __SOFT_PWM_H__

#include "wiringPi.h"

#define APP_SHIM_WPI_SOFT_VECTOR 128

#ifdef __cplusplus
extern "C" {
#endif

struct app_shim_wpi_soft {
	volatile int range, value;
	int level;
};

APP_SHIM_WPI_WEAK struct app_shim_wpi_soft
	app_shim_wpi_softs[APP_SHIM_WPI_PINS];

/* The end of one part of a period. */
APP_SHIM_WPI_WEAK void app_shim_wpi_soft_served(void *argument)
{
	uint32_t bcm = (uint32_t)(size_t)argument;
	struct app_shim_wpi_soft *soft = &app_shim_wpi_softs[bcm];
	int steps;

	if (soft->range <= 0)
		return;
	soft->level = !soft->level;
	if (soft->value >= soft->range)
		soft->level = 1;
	else if (soft->value <= 0)
		soft->level = 0;
	app_shim_pin_write(bcm, (uint32_t)soft->level);
	steps = soft->value <= 0 || soft->value >= soft->range ?
			soft->range :
		soft->level ? soft->value :
			      soft->range - soft->value;
	app_shim_timer_set(APP_SHIM_WPI_SOFT_VECTOR + bcm,
			   (uint64_t)steps * 100000u, 0);
}

APP_SHIM_WPI_WEAK int softPwmCreate(int pin, int value, int range)
{
	int bcm = app_shim_wpi_bcm(pin);
	struct app_shim_wpi_soft *soft;

	if (bcm < 0 || range <= 0 || app_shim_wpi_softs[bcm].range > 0)
		return -1;
	soft = &app_shim_wpi_softs[bcm];
	pinMode(pin, OUTPUT);
	soft->value = value;
	soft->range = range;
	soft->level = 0;
	app_shim_connect(APP_SHIM_WPI_SOFT_VECTOR + (uint32_t)bcm,
			 app_shim_wpi_soft_served, (void *)(size_t)bcm);
	return app_shim_timer_set(APP_SHIM_WPI_SOFT_VECTOR + (uint32_t)bcm, 1000,
				  0) == APP_SHIM_OK ?
		       0 :
		       -1;
}

APP_SHIM_WPI_WEAK void softPwmWrite(int pin, int value)
{
	int bcm = app_shim_wpi_bcm(pin);

	app_shim_wpi_pass(0);
	if (bcm >= 0)
		app_shim_wpi_softs[bcm].value = value;
}

APP_SHIM_WPI_WEAK void softPwmStop(int pin)
{
	int bcm = app_shim_wpi_bcm(pin);

	if (bcm < 0)
		return;
	app_shim_wpi_softs[bcm].range = 0;
	app_shim_timer_cancel(APP_SHIM_WPI_SOFT_VECTOR + (uint32_t)bcm);
	digitalWrite(pin, LOW);
}

#ifdef __cplusplus
}
#endif

#endif /* __SOFT_PWM_H__ */
