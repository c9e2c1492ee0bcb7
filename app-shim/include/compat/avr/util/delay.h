/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* util/delay.h: waiting without leaving the CPU; interrupt routines run. */
#ifndef _UTIL_DELAY_H_
#define _UTIL_DELAY_H_ 1

#include <avr/io.h>

#include <avr/fcpu.h>

#include <util/delay_basic.h>

static __inline__ __attribute__((__unused__)) void _delay_us(double us)
{
	app_shim_avr_delay_ns(us * 1e3);
}

static __inline__ __attribute__((__unused__)) void _delay_ms(double ms)
{
	app_shim_avr_delay_ns(ms * 1e6);
}

#endif /* _UTIL_DELAY_H_ */
