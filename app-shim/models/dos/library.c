/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* library.c: functions of dos.h, bios.h and process.h. */
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app_shim.h"
#include "compat/dos/bios.h"
#include "compat/dos/dos.h"
#include "compat/dos/process.h"

extern char **environ;

unsigned char inportb(int port)
{
	return (unsigned char)app_shim_dos_in((unsigned)port, 1);
}

void outportb(int port, unsigned char value)
{
	app_shim_dos_out((unsigned)port, value, 1);
}

int inport(int port)
{
	return (int)app_shim_dos_in((unsigned)port, 2);
}

unsigned inportw(int port)
{
	return app_shim_dos_in((unsigned)port, 2);
}

void outport(int port, int value)
{
	app_shim_dos_out((unsigned)port, (unsigned)value, 2);
}

void outportw(int port, unsigned value)
{
	app_shim_dos_out((unsigned)port, value, 2);
}

int inp(unsigned port)
{
	return (int)app_shim_dos_in(port, 1);
}

int outp(unsigned port, int value)
{
	app_shim_dos_out(port, (unsigned)value, 1);
	return value;
}

unsigned inpw(unsigned port)
{
	return app_shim_dos_in(port, 2);
}

unsigned outpw(unsigned port, unsigned value)
{
	app_shim_dos_out(port, value, 2);
	return value;
}

/* A call's registers go in, and come out; those of the CPU stay. */
static int call(int number, const union REGS *in, union REGS *out,
		struct SREGS *s)
{
	struct app_shim_dos_cpu *c = &app_shim_dos_registers, saved = *c;
	int ax;

	memcpy(&c->r, in, sizeof(c->r));
	if (s) {
		c->es = s->es;
		c->ds = s->ds;
	}
	app_shim_dos_int((unsigned)number);
	c->r.x.cflag = c->r.x.flags & 1;
	memcpy(out, &c->r, sizeof(c->r));
	if (s) {
		s->es = c->es;
		s->ds = c->ds;
	}
	ax = c->r.x.ax;
	*c = saved;
	return ax;
}

int int86(int number, union REGS *in, union REGS *out)
{
	return call(number, in, out, NULL);
}

int int86x(int number, union REGS *in, union REGS *out, struct SREGS *s)
{
	return call(number, in, out, s);
}

int intdos(union REGS *in, union REGS *out)
{
	return call(0x21, in, out, NULL);
}

int intdosx(union REGS *in, union REGS *out, struct SREGS *s)
{
	return call(0x21, in, out, s);
}

void intr(int number, struct REGPACK *p)
{
	union REGS r;
	struct SREGS s = { p->r_es, 0, 0, p->r_ds };

	memset(&r, 0, sizeof(r));
	r.x.ax = p->r_ax;
	r.x.bx = p->r_bx;
	r.x.cx = p->r_cx;
	r.x.dx = p->r_dx;
	r.x.si = p->r_si;
	r.x.di = p->r_di;
	call(number, &r, &r, &s);
	p->r_ax = r.x.ax;
	p->r_bx = r.x.bx;
	p->r_cx = r.x.cx;
	p->r_dx = r.x.dx;
	p->r_si = r.x.si;
	p->r_di = r.x.di;
	p->r_es = s.es;
	p->r_ds = s.ds;
	p->r_flags = r.x.flags;
}

void segread(struct SREGS *s)
{
	s->es = app_shim_dos_registers.es;
	s->cs = app_shim_dos_registers.cs;
	s->ss = app_shim_dos_registers.ss;
	s->ds = app_shim_dos_registers.ds;
}

int bdos(int function, unsigned dx, unsigned al)
{
	union REGS r;

	memset(&r, 0, sizeof(r));
	r.h.ah = (uint8_t)function;
	r.h.al = (uint8_t)al;
	r.x.dx = (uint16_t)dx;
	return intdos(&r, &r);
}

void _dos_gettime(struct dostime_t *t)
{
	union REGS r;

	memset(&r, 0, sizeof(r));
	r.h.ah = 0x2c;
	intdos(&r, &r);
	t->hour = r.h.ch;
	t->minute = r.h.cl;
	t->second = r.h.dh;
	t->hsecond = r.h.dl;
}

void _dos_getdate(struct dosdate_t *d)
{
	union REGS r;

	memset(&r, 0, sizeof(r));
	r.h.ah = 0x2a;
	intdos(&r, &r);
	d->year = r.x.cx;
	d->month = r.h.dh;
	d->day = r.h.dl;
	d->dayofweek = r.h.al;
}

void gettime(struct time *t)
{
	struct dostime_t d;

	_dos_gettime(&d);
	t->ti_hour = d.hour;
	t->ti_min = d.minute;
	t->ti_sec = d.second;
	t->ti_hund = d.hsecond;
}

void getdate(struct date *to)
{
	struct dosdate_t d;

	_dos_getdate(&d);
	to->da_year = (int)d.year;
	to->da_mon = (char)d.month;
	to->da_day = (char)d.day;
}

void delay(unsigned ms)
{
	app_shim_dos_delay_ms(ms);
}

void sound(unsigned hz)
{
	unsigned n = hz ? 1193182 / hz : 0;

	outportb(0x43, 0xb6);
	outportb(0x42, n & 0xff);
	outportb(0x42, n >> 8);
	outportb(0x61, inportb(0x61) | 3);
}

void nosound(void)
{
	outportb(0x61, inportb(0x61) & ~3);
}

long biostime(int command, long ticks)
{
	union REGS r;

	memset(&r, 0, sizeof(r));
	r.h.ah = (uint8_t)command;
	r.x.cx = (uint16_t)(ticks >> 16);
	r.x.dx = (uint16_t)ticks;
	int86(0x1a, &r, &r);
	return command ? ticks : (long)((uint32_t)r.x.cx << 16 | r.x.dx);
}

unsigned _bios_timeofday(unsigned service, long *ticks)
{
	if (service)
		biostime(1, *ticks);
	else
		*ticks = biostime(0, 0);
	return 0;
}

int bioskey(int command)
{
	union REGS r;

	memset(&r, 0, sizeof(r));
	r.h.ah = (uint8_t)command;
	int86(0x16, &r, &r);
	if ((command & 0xf) == 1)
		return r.x.flags & 0x40 ? 0 : r.x.ax;
	return (command & 0xf) == 0 ? r.x.ax : r.h.al;
}

unsigned _bios_keybrd(unsigned service)
{
	return (unsigned)bioskey((int)service);
}

int bioscom(int command, char byte, int port)
{
	union REGS r;

	memset(&r, 0, sizeof(r));
	r.h.ah = (uint8_t)command;
	r.h.al = (uint8_t)byte;
	r.x.dx = (uint16_t)port;
	int86(0x14, &r, &r);
	return r.x.ax;
}

unsigned _bios_serialcom(unsigned service, unsigned port, unsigned data)
{
	return (unsigned)bioscom((int)service, (char)data, (int)port);
}

int biosequip(void)
{
	union REGS r;

	memset(&r, 0, sizeof(r));
	return int86(0x11, &r, &r);
}

unsigned _bios_equiplist(void)
{
	return (unsigned)biosequip();
}

int biosmemory(void)
{
	union REGS r;

	memset(&r, 0, sizeof(r));
	return int86(0x12, &r, &r);
}

unsigned _bios_memsize(void)
{
	return (unsigned)biosmemory();
}

static int spawn(int mode, const char *path, char *const arguments[], int search)
{
	pid_t child;
	int status;

	if (mode == P_OVERLAY)
		return search ? execvp(path, arguments) : execv(path, arguments);
	status = search ? posix_spawnp(&child, path, NULL, NULL, arguments, environ) :
			  posix_spawn(&child, path, NULL, NULL, arguments, environ);
	if (status != 0)
		return -1;
	if (mode == P_NOWAIT)
		return child;
	app_shim_cpu_release();
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	app_shim_cpu_acquire();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int spawnv(int mode, const char *path, char *const arguments[])
{
	return spawn(mode, path, arguments, 0);
}

int spawnvp(int mode, const char *path, char *const arguments[])
{
	return spawn(mode, path, arguments, 1);
}

int spawnl(int mode, const char *path, const char *argument, ...)
{
	char *arguments[64];
	unsigned n = 0;
	va_list list;

	va_start(list, argument);
	while (argument && n < 63) {
		arguments[n++] = (char *)(uintptr_t)argument;
		argument = va_arg(list, const char *);
	}
	va_end(list);
	arguments[n] = NULL;
	return spawn(mode, path, arguments, 0);
}
