/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/lock.h: lock bits are data that nobody reads here. */
#ifndef _AVR_LOCK_H_
#define _AVR_LOCK_H_ 1

#define LOCKMEM __attribute__((__unused__))
#define LOCKBITS unsigned char __lock LOCKMEM
#define LOCKBITS_DEFAULT 0xFF
#define LB_MODE_1 0xFF
#define LB_MODE_2 0xFE
#define LB_MODE_3 0xFC

#endif /* _AVR_LOCK_H_ */
