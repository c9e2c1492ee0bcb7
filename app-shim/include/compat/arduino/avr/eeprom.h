/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/eeprom.h: the EEPROM by addresses, which are small numbers made pointers.
 * Variables in EEMEM have addresses of another kind, so there is no EEMEM.
 */
#ifndef _AVR_EEPROM_H_
#define _AVR_EEPROM_H_

#include "../app_shim_eeprom.h"

#define eeprom_is_ready() 1
#define eeprom_busy_wait() ((void)0)

static __inline__ __attribute__((__unused__)) void
eeprom_read_block(void *to, const void *from, size_t n)
{
	size_t at;

	for (at = 0; at < n; at++)
		((uint8_t *)to)[at] = *app_shim_eeprom_cell((size_t)from + at);
}

static __inline__ __attribute__((__unused__)) void
eeprom_write_block(const void *from, void *to, size_t n)
{
	size_t at;

	for (at = 0; at < n; at++)
		*app_shim_eeprom_cell((size_t)to + at) =
			((const uint8_t *)from)[at];
}

#define eeprom_update_block(from, to, n) eeprom_write_block(from, to, n)

#define APP_SHIM_EEPROM_ACCESS(name, type)                                     \
	static __inline__ __attribute__((__unused__)) type                     \
	eeprom_read_##name(const type *from)                                   \
	{                                                                      \
		type value;                                                    \
                                                                               \
		eeprom_read_block(&value, from, sizeof(value));                \
		return value;                                                  \
	}                                                                      \
	static __inline__ __attribute__((__unused__)) void                     \
	eeprom_write_##name(type *to, type value)                              \
	{                                                                      \
		eeprom_write_block(&value, to, sizeof(value));                 \
	}                                                                      \
	static __inline__ __attribute__((__unused__)) void                     \
	eeprom_update_##name(type *to, type value)                             \
	{                                                                      \
		eeprom_write_block(&value, to, sizeof(value));                 \
	}

APP_SHIM_EEPROM_ACCESS(byte, uint8_t)
APP_SHIM_EEPROM_ACCESS(word, uint16_t)
APP_SHIM_EEPROM_ACCESS(dword, uint32_t)
APP_SHIM_EEPROM_ACCESS(float, float)

#endif /* _AVR_EEPROM_H_ */
