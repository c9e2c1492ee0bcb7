/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/wdt.h: the watchdog. Its timeout executes the program anew. */
#ifndef _AVR_WDT_H_
#define _AVR_WDT_H_ 1

#include <avr/io.h>

#define WDTO_15MS 0
#define WDTO_30MS 1
#define WDTO_60MS 2
#define WDTO_120MS 3
#define WDTO_250MS 4
#define WDTO_500MS 5
#define WDTO_1S 6
#define WDTO_2S 7
#define WDTO_4S 8
#define WDTO_8S 9

#define wdt_reset() app_shim_avr_wdr()

static __inline__ __attribute__((__unused__)) void wdt_enable(uint8_t value)
{
	uint8_t sreg = app_shim_avr_block();

	app_shim_avr_wdr();
	WDTCSR = _BV(WDCE) | _BV(WDE);
	WDTCSR = (uint8_t)((value & 0x08 ? _BV(WDP3) : 0) | _BV(WDE) |
			   (value & 0x07));
	app_shim_avr_set_sreg(sreg);
}

static __inline__ __attribute__((__unused__)) void wdt_disable(void)
{
	uint8_t sreg = app_shim_avr_block();

	app_shim_avr_wdr();
	WDTCSR = _BV(WDCE) | _BV(WDE);
	WDTCSR = 0;
	app_shim_avr_set_sreg(sreg);
}

#endif /* _AVR_WDT_H_ */
