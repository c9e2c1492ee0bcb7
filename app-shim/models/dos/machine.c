/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* machine.c: the start before main(), vectors, memory and ports. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model.h"
#include "../replay.h"

uint8_t app_shim_dos_memory[0x110000];
struct app_shim_dos_cpu app_shim_dos_registers;
unsigned char _osmajor = 5, _osminor = 0;
int _argc;
char **_argv;

/* ---- Vectors ---------------------------------------------------------- */

/* What a vector calls while the program has not set it: a function of its own. */
#define X16(m, h) m(h##0) m(h##1) m(h##2) m(h##3) m(h##4) m(h##5) m(h##6)      \
	m(h##7) m(h##8) m(h##9) m(h##a) m(h##b) m(h##c) m(h##d) m(h##e) m(h##f)
#define X256(m) X16(m, 0x0) X16(m, 0x1) X16(m, 0x2) X16(m, 0x3) X16(m, 0x4)    \
	X16(m, 0x5) X16(m, 0x6) X16(m, 0x7) X16(m, 0x8) X16(m, 0x9) X16(m, 0xa)    \
	X16(m, 0xb) X16(m, 0xc) X16(m, 0xd) X16(m, 0xe) X16(m, 0xf)
#define DEFINE(n) static void first_##n(void) { dos_service(n); }
X256(DEFINE)
#define NAME(n) first_##n,
static const app_shim_dos_handler first[256] = { X256(NAME) };
static app_shim_dos_handler set[256];
static struct {
	app_shim_dos_interrupt hook;
	void *argument;
} hooks[256];

app_shim_dos_handler app_shim_dos_getvect(unsigned vector)
{
	app_shim_dos_handler handler = __atomic_load_n(&set[vector & 255],
						       __ATOMIC_ACQUIRE);

	return handler ? handler : first[vector & 255];
}

void app_shim_dos_setvect(unsigned vector, app_shim_dos_handler handler)
{
	__atomic_store_n(&set[vector & 255], handler, __ATOMIC_RELEASE);
}

int dos_is_hooked(unsigned vector)
{
	return app_shim_dos_getvect(vector) != first[vector];
}

/* Handlers may declare the registers as parameters, which they read. */
static void call(app_shim_dos_handler handler)
{
	const struct app_shim_dos_cpu *c = &app_shim_dos_registers;
	void (*with)(unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
		     unsigned, unsigned, unsigned, unsigned, unsigned, unsigned);

	memcpy(&with, &handler, sizeof(with));
	with(c->bp, c->r.x.di, c->r.x.si, c->ds, c->es, c->r.x.dx, c->r.x.cx,
	     c->r.x.bx, c->r.x.ax, 0, c->cs, c->r.x.flags);
}

void app_shim_dos_int(unsigned vector)
{
	app_shim_dos_handler handler;
	int32_t level;

	vector &= 255;
	if (hooks[vector].hook &&
	    hooks[vector].hook(hooks[vector].argument, vector,
			       &app_shim_dos_registers))
		return;
	handler = app_shim_dos_getvect(vector);
	if (handler == first[vector]) {
		dos_service(vector);
		return;
	}
	level = app_shim_level_set(CLI);
	call(handler);
	app_shim_level_set(level);
}

void app_shim_dos_hook_interrupt(unsigned vector, app_shim_dos_interrupt hook,
				 void *argument)
{
	LOCK(key);
	hooks[vector & 255].argument = argument;
	hooks[vector & 255].hook = hook;
	UNLOCK(key);
}

void app_shim_dos_disable(void)
{
	app_shim_level_set(CLI);
}

void app_shim_dos_enable(void)
{
	app_shim_level_set(APP_SHIM_LEVEL_NONE);
}

/* The request line of a vector; -1: it has none. */
static int line_of(unsigned vector)
{
	return vector >= 0x08 && vector < 0x10 ? (int)vector - 0x08 :
	       vector >= 0x70 && vector < 0x78 ? (int)vector - 0x70 + 8 :
						 -1;
}

static void serve(void *argument)
{
	unsigned vector = (unsigned)(uintptr_t)argument;
	int line = line_of(vector);
	app_shim_event event = { .size = sizeof(event) };
	LOCK(key);

	app_shim_current(&event);
	/* What dos_request() has raised carries no payload and this value. */
	if (line >= 0) {
		if (event.value != UINT64_MAX)
			dos_pic_edge((unsigned)line);
		if (!dos_pic_begin((unsigned)line)) {
			UNLOCK(key);
			return;
		}
	}
	UNLOCK(key);
	app_shim_level_set(CLI);
	call(app_shim_dos_getvect(vector));
}

void dos_request(unsigned line)
{
	app_shim_raise_args event = { .size = sizeof(event),
				      .flags = APP_SHIM_EVENT_VALUE,
				      .value = UINT64_MAX };

	event.vector = line < 8 ? 0x08 + line : 0x70 + line - 8;
	app_shim_raise_event(&event);
}

const uint8_t *dos_event_bytes(uint8_t *one, uint32_t *n)
{
	app_shim_event event = { .size = sizeof(event) };

	*n = 0;
	if (app_shim_current(&event) != APP_SHIM_OK)
		return one;
	*one = (uint8_t)event.value;
	*n = event.payload_len ? event.payload_len : 1;
	return event.payload_len ? event.payload : one;
}

/* ---- Memory ----------------------------------------------------------- */

/* Windows onto other memory are segments 0xd000 to 0xd0ff. */
enum { WINDOW = 0xd000, WINDOWS = 256 };
static uintptr_t windows[WINDOWS];
static unsigned next_window;

void *app_shim_dos_pointer(unsigned segment, unsigned offset)
{
	segment &= 0xffff;
	offset &= 0xffff;
	if (segment >= WINDOW && segment < WINDOW + WINDOWS &&
	    windows[segment - WINDOW])
		return (void *)(windows[segment - WINDOW] + offset);
	return app_shim_dos_memory + 16 * segment + offset;
}

uint32_t app_shim_dos_far(const volatile void *pointer)
{
	uintptr_t p = (uintptr_t)pointer;
	uintptr_t base = (uintptr_t)app_shim_dos_memory;
	unsigned i;

	if (!p)
		return 0;
	if (p >= base && p < base + 0x100000)
		return (uint32_t)((p - base) >> 4 << 16 | ((p - base) & 15));
	/* Half a window of room behind every address. */
	base = p & ~(uintptr_t)0x7fff;
	LOCK(key);
	for (i = 0; i < WINDOWS && windows[i] != base; i++)
		;
	if (i == WINDOWS) {
		i = next_window++ % WINDOWS;
		windows[i] = base;
	}
	UNLOCK(key);
	return (uint32_t)(WINDOW + i) << 16 | (uint32_t)(p - base);
}

unsigned char app_shim_dos_peekb(unsigned segment, unsigned offset)
{
	return *(volatile uint8_t *)app_shim_dos_pointer(segment, offset);
}

void app_shim_dos_poke(unsigned segment, unsigned offset, unsigned value,
		       unsigned bytes)
{
	memcpy(app_shim_dos_pointer(segment, offset), &value, bytes);
}

/* ---- Ports ------------------------------------------------------------ */

static struct {
	unsigned first, last;
	app_shim_dos_port_in in;
	app_shim_dos_port_out out;
	void *argument;
} ranges[64];
static unsigned range_count;

int app_shim_dos_hook_ports(unsigned first, unsigned last,
			    app_shim_dos_port_in in, app_shim_dos_port_out out,
			    void *argument)
{
	int done = -1;
	LOCK(key);

	if (range_count < sizeof(ranges) / sizeof(*ranges)) {
		ranges[range_count].first = first;
		ranges[range_count].last = last;
		ranges[range_count].in = in;
		ranges[range_count].out = out;
		ranges[range_count++].argument = argument;
		done = 0;
	}
	UNLOCK(key);
	return done;
}

static int range_of(unsigned port)
{
	unsigned i = range_count;

	while (i-- > 0)
		if (port >= ranges[i].first && port <= ranges[i].last)
			return (int)i;
	return -1;
}

/* Where time is virtual an access takes some, so that polling ends. */
static void passes(void)
{
	if (!app_shim_in_isr())
		app_shim_clock_advance(1000);
}

unsigned app_shim_dos_in(unsigned port, unsigned bytes)
{
	unsigned value = bytes == 1 ? 0xff : 0xffff;
	int i;
	LOCK(key);

	port &= 0xffff;
	i = range_of(port);
	if (i >= 0 && ranges[i].in)
		value = ranges[i].in(ranges[i].argument, port, bytes);
	UNLOCK(key);
	passes();
	return value;
}

void app_shim_dos_out(unsigned port, unsigned value, unsigned bytes)
{
	int i;
	LOCK(key);

	port &= 0xffff;
	i = range_of(port);
	if (i >= 0 && ranges[i].out)
		ranges[i].out(ranges[i].argument, port,
			      value & (bytes == 1 ? 0xff : 0xffff), bytes);
	UNLOCK(key);
	passes();
}

void app_shim_dos_delay_ms(unsigned long ms)
{
	uint64_t ns = (uint64_t)ms * 1000000;

	if (app_shim_clock_advance(ns) == APP_SHIM_UNSUPPORTED)
		app_shim_delay_busy(ns);
}

/* ---- Start ------------------------------------------------------------ */

__attribute__((constructor(200))) static void start(int argc, char **argv)
{
	app_shim_config config;
	unsigned v;

	_argc = argc;
	_argv = argv;
	app_shim_config_init(&config);
	if (app_shim_init(&config) != APP_SHIM_OK) {
		char text[200] = "";

		app_shim_last_error(text, sizeof(text));
		fprintf(stderr, "the model of the PC does not start: %s\n", text);
		_exit(1);
	}
	for (v = 0; v < KEYS; v++) {
		int line = line_of(v);

		app_shim_connect(v, serve, (void *)(uintptr_t)v);
		/* Requests 0, 1, 8 to 15, 3 to 7; then all others. */
		app_shim_set_priority(v, line < 0   ? 1 :
					 line < 2   ? 60 - (unsigned)line :
					 line >= 8  ? 58 - (unsigned)(line - 8) :
						      50 - (unsigned)line);
	}
	dos_pic_start();
	dos_pit_start();
	dos_keyboard_start();
	dos_uart_start();
	replay_start(HARDWARE, COM, KEYS);
	app_shim_start();
}
