/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wdt.c: the watchdog, which interrupts, or resets, or the one after the other. */
#include "model.h"

enum { WDE = 0x08, WDCE = 0x10, WDIE = 0x40, WDIF = 0x80 };

static uint64_t timeout_ns(void)
{
	unsigned n = (R(WDTCSR) & 7) | (R(WDTCSR) >> 2 & 8);

	/* 2048 periods of 128 kHz, and so on. */
	return 16000000ULL << (n > 9 ? 9 : n);
}

static void arm(void)
{
	if (R(WDTCSR) & (WDE | WDIE))
		app_shim_timer_set(WATCHDOG, timeout_ns(), 0);
	else
		app_shim_timer_cancel(WATCHDOG);
}

static void expired(void *argument)
{
	(void)argument;
	if (R(WDTCSR) & WDIE) {
		R(WDTCSR) |= WDIF;
		avr_request(WDT, 0);
	} else if (R(WDTCSR) & WDE) {
		app_shim_avr_reset(0x08);
	}
	arm();
}

void avr_wdt_serve(void)
{
	R(WDTCSR) &= (uint8_t)~WDIF;
	/* With a reset configured, the next timeout is that. */
	if (R(WDTCSR) & WDE)
		R(WDTCSR) &= (uint8_t)~WDIE;
}

void avr_wdt_write(uint8_t before)
{
	uint8_t value = R(WDTCSR);

	if (!(before & WDCE)) {
		/* WDE can be set but not cleared, the rest of the time stays. */
		value = (uint8_t)((value & (WDCE | WDIE)) | (before & 0x27) |
				  ((value | before) & WDE) |
				  (value & WDIF ? 0 : before & WDIF));
	} else {
		value = (uint8_t)((value & (WDIE | WDE | 0x27)) |
				  (value & WDIF ? 0 : before & WDIF));
	}
	R(WDTCSR) = value;
	if (!(value & WDCE))
		arm();
}

void app_shim_avr_wdr(void)
{
	int32_t key = app_shim_int_lock();

	arm();
	app_shim_int_unlock(key);
}

void avr_wdt_start(void)
{
	app_shim_vector_set(WATCHDOG, expired, NULL, NULL, NULL);
}
