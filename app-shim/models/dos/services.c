/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * services.c: what the BIOS and DOS do for an interrupt that the program has not
 * taken over: a usual part. Other functions of DOS and of INT 15h set the carry
 * flag.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"

#define CPU (&app_shim_dos_registers)
enum { CARRY = 1, ZERO = 0x40 };

static void flag(unsigned bit, int on)
{
	CPU->r.x.flags = (uint16_t)(on ? CPU->r.x.flags | bit :
					 CPU->r.x.flags & ~bit);
	CPU->r.x.cflag = CPU->r.x.flags & CARRY;
}

static void bios_tick(void)
{
	uint32_t ticks;

	memcpy(&ticks, app_shim_dos_memory + 0x46c, 4);
	ticks++;
	/* A day has 1573040 ticks. */
	if (ticks >= 0x1800b0) {
		ticks = 0;
		app_shim_dos_memory[0x470] = 1;
	}
	memcpy(app_shim_dos_memory + 0x46c, &ticks, 4);
	app_shim_dos_int(0x1c);
	app_shim_dos_out(0x20, 0x20, 1);
}

static void video(void)
{
	char text[32];
	int i, n;

	switch (CPU->r.h.ah) {
	case 0x00:
		app_shim_dos_put("\x1b[0m\x1b[2J\x1b[H", 11);
		break;
	case 0x02:
		n = 0;
		text[n++] = 27;
		text[n++] = '[';
		for (i = CPU->r.h.dh + 1; i >= 10; i %= 10)
			text[n++] = (char)('0' + i / 10);
		text[n++] = (char)('0' + i);
		text[n++] = ';';
		for (i = CPU->r.h.dl + 1; i >= 10; i %= 10)
			text[n++] = (char)('0' + i / 10);
		text[n++] = (char)('0' + i);
		text[n++] = 'H';
		app_shim_dos_put(text, (size_t)n);
		break;
	case 0x09:
	case 0x0a:
	case 0x0e:
		text[0] = (char)CPU->r.h.al;
		app_shim_dos_put(text, 1);
		break;
	case 0x0f:
		CPU->r.h.al = 3;
		CPU->r.h.ah = 80;
		CPU->r.h.bh = 0;
		break;
	default:
		break;
	}
}

static void serial(void)
{
	unsigned base = CPU->r.x.dx == 0 ? 0x3f8 : 0x2f8;

	if (CPU->r.h.ah == 1)
		app_shim_dos_out(base, CPU->r.h.al, 1);
	else if (CPU->r.h.ah == 2) {
		while (!(app_shim_dos_in(base + 5, 1) & 1) && !app_shim_in_isr())
			if (app_shim_clock_advance(100000) == APP_SHIM_UNSUPPORTED)
				app_shim_wait_any(1000000);
		CPU->r.h.al = (uint8_t)app_shim_dos_in(base, 1);
	}
	CPU->r.h.ah = (uint8_t)app_shim_dos_in(base + 5, 1);
	if (CPU->r.x.dx > 1)
		CPU->r.h.ah = 0x80;
}

static void system_services(void)
{
	uint32_t us = (uint32_t)CPU->r.x.cx << 16 | CPU->r.x.dx;

	switch (CPU->r.h.ah) {
	case 0x86:
		app_shim_dos_delay_ms((us + 999) / 1000);
		flag(CARRY, 0);
		break;
	case 0x88:
		/* Kilobytes of memory above the first megabyte. */
		CPU->r.x.ax = 0;
		flag(CARRY, 0);
		break;
	default:
		CPU->r.h.ah = 0x86;
		flag(CARRY, 1);
		break;
	}
}

static void keyboard(void)
{
	int key;

	switch (CPU->r.h.ah & 0xf) {
	case 0:
		CPU->r.x.ax = (uint16_t)app_shim_dos_key(1, 1, 1);
		break;
	case 1:
		key = app_shim_dos_key(0, 0, 1);
		flag(ZERO, key < 0);
		if (key >= 0)
			CPU->r.x.ax = (uint16_t)key;
		break;
	default:
		CPU->r.h.al = (uint8_t)dos_keyboard_shift();
		break;
	}
}

static void dos(void)
{
	struct app_shim_dos_cpu *c = CPU;
	struct timespec now = { 0, 0 };
	struct tm t;
	const char *text;
	uint32_t far;
	char one;
	int key;

	flag(CARRY, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &t);
	switch (c->r.h.ah) {
	case 0x01:
	case 0x07:
	case 0x08:
		key = app_shim_dos_key(1, 1, 0);
		one = (char)key;
		c->r.h.al = (uint8_t)key;
		if (c->r.h.ah == 1)
			app_shim_dos_put(&one, 1);
		break;
	case 0x06:
		if (c->r.h.dl == 0xff) {
			key = app_shim_dos_key(0, 1, 0);
			flag(ZERO, key < 0);
			c->r.h.al = (uint8_t)(key < 0 ? 0 : key);
			break;
		}
		/* fall through */
	case 0x02:
		one = (char)c->r.h.dl;
		app_shim_dos_put(&one, 1);
		break;
	case 0x09:
		text = app_shim_dos_pointer(c->ds, c->r.x.dx);
		app_shim_dos_put(text, strcspn(text, "$"));
		break;
	case 0x0b:
		c->r.h.al = app_shim_dos_key(0, 0, 0) >= 0 ? 0xff : 0;
		break;
	case 0x19:
		c->r.h.al = 2;
		break;
	case 0x25:
		app_shim_dos_setvect(c->r.h.al, NULL);
		break;
	case 0x2a:
		c->r.x.cx = (uint16_t)(t.tm_year + 1900);
		c->r.h.dh = (uint8_t)(t.tm_mon + 1);
		c->r.h.dl = (uint8_t)t.tm_mday;
		c->r.h.al = (uint8_t)t.tm_wday;
		break;
	case 0x2c:
		c->r.h.ch = (uint8_t)t.tm_hour;
		c->r.h.cl = (uint8_t)t.tm_min;
		c->r.h.dh = (uint8_t)t.tm_sec;
		c->r.h.dl = (uint8_t)(now.tv_nsec / 10000000);
		break;
	case 0x30:
		c->r.x.ax = 5;
		c->r.x.bx = c->r.x.cx = 0;
		break;
	case 0x35:
		/* Code has no address that fits: compare, do not call. */
		far = app_shim_dos_far((void *)(uintptr_t)app_shim_dos_getvect(
			c->r.h.al));
		c->es = (uint16_t)(far >> 16);
		c->r.x.bx = (uint16_t)far;
		break;
	case 0x00:
		exit(0);
	case 0x4c:
		exit(c->r.h.al);
	default:
		c->r.x.ax = 1;
		flag(CARRY, 1);
		break;
	}
}

void dos_service(unsigned vector)
{
	uint32_t ticks;

	switch (vector) {
	case 0x08:
		bios_tick();
		break;
	case 0x09:
		dos_keyboard_int9();
		app_shim_dos_out(0x20, 0x20, 1);
		break;
	case 0x10:
		video();
		break;
	case 0x11:
		/* Two serial ports, an 80 column screen, a drive. */
		CPU->r.x.ax = 0x0421;
		break;
	case 0x12:
		CPU->r.x.ax = 640;
		break;
	case 0x14:
		serial();
		break;
	case 0x15:
		system_services();
		break;
	case 0x13:
		/* No disk that could be reached past DOS: a timeout. */
		CPU->r.h.ah = 0x80;
		flag(CARRY, 1);
		break;
	case 0x16:
		keyboard();
		break;
	case 0x1a:
		memcpy(&ticks, app_shim_dos_memory + 0x46c, 4);
		if (CPU->r.h.ah == 1) {
			ticks = (uint32_t)CPU->r.x.cx << 16 | CPU->r.x.dx;
			memcpy(app_shim_dos_memory + 0x46c, &ticks, 4);
		} else {
			CPU->r.x.cx = (uint16_t)(ticks >> 16);
			CPU->r.x.dx = (uint16_t)ticks;
			CPU->r.h.al = app_shim_dos_memory[0x470];
			app_shim_dos_memory[0x470] = 0;
		}
		break;
	case 0x20:
		exit(0);
	case 0x21:
		dos();
		break;
	case 0x33:
		/* No mouse. */
		CPU->r.x.ax = 0;
		break;
	default:
		/* An interrupt that nobody wanted must not block the others. */
		if (vector >= 0x0a && vector < 0x10)
			app_shim_dos_out(0x20, 0x20, 1);
		if (vector >= 0x70 && vector < 0x78) {
			app_shim_dos_out(0xa0, 0x20, 1);
			app_shim_dos_out(0x20, 0x20, 1);
		}
		break;
	}
}
