/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/fuse.h: fuses are data that nobody reads here. */
#ifndef _AVR_FUSE_H_
#define _AVR_FUSE_H_ 1

typedef struct {
	unsigned char low;
	unsigned char high;
	unsigned char extended;
} __fuse_t;

#define FUSEMEM __attribute__((__unused__))
#define FUSES __fuse_t __fuse FUSEMEM

#endif /* _AVR_FUSE_H_ */
