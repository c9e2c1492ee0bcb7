/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * app_shim_avr.h: an ATmega328P as far as programs see it: what the headers in
 * compat/avr call, and what feeds the model and listens to it.
 *
 * The code is in app-shim/models/avr. A program that uses compat/avr is linked
 * with it; nothing has to be called: the model starts before main().
 *
 * Vectors of the controller: 1 to 25 are the AVR's own. Those from 128 on are
 * what happens outside of it and are served even under cli():
 *   146  bytes for the USART (payload, or the low byte of the value)
 * Pins: PB0 to PB7 are 0 to 7, PC0 to PC6 are 8 to 14, PD0 to PD7 are 16 to 23,
 * which are the numbers of the pin-change interrupts.
 */
#ifndef APP_SHIM_AVR_H
#define APP_SHIM_AVR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Registers -------------------------------------------------------- */

/*
 * Three pages, each with a place for every register: plain memory, the ports,
 * and registers that act. An access to the latter two traps.
 */
#define APP_SHIM_AVR_PAGE 4096
extern volatile uint8_t app_shim_avr_sfr[3 * APP_SHIM_AVR_PAGE];

/* 1 where an access to the register at that data address acts. */
#define APP_SHIM_AVR_ACTS(a)                                                   \
	((((a) < 0x40    ? 0xb8e0000000000000ULL                                   \
	   : (a) < 0x80  ? 0x0401fb01800061f1ULL                                   \
	   : (a) < 0xc0  ? 0x101f000000000fffULL                                   \
	   : (a) < 0x100 ? 0x0000000000000043ULL                                   \
			 : 0ULL) >>                                                        \
	  ((a) & 63)) &                                                            \
	 1)

/* Where the register at that data address is. */
#define APP_SHIM_AVR_PLACE(a)                                                  \
	((a) + (APP_SHIM_AVR_ACTS(a)             ? 2 * APP_SHIM_AVR_PAGE           \
		: (a) >= 0x23 && (a) <= 0x2b     ? APP_SHIM_AVR_PAGE                   \
						 : 0))

/* ---- For compat/avr --------------------------------------------------- */

void app_shim_avr_sei(void);
void app_shim_avr_cli(void);
/* SREG, of which the model has bit I; the others are memory. */
uint8_t app_shim_avr_sreg(void);
void app_shim_avr_set_sreg(uint8_t value);
/* cli(), returning what SREG was. */
uint8_t app_shim_avr_block(void);
/* sei(), returning what SREG was. */
uint8_t app_shim_avr_unblock(void);
/*
 * SLEEP: until an interrupt routine has run. With interrupts disabled nothing
 * can wake the CPU: the program ends, with status 0.
 */
void app_shim_avr_sleep(void);
/* WDR. */
void app_shim_avr_wdr(void);
/* A reset: the program is executed anew, with those bits in MCUSR. */
void app_shim_avr_reset(uint8_t cause);
/* Waits so long, without leaving the CPU. */
void app_shim_avr_delay_ns(double ns);
/* The same, in cycles of F_CPU. */
void app_shim_avr_delay_cycles(double cycles);
/* Reads and writes EEPROM; an address is an offset, or a variable in EEMEM. */
uint8_t app_shim_avr_eeprom_read(const void *address);
void app_shim_avr_eeprom_write(void *address, uint8_t value);
/* F_CPU of the program, from avr/io.h or util/delay.h. */
extern unsigned long app_shim_avr_f_cpu;

/* ---- For who feeds it ------------------------------------------------- */

/* An access to a register that traps, after it. Called with interrupts locked. */
typedef void (*app_shim_avr_access)(void *argument, uint16_t address,
				    int write, uint8_t value);
void app_shim_avr_on_access(app_shim_avr_access hook, void *argument);

/* A byte that the USART has sent; NULL: to where APP_SHIM_AVR_SERIAL says. */
typedef void (*app_shim_avr_sent)(void *argument, uint8_t byte);
void app_shim_avr_on_serial(app_shim_avr_sent hook, void *argument);

/* What SPI shifts in while it shifts a byte out; NULL: 0xff. */
typedef uint8_t (*app_shim_avr_shift)(void *argument, uint8_t byte);
void app_shim_avr_on_spi(app_shim_avr_shift hook, void *argument);

/* What the converter reads at a channel, 0 to 15, from now on: 0 to 1023. */
void app_shim_avr_set_analog(unsigned channel, unsigned value);

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_AVR_H */
