/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/interrupt.h: turning interrupts off and on. There is no ISR(): the
 * interrupts of an AVR's own peripherals are those of the facade for AVR.
 */
#ifndef _AVR_INTERRUPT_H_
#define _AVR_INTERRUPT_H_

#include "io.h"

#define cli() noInterrupts()
#define sei() interrupts()

#endif /* _AVR_INTERRUPT_H_ */
