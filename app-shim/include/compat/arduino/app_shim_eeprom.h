/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The cells of the EEPROM: a mapping of the file that APP_SHIM_ARDUINO_EEPROM
 * names, or memory that is forgotten. A new file's cells are 0xff. Cells can be
 * touched in any context.
 */
#ifndef APP_SHIM_EEPROM_H
#define APP_SHIM_EEPROM_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef E2END
#define E2END 1023
#endif
/* At most so many; those that a board has not got are there but not counted. */
#define APP_SHIM_EEPROM_MOST 32768

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((__weak__)) uint8_t *app_shim_eeprom_memory;

__attribute__((__weak__)) void app_shim_eeprom_fail(const char *name)
{
	perror(name);
	exit(2);
}

/* A new file, or the rest of a short one, is filled. */
__attribute__((__weak__)) uint8_t *app_shim_eeprom_map(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT, 0666);
	off_t length = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	uint8_t blank[512];
	void *memory;

	if (length < 0)
		app_shim_eeprom_fail(name);
	memset(blank, 0xff, sizeof(blank));
	while (length < APP_SHIM_EEPROM_MOST) {
		size_t n = sizeof(blank) - (size_t)length % sizeof(blank);
		ssize_t done = write(fd, blank, n);

		if (done <= 0)
			app_shim_eeprom_fail(name);
		length += done;
	}
	memory = mmap(NULL, APP_SHIM_EEPROM_MOST, PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		app_shim_eeprom_fail(name);
	close(fd);
	return (uint8_t *)memory;
}

__attribute__((__weak__)) void app_shim_eeprom_open(void)
{
	static uint8_t forgotten[APP_SHIM_EEPROM_MOST];
	const char *name = getenv("APP_SHIM_ARDUINO_EEPROM");

	if (name != NULL && *name != '\0') {
		app_shim_eeprom_memory = app_shim_eeprom_map(name);
		return;
	}
	memset(forgotten, 0xff, sizeof(forgotten));
	app_shim_eeprom_memory = forgotten;
}

__attribute__((__weak__)) uint8_t *app_shim_eeprom_cell(size_t address)
{
	if (app_shim_eeprom_memory == NULL)
		app_shim_eeprom_open();
	return app_shim_eeprom_memory + address % APP_SHIM_EEPROM_MOST;
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_EEPROM_H */
