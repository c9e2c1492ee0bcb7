/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wiringShift.h: bytes, bit by bit, over two pins. */
#ifndef __WIRING_SHIFT_H__
#define __WIRING_SHIFT_H__

#include "wiringPi.h"

#define LSBFIRST 0
#define MSBFIRST 1

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_WPI_WEAK uint8_t shiftIn(uint8_t dPin, uint8_t cPin, uint8_t order)
{
	uint8_t value = 0;
	int n;

	for (n = 0; n < 8; n++) {
		digitalWrite(cPin, HIGH);
		value = (uint8_t)(value | digitalRead(dPin)
						  << (order == MSBFIRST ? 7 - n :
									  n));
		digitalWrite(cPin, LOW);
	}
	return value;
}

APP_SHIM_WPI_WEAK void shiftOut(uint8_t dPin, uint8_t cPin, uint8_t order,
				uint8_t val)
{
	int n;

	for (n = 0; n < 8; n++) {
		digitalWrite(dPin, val >> (order == MSBFIRST ? 7 - n : n) & 1);
		digitalWrite(cPin, HIGH);
		digitalWrite(cPin, LOW);
	}
}

#ifdef __cplusplus
}
#endif

#endif /* __WIRING_SHIFT_H__ */
