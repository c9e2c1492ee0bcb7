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
#include <sys/stat.h>
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

__attribute__((__weak__)) void app_shim_eeprom_open(void)
{
	const char *name = getenv("APP_SHIM_ARDUINO_EEPROM");
	void *memory;
	struct stat was;
	uint8_t blank[512];
	off_t length;
	int fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS;

	if (name != NULL && *name != '\0') {
		fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		memset(blank, 0xff, sizeof(blank));
		if (fd < 0 || fstat(fd, &was) != 0) {
			perror(name);
			exit(2);
		}
		for (length = was.st_size; length < APP_SHIM_EEPROM_MOST;) {
			size_t n = sizeof(blank) - (size_t)length % sizeof(blank);
			ssize_t done = pwrite(fd, blank, n, length);

			if (done <= 0) {
				perror(name);
				exit(2);
			}
			length += done;
		}
		flags = MAP_SHARED;
	}
	memory = mmap(NULL, APP_SHIM_EEPROM_MOST, PROT_READ | PROT_WRITE, flags,
		      fd, 0);
	if (memory == MAP_FAILED) {
		perror("EEPROM");
		exit(2);
	}
	if (fd < 0)
		memset(memory, 0xff, APP_SHIM_EEPROM_MOST);
	else
		close(fd);
	app_shim_eeprom_memory = (uint8_t *)memory;
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
