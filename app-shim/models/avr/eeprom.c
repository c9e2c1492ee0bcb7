/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* eeprom.c: 1024 bytes that are written in no time, and kept in a file. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model.h"

enum { SIZE = 1024, EERE = 1, EEPE = 2, EEMPE = 4 };

extern const uint8_t __start_app_shim_avr_eeprom[] __attribute__((weak));
extern const uint8_t __stop_app_shim_avr_eeprom[] __attribute__((weak));
static uint8_t plain[SIZE];
static uint8_t *cells = plain;

/* A variable's offset, or what was given as a number. */
static unsigned offset_of(const void *address)
{
	const uint8_t *p = address;

	if (p >= __start_app_shim_avr_eeprom && p < __stop_app_shim_avr_eeprom)
		return (unsigned)(p - __start_app_shim_avr_eeprom) % SIZE;
	return (unsigned)((uintptr_t)address % SIZE);
}

uint8_t app_shim_avr_eeprom_read(const void *address)
{
	return cells[offset_of(address)];
}

void app_shim_avr_eeprom_write(void *address, uint8_t value)
{
	cells[offset_of(address)] = value;
}

void avr_eeprom_write(void)
{
	unsigned at = R16(EEARL) % SIZE;

	if (R(EECR) & EERE)
		R(EEDR) = cells[at];
	if ((R(EECR) & EEPE) && (R(EECR) & EEMPE)) {
		unsigned mode = R(EECR) >> 4 & 3;

		cells[at] = mode == 1 ? 0xff :
			    mode == 2 ? (uint8_t)(cells[at] & R(EEDR)) :
					R(EEDR);
		R(EECR) &= (uint8_t)~EEMPE;
	}
	R(EECR) &= (uint8_t)~(EERE | EEPE);
	if (avr_enabled(EE_READY))
		avr_request(EE_READY, 0);
}

void avr_eeprom_start(void)
{
	size_t initial = (size_t)(__stop_app_shim_avr_eeprom -
				  __start_app_shim_avr_eeprom);
	const char *path = getenv("APP_SHIM_AVR_EEPROM");
	off_t length = 0;
	void *map;
	int fd;

	if (path && *path) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		length = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
		if (length < 0 || (length < SIZE && ftruncate(fd, SIZE) != 0))
			exit(1);
		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			exit(1);
		close(fd);
		cells = map;
	}
	if (length < SIZE) {
		memset(cells + length, 0xff, (size_t)(SIZE - length));
		if (length == 0 && initial)
			memcpy(cells, __start_app_shim_avr_eeprom,
			       initial < SIZE ? initial : SIZE);
	}
}
