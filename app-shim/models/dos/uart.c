/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * uart.c: COM1 and COM2, a 16550 each (an 8250 as long as its FIFO is off). A
 * byte is sent in no time; what is received waits in here until it is read.
 */
#include "model.h"
#include "../line.h"

enum { RECEIVED = 1, EMPTY = 2, STATUS = 4, MODEM_CHANGE = 8 };

struct uart {
	unsigned base, irq;
	uint8_t ier, fcr, lcr, mcr, scratch, modem, changed, overrun, empty;
	uint16_t divisor;
	uint8_t ring[4096];
	unsigned head, tail;
	struct line line;
};

static struct uart uarts[2] = { { .base = 0x3f8, .irq = 4 },
				{ .base = 0x2f8, .irq = 3 } };

/* The most urgent cause, as the identification register says it. */
static unsigned cause(const struct uart *u)
{
	if ((u->ier & STATUS) && u->overrun)
		return 0x06;
	if ((u->ier & RECEIVED) && u->head != u->tail)
		return 0x04;
	if ((u->ier & EMPTY) && u->empty)
		return 0x02;
	if ((u->ier & MODEM_CHANGE) && u->changed)
		return 0x00;
	return 0x01;
}

/* After a cause has come or gone: what is left makes an edge of its own. */
static void update(struct uart *u, int gone)
{
	/* OUT2 connects the line to the controller. */
	int level = cause(u) != 1 && (u->mcr & 0x18) == 0x08;

	if (gone || !level)
		app_shim_dos_irq(u->irq, 0);
	if (level)
		app_shim_dos_irq(u->irq, 1);
}

static void push(struct uart *u, uint8_t byte)
{
	if (u->head - u->tail == sizeof(u->ring)) {
		u->overrun = 1;
		line_taken(&u->line, 1);
	} else {
		u->ring[u->head++ % sizeof(u->ring)] = byte;
	}
}

static void receive(void *argument)
{
	struct uart *u = argument;
	uint8_t one;
	uint32_t n, i;
	const uint8_t *bytes = dos_event_bytes(&one, &n);

	for (i = 0; i < n; i++)
		push(u, bytes[i]);
	update(u, 0);
}

static void set_modem(struct uart *u, uint8_t now)
{
	uint8_t changed = (u->modem ^ now) >> 4;

	/* The ring indicator counts when it ends. */
	if (now & APP_SHIM_DOS_RI)
		changed &= (uint8_t)~4;
	u->modem = now;
	u->changed |= changed;
	update(u, 0);
}

static void modem(void *argument)
{
	uint8_t one;
	uint32_t n;
	const uint8_t *bytes = dos_event_bytes(&one, &n);

	if (n && !(((struct uart *)argument)->mcr & 0x10))
		set_modem(argument, bytes[n - 1] & 0xf0);
}

static unsigned in(void *argument, unsigned port, unsigned bytes)
{
	struct uart *u = argument;
	unsigned value = 0;

	if (bytes == 2)
		return in(u, port, 1) | in(u, port + 1, 1) << 8;
	switch (port - u->base) {
	case 0:
		if (u->lcr & 0x80)
			return u->divisor & 0xff;
		if (u->head != u->tail) {
			value = u->ring[u->tail++ % sizeof(u->ring)];
			if (!(u->mcr & 0x10))
				line_taken(&u->line, 1);
		}
		update(u, 1);
		return value;
	case 1:
		return u->lcr & 0x80 ? u->divisor >> 8 : u->ier;
	case 2:
		value = cause(u);
		if (value == 0x02) {
			u->empty = 0;
			update(u, 1);
		}
		return value | (u->fcr & 1 ? 0xc0 : 0);
	case 3:
		return u->lcr;
	case 4:
		return u->mcr;
	case 5:
		value = 0x60u | (u->head != u->tail) | (u->overrun ? 2 : 0);
		u->overrun = 0;
		update(u, 1);
		return value;
	case 6:
		value = u->modem | u->changed;
		u->changed = 0;
		update(u, 1);
		return value;
	default:
		return u->scratch;
	}
}

static void out(void *argument, unsigned port, unsigned value, unsigned bytes)
{
	struct uart *u = argument;
	uint8_t byte = (uint8_t)value;

	if (bytes == 2) {
		out(u, port, value & 0xff, 1);
		out(u, port + 1, value >> 8, 1);
		return;
	}
	switch (port - u->base) {
	case 0:
		if (u->lcr & 0x80) {
			u->divisor = (uint16_t)((u->divisor & 0xff00) | byte);
			return;
		}
		if (u->mcr & 0x10)
			push(u, byte);
		else
			line_send(&u->line, byte);
		u->empty = 1;
		update(u, 1);
		return;
	case 1:
		if (u->lcr & 0x80) {
			u->divisor = (uint16_t)((u->divisor & 0xff) | byte << 8);
			return;
		}
		/* Enabling it says at once that there is room. */
		if ((byte & EMPTY) && !(u->ier & EMPTY))
			u->empty = 1;
		u->ier = byte & 0x0f;
		break;
	case 2:
		u->fcr = byte;
		if (byte & 2) {
			line_taken(&u->line, u->head - u->tail);
			u->tail = u->head;
		}
		break;
	case 3:
		u->lcr = byte;
		return;
	case 4:
		u->mcr = byte & 0x1f;
		/* Looped back, its outputs are its inputs. */
		if (byte & 0x10)
			set_modem(u, (uint8_t)((byte & 2) << 3 | (byte & 1) << 5 |
					       (byte & 4) << 4 | (byte & 8) << 4));
		break;
	case 7:
		u->scratch = byte;
		return;
	default:
		return;
	}
	update(u, 0);
}

void dos_uart_start(void)
{
	static const char *const names[2] = { "APP_SHIM_DOS_COM1",
					      "APP_SHIM_DOS_COM2" };
	unsigned i;

	for (i = 0; i < 2; i++) {
		struct uart *u = &uarts[i];

		u->modem = APP_SHIM_DOS_CTS | APP_SHIM_DOS_DSR | APP_SHIM_DOS_DCD;
		u->empty = 1;
		u->divisor = 12;
		app_shim_dos_poke(0x40, 2 * i, u->base, 2);
		app_shim_dos_hook_ports(u->base, u->base + 7, in, out, u);
		app_shim_connect(COM + i, receive, u);
		app_shim_set_priority(COM + i, HARDWARE);
		app_shim_connect(MODEM + i, modem, u);
		app_shim_set_priority(MODEM + i, HARDWARE);
		line_start(&u->line, names[i], "none", COM + i,
			   sizeof(u->ring) / 2);
	}
}
