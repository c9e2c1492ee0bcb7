/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* util/atomic.h: blocks that interrupts do not enter, or do. */
#ifndef _UTIL_ATOMIC_H_
#define _UTIL_ATOMIC_H_

#include "../avr/interrupt.h"

/* Run at the end of the block, however it is left. */
static __inline__ __attribute__((__unused__)) void
app_shim_arduino_block_restore(const int32_t *level)
{
	app_shim_level_set(*level);
}

static __inline__ __attribute__((__unused__)) void
app_shim_arduino_block_on(const int32_t *level)
{
	(void)level;
	interrupts();
}

static __inline__ __attribute__((__unused__)) void
app_shim_arduino_block_off(const int32_t *level)
{
	(void)level;
	noInterrupts();
}

static __inline__ __attribute__((__unused__)) int32_t
app_shim_arduino_block_begin(int on)
{
	int32_t level;

	app_shim_arduino_pass(0);
	level = app_shim_level_get();
	if (on)
		interrupts();
	else
		noInterrupts();
	return level;
}

#define ATOMIC_RESTORESTATE app_shim_arduino_block_restore
#define ATOMIC_FORCEON app_shim_arduino_block_on
#define NONATOMIC_RESTORESTATE app_shim_arduino_block_restore
#define NONATOMIC_FORCEOFF app_shim_arduino_block_off

#define APP_SHIM_ARDUINO_BLOCK(at_end, on)                                     \
	for (int32_t app_shim_arduino_was __attribute__(                       \
		     (__unused__, __cleanup__(at_end))) =                      \
		     app_shim_arduino_block_begin(on),                         \
		     app_shim_arduino_once = 1;                                \
	     app_shim_arduino_once; app_shim_arduino_once = 0)

#define ATOMIC_BLOCK(at_end) APP_SHIM_ARDUINO_BLOCK(at_end, 0)
#define NONATOMIC_BLOCK(at_end) APP_SHIM_ARDUINO_BLOCK(at_end, 1)

#endif /* _UTIL_ATOMIC_H_ */
