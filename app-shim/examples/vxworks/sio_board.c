/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The board of serial.c, ported: the one file that knows the hardware. What the
 * receiver holds is the payload of the event being served; a value other than
 * its length is an error of the line, in the bits of SIO_RX_ERROR.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <app_shim.h>

#include "sio.h"

/* In the library: feeds vectors from the list that APP_SHIM_REPLAY names. */
extern void replay_start(uint32_t priority, uint32_t serial_vector,
			 uint32_t key_vector);

static uint64_t sequence;
static uint32_t taken;

static int current(app_shim_event *event)
{
	memset(event, 0, sizeof(*event));
	event->size = sizeof(*event);
	if (app_shim_current(event) != APP_SHIM_OK)
		return 0;
	if (event->sequence != sequence) {
		sequence = event->sequence;
		taken = 0;
	}
	return 1;
}

int sioStatus(void)
{
	app_shim_event event;

	if (!current(&event))
		return 0;
	if (event.payload_len == 0)
		return taken == 0 ? SIO_RX_READY | SIO_RX_ERROR : 0;
	return taken < event.payload_len ? SIO_RX_READY : 0;
}

int sioRead(void)
{
	app_shim_event event;

	if (!current(&event))
		return 0;
	taken++;
	if (taken > event.payload_len)
		return 0;
	return ((const uint8_t *)event.payload)[taken - 1];
}

void sioWrite(int c)
{
	char byte = (char)c;

	while (write(STDOUT_FILENO, &byte, 1) < 0)
		;
}

void sioEnable(void)
{
	replay_start(APP_SHIM_PRIORITY_MAX, SIO_VECTOR, 0);
}
