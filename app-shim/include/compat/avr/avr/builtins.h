/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/builtins.h: built-in functions of the AVR's compiler. */
#ifndef _AVR_BUILTINS_H_
#define _AVR_BUILTINS_H_ 1

#include <avr/io.h>

#define __builtin_avr_sei() app_shim_avr_sei()
#define __builtin_avr_cli() app_shim_avr_cli()
#define __builtin_avr_sleep() app_shim_avr_sleep()
#define __builtin_avr_wdr() app_shim_avr_wdr()
#define __builtin_avr_nop() __asm__ __volatile__("nop")
#define __builtin_avr_swap(b)                                                  \
	((uint8_t)((uint8_t)(b) << 4 | (uint8_t)(b) >> 4))
#define __builtin_avr_delay_cycles(n)                                          \
	app_shim_avr_delay_cycles((double)(n))

#endif /* _AVR_BUILTINS_H_ */
