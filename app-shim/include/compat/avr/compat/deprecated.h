/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* compat/deprecated.h: what programs of long ago called. */
#ifndef _COMPAT_DEPRECATED_H_
#define _COMPAT_DEPRECATED_H_ 1

#include <avr/interrupt.h>
#include <avr/io.h>

#define cbi(port, bit) ((port) = (uint8_t)((port) & ~_BV(bit)))
#define sbi(port, bit) ((port) = (uint8_t)((port) | _BV(bit)))
#define inb(port) (port)
#define inp(port) (port)
#define outb(port, val) ((port) = (val))
#define outp(val, port) ((port) = (val))
#define enable_external_int(mask) (EIMSK = (mask))
#define timer_enable_int(ints) (TIMSK1 = (ints))

#endif /* _COMPAT_DEPRECATED_H_ */
