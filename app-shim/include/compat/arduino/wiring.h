/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wiring.h: Arduino.h by the name that C libraries had for it before 1.0. */
#ifndef Wiring_h
#define Wiring_h

#include "Arduino.h"

#endif /* Wiring_h */
