/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* WProgram.h: Arduino.h by the name that it had before 1.0. */
#ifndef WProgram_h
#define WProgram_h

#include "Arduino.h"

#endif /* WProgram_h */
