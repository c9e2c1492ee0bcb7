/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/common.h: what every AVR has. */
#ifndef _AVR_COMMON_H
#define _AVR_COMMON_H

#include <avr/sfr_defs.h>

#define SPL _SFR_IO8(0x3D)
#define SPH _SFR_IO8(0x3E)
#define SP _SFR_IO16(0x3D)
#define SREG _SFR_IO8(0x3F)

#define SREG_C 0
#define SREG_Z 1
#define SREG_N 2
#define SREG_V 3
#define SREG_S 4
#define SREG_H 5
#define SREG_T 6
#define SREG_I 7

#define AVR_STATUS_REG SREG
#define AVR_STACK_POINTER_REG SP

#endif /* _AVR_COMMON_H */
