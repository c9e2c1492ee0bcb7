/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/io.h: registers of the ATmega328P, whichever part the program was built
 * for. Bits I of SREG acts, the others are memory.
 */
#ifndef _AVR_IO_H_
#define _AVR_IO_H_ 1

#ifndef __AVR__
#define __AVR__ 1
#endif
#ifndef __AVR_ATmega328P__
#define __AVR_ATmega328P__ 1
#endif
#ifndef __AVR_ARCH__
#define __AVR_ARCH__ 5
#endif
#ifndef __AVR_HAVE_MUL__
#define __AVR_HAVE_MUL__ 1
#endif
#ifndef __AVR_LIBC_VERSION__
#define __AVR_LIBC_VERSION__ 20100UL
#define __AVR_LIBC_VERSION_STRING__ "2.1.0"
#define __AVR_LIBC_MAJOR__ 2
#define __AVR_LIBC_MINOR__ 1
#define __AVR_LIBC_REVISION__ 0
#endif

#include <avr/sfr_defs.h>

#include <avr/iom328p.h>

#include <avr/common.h>
#include <avr/fcpu.h>
#include <avr/fuse.h>
#include <avr/lock.h>

#endif /* _AVR_IO_H_ */
