/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * app_shim_dos.h: a PC as far as DOS programs see it: what the headers in
 * compat/dos call, and what feeds the model and listens to it.
 *
 * The code is in app-shim/models/dos. A program that uses compat/dos is linked
 * with it; nothing has to be called: the model starts before main().
 *
 * Vectors of the controller are interrupt numbers. Requests of the interrupt
 * controllers are 0x08 to 0x0f and 0x70 to 0x77. These are outside of the CPU:
 *   0xf0  the keyboard: characters, as payload or the low byte of the value
 *   0xf1  COM1, 0xf2 COM2: bytes, likewise
 *   0xf3  COM1, 0xf4 COM2: modem lines, APP_SHIM_DOS_CTS and so on, as value
 */
#ifndef APP_SHIM_DOS_H
#define APP_SHIM_DOS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The CPU ---------------------------------------------------------- */

/* Registers as int86() passes them; also _AX and its like. */
struct app_shim_dos_cpu {
	union {
		struct {
			uint16_t ax, bx, cx, dx, si, di, cflag, flags;
		} x;
		struct {
			uint8_t al, ah, bl, bh, cl, ch, dl, dh;
		} h;
	} r;
	uint16_t es, cs, ss, ds, bp, sp;
};
extern struct app_shim_dos_cpu app_shim_dos_registers;

typedef void (*app_shim_dos_handler)(void);

void app_shim_dos_disable(void);
void app_shim_dos_enable(void);
/* A vector's routine; never NULL. */
app_shim_dos_handler app_shim_dos_getvect(unsigned vector);
void app_shim_dos_setvect(unsigned vector, app_shim_dos_handler handler);
/* INT: hooks first, then the program's routine, then the model's. */
void app_shim_dos_int(unsigned vector);

/* ---- Memory ----------------------------------------------------------- */

/* The first megabyte, and a bit, as real mode reaches it. */
extern uint8_t app_shim_dos_memory[0x110000];
void *app_shim_dos_pointer(unsigned segment, unsigned offset);
/*
 * Segment above offset of any pointer. Others than into the first megabyte get
 * one of 256 windows.
 */
uint32_t app_shim_dos_far(const volatile void *pointer);
unsigned char app_shim_dos_peekb(unsigned segment, unsigned offset);
void app_shim_dos_poke(unsigned segment, unsigned offset, unsigned value,
		       unsigned bytes);

/* ---- Ports ------------------------------------------------------------ */

unsigned app_shim_dos_in(unsigned port, unsigned bytes);
void app_shim_dos_out(unsigned port, unsigned value, unsigned bytes);

/* ---- The rest --------------------------------------------------------- */

int app_shim_dos_key(int wait, int take, int scan_code);
void app_shim_dos_unget(int character);
void app_shim_dos_put(const char *text, size_t length);
void app_shim_dos_delay_ms(unsigned long ms);

/* ---- For who feeds it ------------------------------------------------- */

/* Ports of a device of the program's own or of a test's. */
typedef unsigned (*app_shim_dos_port_in)(void *argument, unsigned port,
					 unsigned bytes);
typedef void (*app_shim_dos_port_out)(void *argument, unsigned port,
				      unsigned value, unsigned bytes);
/* 0, or -1: there is no room for more ranges. Later ones come first. */
int app_shim_dos_hook_ports(unsigned first, unsigned last,
			    app_shim_dos_port_in in, app_shim_dos_port_out out,
			    void *argument);

/* A hook returns 1 where it has done the interrupt, else 0. */
typedef int (*app_shim_dos_interrupt)(void *argument, unsigned vector,
				      struct app_shim_dos_cpu *cpu);
void app_shim_dos_hook_interrupt(unsigned vector, app_shim_dos_interrupt hook,
				 void *argument);

/* Raises or lowers a request line of the interrupt controllers, 0 to 15. */
void app_shim_dos_irq(unsigned line, int level);

/* Modem lines, as in the modem status register. */
#define APP_SHIM_DOS_CTS 0x10
#define APP_SHIM_DOS_DSR 0x20
#define APP_SHIM_DOS_RI 0x40
#define APP_SHIM_DOS_DCD 0x80

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_DOS_H */
