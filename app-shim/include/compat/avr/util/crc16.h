/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* util/crc16.h: cyclic redundancy checks, a byte at a time. */
#ifndef _UTIL_CRC16_H_
#define _UTIL_CRC16_H_ 1

#include <stdint.h>

/* Least significant bit first; the polynomial is mirrored. */
static __inline__ __attribute__((__unused__)) uint16_t
app_shim_avr_crc_right(uint16_t crc, uint8_t data, uint16_t polynomial)
{
	int i;

	crc = (uint16_t)(crc ^ data);
	for (i = 0; i < 8; i++)
		crc = (uint16_t)(crc & 1 ? (crc >> 1) ^ polynomial : crc >> 1);
	return crc;
}

/* x^16 + x^15 + x^2 + 1. */
static __inline__ __attribute__((__unused__)) uint16_t
_crc16_update(uint16_t crc, uint8_t data)
{
	return app_shim_avr_crc_right(crc, data, 0xA001);
}

/* x^16 + x^12 + x^5 + 1, mirrored: PPP, IrDA. */
static __inline__ __attribute__((__unused__)) uint16_t
_crc_ccitt_update(uint16_t crc, uint8_t data)
{
	return app_shim_avr_crc_right(crc, data, 0x8408);
}

/* x^16 + x^12 + x^5 + 1: XMODEM. */
static __inline__ __attribute__((__unused__)) uint16_t
_crc_xmodem_update(uint16_t crc, uint8_t data)
{
	int i;

	crc = (uint16_t)(crc ^ data << 8);
	for (i = 0; i < 8; i++)
		crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	return crc;
}

/* x^8 + x^5 + x^4 + 1, mirrored: 1-Wire. */
static __inline__ __attribute__((__unused__)) uint8_t
_crc_ibutton_update(uint8_t crc, uint8_t data)
{
	return (uint8_t)app_shim_avr_crc_right(crc, data, 0x8C);
}

/* x^8 + x^2 + x + 1. */
static __inline__ __attribute__((__unused__)) uint8_t
_crc8_ccitt_update(uint8_t crc, uint8_t data)
{
	int i;

	crc = (uint8_t)(crc ^ data);
	for (i = 0; i < 8; i++)
		crc = (uint8_t)(crc & 0x80 ? crc << 1 ^ 0x07 : crc << 1);
	return crc;
}

#endif /* _UTIL_CRC16_H_ */
