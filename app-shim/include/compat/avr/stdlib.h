/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stdlib.h: the system's, and numbers as text. */
#include_next <stdlib.h>
#ifndef APP_SHIM_AVR_STDLIB_H
#define APP_SHIM_AVR_STDLIB_H

#ifdef __cplusplus
extern "C" {
#endif

char *itoa(int value, char *text, int radix);
char *utoa(unsigned value, char *text, int radix);
char *ltoa(long value, char *text, int radix);
char *ultoa(unsigned long value, char *text, int radix);
char *dtostrf(double value, signed char width, unsigned char precision,
	      char *text);
char *dtostre(double value, char *text, unsigned char precision,
	      unsigned char flags);

#define DTOSTR_ALWAYS_SIGN 0x01
#define DTOSTR_PLUS_SIGN 0x02
#define DTOSTR_UPPERCASE 0x04

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_AVR_STDLIB_H */
