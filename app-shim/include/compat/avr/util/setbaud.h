/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * util/setbaud.h: from F_CPU, BAUD and BAUD_TOL (percent) to UBRR_VALUE and
 * USE_2X. Without guard: a program may want several rates.
 */
#ifndef F_CPU
#error "util/setbaud.h needs F_CPU"
#endif
#ifndef BAUD
#error "util/setbaud.h needs BAUD"
#endif
#ifndef BAUD_TOL
#define BAUD_TOL 2
#endif
#undef USE_2X
#undef UBRR_VALUE
#undef UBRRL_VALUE
#undef UBRRH_VALUE

/* At 16 samples per bit, else, where that is too far off, at 8. */
#define UBRR_VALUE (((F_CPU) + 8UL * (BAUD)) / (16UL * (BAUD)) - 1UL)
#if 100 * (F_CPU) >                                                            \
		(16 * (((F_CPU) + 8 * (BAUD)) / (16 * (BAUD)))) *                      \
			(100 * (BAUD) + (BAUD) * (BAUD_TOL)) ||                            \
	100 * (F_CPU) < (16 * (((F_CPU) + 8 * (BAUD)) / (16 * (BAUD)))) *          \
				(100 * (BAUD) - (BAUD) * (BAUD_TOL))
#define USE_2X 1
#undef UBRR_VALUE
#define UBRR_VALUE (((F_CPU) + 4UL * (BAUD)) / (8UL * (BAUD)) - 1UL)
#else
#define USE_2X 0
#endif
#define UBRRL_VALUE (UBRR_VALUE & 0xff)
#define UBRRH_VALUE (UBRR_VALUE >> 8)
