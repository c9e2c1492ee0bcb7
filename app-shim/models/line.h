/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * line.h: the other end of a serial line: standard input and output, a
 * pseudo-terminal, a descriptor, or nothing.
 */
#ifndef APP_SHIM_MODELS_LINE_H
#define APP_SHIM_MODELS_LINE_H

#include <stdint.h>

struct line {
	/* -1: nothing there. */
	int in, out;
	uint32_t vector;
	/* Bytes that were raised, and that the program has taken. */
	uint32_t raised, taken, limit;
};

/*
 * Opens what the environment variable says, "stdio", "pty", "fd:N" or "none",
 * and raises the vector, from a thread of its own, for what is received; while
 * more than `limit` bytes are not taken it does not read on.
 */
void line_start(struct line *line, const char *variable, const char *otherwise,
		uint32_t vector, uint32_t limit);

/* Sends a byte. [isr] */
void line_send(struct line *line, uint8_t byte);

/* The program has taken so many bytes. [isr] */
void line_taken(struct line *line, uint32_t bytes);

#endif
