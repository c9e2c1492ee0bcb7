/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* softTone.h: square waves by a timer, on vector 192 + the pin's BCM number. */
#ifndef __SOFT_TONE_H__
#define __SOFT_TONE_H__

#include "wiringPi.h"

#define APP_SHIM_WPI_TONE_VECTOR 192

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_WPI_WEAK void app_shim_wpi_tone_served(void *argument)
{
	uint32_t bcm = (uint32_t)(size_t)argument;

	app_shim_pin_write(bcm, app_shim_pin_read(bcm) != 1);
}

/* Pins up to 62: vector 255 is for replaying. */
APP_SHIM_WPI_WEAK int softToneCreate(int pin)
{
	int bcm = app_shim_wpi_bcm(pin);

	if (bcm < 0 || bcm > 62)
		return -1;
	pinMode(pin, OUTPUT);
	digitalWrite(pin, LOW);
	return app_shim_connect(APP_SHIM_WPI_TONE_VECTOR + (uint32_t)bcm,
				app_shim_wpi_tone_served,
				(void *)(size_t)bcm) == APP_SHIM_OK ?
		       0 :
		       -1;
}

/* 0 to 5000 Hz; 0: silence. */
APP_SHIM_WPI_WEAK void softToneWrite(int pin, int freq)
{
	int bcm = app_shim_wpi_bcm(pin);
	uint64_t half;

	app_shim_wpi_pass(0);
	if (bcm < 0 || bcm > 62)
		return;
	app_shim_timer_cancel(APP_SHIM_WPI_TONE_VECTOR + (uint32_t)bcm);
	if (freq > 5000)
		freq = 5000;
	if (freq <= 0) {
		digitalWrite(pin, LOW);
		return;
	}
	half = 500000000u / (uint64_t)freq;
	app_shim_timer_set(APP_SHIM_WPI_TONE_VECTOR + (uint32_t)bcm, half, half);
}

APP_SHIM_WPI_WEAK void softToneStop(int pin)
{
	int bcm = app_shim_wpi_bcm(pin);

	softToneWrite(pin, 0);
	if (bcm >= 0 && bcm <= 62)
		app_shim_disconnect(APP_SHIM_WPI_TONE_VECTOR + (uint32_t)bcm);
}

#ifdef __cplusplus
}
#endif

#endif /* __SOFT_TONE_H__ */
