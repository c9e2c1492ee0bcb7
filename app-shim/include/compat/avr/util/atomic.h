/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* util/atomic.h: blocks that interrupts do not enter, or do. */
#ifndef _UTIL_ATOMIC_H_
#define _UTIL_ATOMIC_H_ 1

#include <avr/interrupt.h>
#include <avr/io.h>

/* Runs at the end of the block, however it is left. */
static __inline__ __attribute__((__unused__)) void
app_shim_avr_atomic_restore(const uint8_t *sreg)
{
	app_shim_avr_set_sreg(*sreg);
}

static __inline__ __attribute__((__unused__)) void
app_shim_avr_atomic_on(const uint8_t *unused)
{
	(void)unused;
	app_shim_avr_sei();
}

static __inline__ __attribute__((__unused__)) void
app_shim_avr_atomic_off(const uint8_t *unused)
{
	(void)unused;
	app_shim_avr_cli();
}

#define ATOMIC_RESTORESTATE app_shim_avr_atomic_restore
#define ATOMIC_FORCEON app_shim_avr_atomic_on
#define NONATOMIC_RESTORESTATE app_shim_avr_atomic_restore
#define NONATOMIC_FORCEOFF app_shim_avr_atomic_off

#define APP_SHIM_AVR_BLOCK(at_end, begin)                                      \
	for (uint8_t app_shim_avr_sreg_was __attribute__((                \
		     __unused__, __cleanup__(at_end))) =                               \
		     begin(),                                                          \
		     app_shim_avr_once = 1;                                            \
	     app_shim_avr_once; app_shim_avr_once = 0)

#define ATOMIC_BLOCK(type) APP_SHIM_AVR_BLOCK(type, app_shim_avr_block)
#define NONATOMIC_BLOCK(type) APP_SHIM_AVR_BLOCK(type, app_shim_avr_unblock)

#endif /* _UTIL_ATOMIC_H_ */
