/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * keyboard.c: characters become the scan codes of an American keyboard, which
 * interrupt; the model's INT 9 makes characters of them again.
 */
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "model.h"
#include "../line.h"

enum { LEFT_SHIFT = 0x2a, CONTROL = 0x1d };
/* Vectors: the last code was read, a key may change. */
enum { NEXT = KEYS + 0x0a, CHANGE = KEYS + 0x0b, STAYS_NS = 40000000 };

static const char plain[] = "\0\x1b" "1234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`"
			    "\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\x1b" "!@#$%^&*()_+\b\tQWERTYUIOP{}\r\0ASDFGHJKL:"
			      "\"~\0|ZXCVBNM<>?\0*\0 ";

/* Scan codes that wait; the one that port 0x60 shows. */
static uint8_t codes[4096];
static unsigned head, tail;
static uint8_t current, busy;
/* A key has changed, and stays so for a while. */
static uint8_t waiting;
/* Characters and scan codes, as INT 16 has them. */
static uint16_t keys[256];
static unsigned key_head, key_tail;
static uint8_t shift;
static int after_zero;
static struct line line;
static struct termios before;
static int raw;

/*
 * Shows the next scan code, when the last one was read. A program that has INT 9
 * to itself looks which keys are down, so there a key stays down, or up, for a
 * while.
 */
static void show(void)
{
	if (busy || waiting || head == tail)
		return;
	if (dos_is_hooked(9)) {
		waiting = 1;
		app_shim_timer_set(CHANGE, STAYS_NS, 0);
	}
	current = codes[tail++ % sizeof(codes)];
	busy = 1;
	app_shim_dos_irq(1, 0);
	app_shim_dos_irq(1, 1);
}

static void code(unsigned c)
{
	if (head - tail < sizeof(codes))
		codes[head++ % sizeof(codes)] = (uint8_t)c;
}

static void stroke(unsigned c, unsigned with)
{
	if (with)
		code(with);
	code(c);
	code(c | 0x80);
	if (with)
		code(with | 0x80);
}

static void press(uint8_t c)
{
	const char *at;

	if (after_zero) {
		after_zero = 0;
		stroke(c, 0);
		return;
	}
	if (c == 0) {
		after_zero = 1;
		return;
	}
	if (c == '\n')
		c = '\r';
	if (c == 127)
		c = '\b';
	if ((at = memchr(plain + 1, c, sizeof(plain) - 2)))
		stroke((unsigned)(at - plain), 0);
	else if ((at = memchr(shifted + 1, c, sizeof(shifted) - 2)))
		stroke((unsigned)(at - shifted), LEFT_SHIFT);
	else if (c < 27 && (at = memchr(plain + 1, c + 'a' - 1,
					sizeof(plain) - 2)))
		stroke((unsigned)(at - plain), CONTROL);
}

static void typed(void *argument)
{
	uint8_t one;
	uint32_t n, i;
	const uint8_t *bytes = dos_event_bytes(&one, &n);

	(void)argument;
	for (i = 0; i < n; i++)
		press(bytes[i]);
	line_taken(&line, n);
	show();
}

static unsigned in(void *argument, unsigned port, unsigned bytes)
{
	(void)argument;
	(void)bytes;
	if (port == 0x64)
		return 0x14u | busy;
	if (busy) {
		/* The next one comes after this instruction. */
		busy = 0;
		app_shim_raise(NEXT, 0);
	}
	return current;
}

static void shown(void *argument)
{
	(void)argument;
	show();
}

static void may_change(void *argument)
{
	(void)argument;
	waiting = 0;
	show();
}

void dos_keyboard_int9(void)
{
	unsigned c = app_shim_dos_in(0x60, 1), key = c & 0x7f;
	uint8_t bit = key == LEFT_SHIFT || key == 0x36 ? 2 : key == CONTROL ? 4 : 0;
	unsigned ascii;
	LOCK(lock);

	if (bit) {
		shift = (uint8_t)(c & 0x80 ? shift & ~bit : shift | bit);
	} else if (!(c & 0x80) && key_head - key_tail < 256) {
		ascii = key >= sizeof(plain) - 1 ? 0 :
			(uint8_t)(shift & 2 ? shifted : plain)[key];
		if (shift & 4)
			ascii &= 0x1f;
		keys[key_head++ % 256] = (uint16_t)(key << 8 | ascii);
	}
	UNLOCK(lock);
}

unsigned dos_keyboard_shift(void)
{
	return shift;
}

/* A key, or -1; an extended one is 0 and then its scan code, if split. */
int app_shim_dos_key(int wait, int take, int scan_code)
{
	static int half = -1;
	int key = -1;

	for (;;) {
		LOCK(lock);
		if (half >= 0 && !scan_code) {
			key = half;
			if (take)
				half = -1;
		} else if (key_head != key_tail) {
			key = keys[key_tail % 256];
			if (take)
				key_tail++;
			if (!scan_code) {
				if (take && !(key & 0xff))
					half = key >> 8;
				key &= 0xff;
			}
		}
		UNLOCK(lock);
		if (!app_shim_in_isr() &&
		    app_shim_clock_advance(100000) == APP_SHIM_UNSUPPORTED &&
		    wait && key < 0)
			app_shim_wait_any(1000000);
		if (key >= 0 || !wait || app_shim_in_isr())
			return key;
	}
}

void app_shim_dos_unget(int character)
{
	LOCK(lock);
	keys[--key_tail % 256] = (uint16_t)(character & 0xff);
	UNLOCK(lock);
}

static void restore(void)
{
	if (raw)
		tcsetattr(0, TCSANOW, &before);
}

void dos_keyboard_start(void)
{
	struct termios now;
	const char *what = getenv("APP_SHIM_DOS_KEYBOARD");

	app_shim_dos_hook_ports(0x60, 0x60, in, NULL, NULL);
	app_shim_dos_hook_ports(0x64, 0x64, in, NULL, NULL);
	app_shim_connect(KEYS, typed, NULL);
	app_shim_set_priority(KEYS, HARDWARE);
	app_shim_connect(NEXT, shown, NULL);
	app_shim_set_priority(NEXT, HARDWARE);
	app_shim_connect(CHANGE, may_change, NULL);
	app_shim_set_priority(CHANGE, HARDWARE);
	if ((!what || strcmp(what, "stdio") == 0) && tcgetattr(0, &before) == 0) {
		now = before;
		now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw = tcsetattr(0, TCSANOW, &now) == 0;
		atexit(restore);
	}
	line_start(&line, "APP_SHIM_DOS_KEYBOARD", "stdio", KEYS,
		   sizeof(codes) / 8);
}
