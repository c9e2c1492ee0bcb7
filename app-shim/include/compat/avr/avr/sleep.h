/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/sleep.h: every mode sleeps until an interrupt routine has run. */
#ifndef _AVR_SLEEP_H_
#define _AVR_SLEEP_H_ 1

#include <avr/io.h>

#define _SLEEP_ENABLE_MASK _BV(SE)
#define _SLEEP_TYPE_MASK (_BV(SM0) | _BV(SM1) | _BV(SM2))

#define set_sleep_mode(mode)                                                   \
	do {                                                                       \
		SMCR = (uint8_t)((SMCR & ~_SLEEP_TYPE_MASK) | (mode));                 \
	} while (0)
#define sleep_enable()                                                         \
	do {                                                                       \
		SMCR = (uint8_t)(SMCR | _SLEEP_ENABLE_MASK);                           \
	} while (0)
#define sleep_disable()                                                        \
	do {                                                                       \
		SMCR = (uint8_t)(SMCR & ~_SLEEP_ENABLE_MASK);                          \
	} while (0)
#define sleep_cpu()                                                            \
	do {                                                                       \
		if (SMCR & _SLEEP_ENABLE_MASK)                                         \
			app_shim_avr_sleep();                                              \
	} while (0)
#define sleep_mode()                                                           \
	do {                                                                       \
		sleep_enable();                                                        \
		sleep_cpu();                                                           \
		sleep_disable();                                                       \
	} while (0)
#define sleep_bod_disable()                                                    \
	do {                                                                       \
		MCUCR = (uint8_t)(MCUCR | _BV(BODS));                                  \
	} while (0)

#endif /* _AVR_SLEEP_H_ */
