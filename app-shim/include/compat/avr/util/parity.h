/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* util/parity.h: 1 where the number of bits that are set is odd. */
#ifndef _UTIL_PARITY_H_
#define _UTIL_PARITY_H_ 1

#define parity_even_bit(val) ((unsigned char)__builtin_parity((unsigned char)(val)))

#endif /* _UTIL_PARITY_H_ */
