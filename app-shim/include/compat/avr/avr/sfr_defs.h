/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/sfr_defs.h: how registers are reached; see app_shim_avr.h. */
#ifndef _AVR_SFR_DEFS_H_
#define _AVR_SFR_DEFS_H_ 1

#include "../../../app_shim_avr.h"
#include <stdint.h>

#define __SFR_OFFSET 0x20

/* Some pairs of registers have an odd address. */
typedef uint16_t __attribute__((__aligned__(1), __may_alias__)) app_shim_avr_u16;
typedef uint32_t __attribute__((__aligned__(1), __may_alias__)) app_shim_avr_u32;

#define _MMIO_BYTE(mem_addr)                                                   \
	(*(volatile uint8_t *)(app_shim_avr_sfr + APP_SHIM_AVR_PLACE(mem_addr)))
#define _MMIO_WORD(mem_addr)                                                   \
	(*(volatile app_shim_avr_u16 *)(app_shim_avr_sfr +                         \
					APP_SHIM_AVR_PLACE(mem_addr)))
#define _MMIO_DWORD(mem_addr)                                                  \
	(*(volatile app_shim_avr_u32 *)(app_shim_avr_sfr +                         \
					APP_SHIM_AVR_PLACE(mem_addr)))

#define _SFR_MEM8(mem_addr) _MMIO_BYTE(mem_addr)
#define _SFR_MEM16(mem_addr) _MMIO_WORD(mem_addr)
#define _SFR_MEM32(mem_addr) _MMIO_DWORD(mem_addr)
#define _SFR_IO8(io_addr) _MMIO_BYTE((io_addr) + __SFR_OFFSET)
#define _SFR_IO16(io_addr) _MMIO_WORD((io_addr) + __SFR_OFFSET)

#define _SFR_BYTE(sfr) (*(volatile uint8_t *)&(sfr))
#define _SFR_WORD(sfr) (*(volatile app_shim_avr_u16 *)&(sfr))
#define _SFR_DWORD(sfr) (*(volatile app_shim_avr_u32 *)&(sfr))

#define _SFR_MEM_ADDR(sfr)                                                     \
	((uint16_t)(((uintptr_t)&(sfr) - (uintptr_t)app_shim_avr_sfr) %            \
		    APP_SHIM_AVR_PAGE))
#define _SFR_ADDR(sfr) _SFR_MEM_ADDR(sfr)
#define _SFR_IO_ADDR(sfr) (_SFR_MEM_ADDR(sfr) - __SFR_OFFSET)
#define _SFR_IO_REG_P(sfr) (_SFR_MEM_ADDR(sfr) < 0x60)

#define _BV(bit) (1 << (bit))
#define _VECTOR(n) __vector_##n

#define bit_is_set(sfr, bit) (_SFR_BYTE(sfr) & _BV(bit))
#define bit_is_clear(sfr, bit) (!(_SFR_BYTE(sfr) & _BV(bit)))
#define loop_until_bit_is_set(sfr, bit)                                        \
	do {                                                                       \
	} while (bit_is_clear(sfr, bit))
#define loop_until_bit_is_clear(sfr, bit)                                      \
	do {                                                                       \
	} while (bit_is_set(sfr, bit))

#endif /* _AVR_SFR_DEFS_H_ */
