/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/cpufunc.h: single instructions. */
#ifndef _AVR_CPUFUNC_H_
#define _AVR_CPUFUNC_H_ 1

#include <avr/io.h>

#define _NOP() __asm__ __volatile__("nop")
#define _MemoryBarrier() __asm__ __volatile__("" ::: "memory")

#endif /* _AVR_CPUFUNC_H_ */
