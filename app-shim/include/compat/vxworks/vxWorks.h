/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* vxWorks.h: the constants, types and macros that every program uses. */
#ifndef APP_SHIM_VX_WORKS_H
#define APP_SHIM_VX_WORKS_H

#include "types/vxANSI.h"
#include "types/vxTypes.h"

#ifndef OK
#define OK 0
#endif
#ifndef ERROR
#define ERROR (-1)
#endif
#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef EOF
#define EOF (-1)
#endif
#ifndef EOS
#define EOS '\0'
#endif

#define NONE (-1)
#define EMPTY (-1)

#define NO_WAIT 0
#define WAIT_FOREVER (-1)

#define FOREVER for (;;)

#define STD_IN 0
#define STD_OUT 1
#define STD_ERR 2

#ifndef VX_READ
#define VX_READ 0
#define VX_WRITE 1
#endif

/* What open() takes, and vxMemProbe(). */
#ifndef READ
#define READ 0
#define WRITE 1
#define UPDATE 2
#endif

#ifndef FAST
#define FAST register
#endif
#ifndef IMPORT
#define IMPORT extern
#endif
#ifndef LOCAL
#define LOCAL static
#endif
#ifndef _WRS_INLINE
#define _WRS_INLINE static __inline__
#endif

/* In C++ these are for the standard library to define. */
#ifndef __cplusplus
#ifndef max
#define max(x, y) (((x) < (y)) ? (y) : (x))
#endif
#ifndef min
#define min(x, y) (((x) < (y)) ? (x) : (y))
#endif
#endif

#ifndef NELEMENTS
#define NELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#endif
#ifndef OFFSET
#define OFFSET(structure, member) ((int)offsetof(structure, member))
#endif
#ifndef MEMBER_SIZE
#define MEMBER_SIZE(structure, member) (sizeof(((structure *)0)->member))
#endif

#define ROUND_UP(x, align) (((long)(x) + ((long)(align) - 1)) & ~((long)(align) - 1))
#define ROUND_DOWN(x, align) ((long)(x) & ~((long)(align) - 1))
#define ALIGNED(x, align) (((long)(x) & ((long)(align) - 1)) == 0)

#define MSB(x) (((x) >> 8) & 0xff)
#define LSB(x) ((x) & 0xff)
#define MSW(x) (((x) >> 16) & 0xffff)
#define LSW(x) ((x) & 0xffff)
#define WORDSWAP(x) (MSW(x) | (LSW(x) << 16))
#define LLSB(x) ((x) & 0xff)
#define LNLSB(x) (((x) >> 8) & 0xff)
#define LNMSB(x) (((x) >> 16) & 0xff)
#define LMSB(x) (((x) >> 24) & 0xff)
#define LONGSWAP(x) \
	((LLSB(x) << 24) | (LNLSB(x) << 16) | (LNMSB(x) << 8) | (LMSB(x)))

#ifndef _BIG_ENDIAN
#define _BIG_ENDIAN 1234
#endif
#ifndef _LITTLE_ENDIAN
#define _LITTLE_ENDIAN 4321
#endif
#ifndef _BYTE_ORDER
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define _BYTE_ORDER _BIG_ENDIAN
#else
#define _BYTE_ORDER _LITTLE_ENDIAN
#endif
#endif

#define _WRS_PACK_ALIGN(x) __attribute__((packed, aligned(x)))
#define _WRS_DATA_ALIGN_BYTES(bytes) __attribute__((aligned(bytes)))
#define _WRS_ASM(x) __asm__ volatile(x)

#endif /* APP_SHIM_VX_WORKS_H */
