/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/power.h: the power reduction register is memory; the clock stays. */
#ifndef _AVR_POWER_H_
#define _AVR_POWER_H_ 1

#include <avr/io.h>

#define power_adc_enable() ((void)(PRR = (uint8_t)(PRR & ~_BV(PRADC))))
#define power_adc_disable() ((void)(PRR = (uint8_t)(PRR | _BV(PRADC))))
#define power_spi_enable() ((void)(PRR = (uint8_t)(PRR & ~_BV(PRSPI))))
#define power_spi_disable() ((void)(PRR = (uint8_t)(PRR | _BV(PRSPI))))
#define power_twi_enable() ((void)(PRR = (uint8_t)(PRR & ~_BV(PRTWI))))
#define power_twi_disable() ((void)(PRR = (uint8_t)(PRR | _BV(PRTWI))))
#define power_usart0_enable() ((void)(PRR = (uint8_t)(PRR & ~_BV(PRUSART0))))
#define power_usart0_disable() ((void)(PRR = (uint8_t)(PRR | _BV(PRUSART0))))
#define power_timer0_enable() ((void)(PRR = (uint8_t)(PRR & ~_BV(PRTIM0))))
#define power_timer0_disable() ((void)(PRR = (uint8_t)(PRR | _BV(PRTIM0))))
#define power_timer1_enable() ((void)(PRR = (uint8_t)(PRR & ~_BV(PRTIM1))))
#define power_timer1_disable() ((void)(PRR = (uint8_t)(PRR | _BV(PRTIM1))))
#define power_timer2_enable() ((void)(PRR = (uint8_t)(PRR & ~_BV(PRTIM2))))
#define power_timer2_disable() ((void)(PRR = (uint8_t)(PRR | _BV(PRTIM2))))
#define power_all_enable() ((void)(PRR = (uint8_t)(PRR & ~0xef)))
#define power_all_disable() ((void)(PRR = (uint8_t)(PRR | 0xef)))

typedef enum {
	clock_div_1 = 0,
	clock_div_2 = 1,
	clock_div_4 = 2,
	clock_div_8 = 3,
	clock_div_16 = 4,
	clock_div_32 = 5,
	clock_div_64 = 6,
	clock_div_128 = 7,
	clock_div_256 = 8
} clock_div_t;

/* What is noted is read back; F_CPU says how fast the clock is. */
#define clock_prescale_set(x) ((void)(CLKPR = (uint8_t)(x)))
#define clock_prescale_get() ((clock_div_t)(CLKPR & 0x0f))

#endif /* _AVR_POWER_H_ */
