/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wiring_private.h: what libraries take from inside a core: registers' bits. */
#ifndef WiringPrivate_h
#define WiringPrivate_h

#include "Arduino.h"

#ifndef cbi
#define cbi(sfr, bit) ((sfr) &= ~_BV(bit))
#endif
#ifndef sbi
#define sbi(sfr, bit) ((sfr) |= _BV(bit))
#endif

#endif /* WiringPrivate_h */
