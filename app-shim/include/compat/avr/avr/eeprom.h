/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/eeprom.h: 1024 bytes, kept in the file that APP_SHIM_AVR_EEPROM names.
 * Variables in EEMEM have places in it, and their values are what it begins with.
 */
#ifndef _AVR_EEPROM_H_
#define _AVR_EEPROM_H_ 1

#include <avr/io.h>
#include <stddef.h>
#include <stdint.h>

#define EEMEM __attribute__((__section__("app_shim_avr_eeprom"), __used__))

#define eeprom_is_ready() bit_is_clear(EECR, EEPE)
#define eeprom_busy_wait()                                                     \
	do {                                                                       \
	} while (!eeprom_is_ready())

static __inline__ __attribute__((__unused__)) void
eeprom_read_block(void *to, const void *from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		((uint8_t *)to)[i] =
			app_shim_avr_eeprom_read((const uint8_t *)from + i);
}

static __inline__ __attribute__((__unused__)) void
eeprom_write_block(const void *from, void *to, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		app_shim_avr_eeprom_write((uint8_t *)to + i,
					  ((const uint8_t *)from)[i]);
}

#define eeprom_update_block(from, to, n) eeprom_write_block(from, to, n)

#define APP_SHIM_AVR_EEPROM_OF(name, type)                                     \
	static __inline__ __attribute__((__unused__)) type eeprom_read_##name(     \
		const type *from)                                                      \
	{                                                                          \
		type value;                                                            \
                                                                               \
		eeprom_read_block(&value, from, sizeof(value));                        \
		return value;                                                          \
	}                                                                          \
	static __inline__ __attribute__((__unused__)) void eeprom_write_##name(    \
		type *to, type value)                                                  \
	{                                                                          \
		eeprom_write_block(&value, to, sizeof(value));                         \
	}                                                                          \
	static __inline__ __attribute__((__unused__)) void eeprom_update_##name(   \
		type *to, type value)                                                  \
	{                                                                          \
		eeprom_write_block(&value, to, sizeof(value));                         \
	}

APP_SHIM_AVR_EEPROM_OF(byte, uint8_t)
APP_SHIM_AVR_EEPROM_OF(word, uint16_t)
APP_SHIM_AVR_EEPROM_OF(dword, uint32_t)
APP_SHIM_AVR_EEPROM_OF(qword, uint64_t)
APP_SHIM_AVR_EEPROM_OF(float, float)

#define _EEPUT(addr, val) eeprom_write_byte((uint8_t *)(addr), (uint8_t)(val))
#define _EEGET(var, addr) ((var) = eeprom_read_byte((const uint8_t *)(addr)))
#define __EEPUT(addr, val) _EEPUT(addr, val)
#define __EEGET(var, addr) _EEGET(var, addr)

#endif /* _AVR_EEPROM_H_ */
