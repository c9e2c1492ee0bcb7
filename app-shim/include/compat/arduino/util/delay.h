/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* util/delay.h: busy waiting. */
#ifndef _UTIL_DELAY_H_
#define _UTIL_DELAY_H_

#include "../app_shim_arduino.h"

static __inline__ __attribute__((__unused__)) void _delay_ms(double ms)
{
	app_shim_arduino_wait((uint64_t)(ms * 1e6), 1);
}

static __inline__ __attribute__((__unused__)) void _delay_us(double us)
{
	app_shim_arduino_wait((uint64_t)(us * 1e3), 1);
}

#endif /* _UTIL_DELAY_H_ */
