/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* util/delay_basic.h: loops of 3 and 4 cycles. */
#ifndef _UTIL_DELAY_BASIC_H_
#define _UTIL_DELAY_BASIC_H_ 1

#include <avr/io.h>

static __inline__ __attribute__((__unused__)) void _delay_loop_1(uint8_t count)
{
	app_shim_avr_delay_cycles(3.0 * (count ? count : 256));
}

static __inline__ __attribute__((__unused__)) void _delay_loop_2(uint16_t count)
{
	app_shim_avr_delay_cycles(4.0 * (count ? count : 65536));
}

#endif /* _UTIL_DELAY_BASIC_H_ */
