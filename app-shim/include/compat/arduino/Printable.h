/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Printable.h: what can print itself. */
#ifndef Printable_h
#define Printable_h
#ifdef __cplusplus

#include <stddef.h>

class Print;

class Printable {
public:
	virtual size_t printTo(Print &p) const = 0;
};

#endif
#endif /* Printable_h */
