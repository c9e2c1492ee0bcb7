/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/dtostrf.h: where other cores have it. */
#ifndef APP_SHIM_AVR_DTOSTRF_H
#define APP_SHIM_AVR_DTOSTRF_H

#include "../stdlib_noniso.h"

#endif
