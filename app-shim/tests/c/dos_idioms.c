/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs for DOS usually do, each checked by what the model answers.
 * "done", or the line of the first check that failed.
 */
#include <bios.h>
#include <conio.h>
#include <dos.h>
#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#define __CPPARGS ...
#else
#define __CPPARGS
#endif

#define CHECK(x)                                                               \
	do {                                                                       \
		if (!(x)) {                                                            \
			cprintf("line %d\r\n", __LINE__);                                  \
			exit(1);                                                           \
		}                                                                      \
	} while (0)

static void interrupt (far *old_timer)(__CPPARGS);
static void interrupt (far *old_com)(__CPPARGS);
static volatile int timers, coms, user, causes;
static volatile unsigned char got[8];

static void interrupt far timer(__CPPARGS)
{
	timers++;
	(*old_timer)();
}

static void interrupt far com(__CPPARGS)
{
	int id;

	while (!((id = inportb(0x3FA)) & 1)) {
		causes |= 1 << (id & 6);
		if ((id & 6) == 4)
			got[coms++ & 7] = inportb(0x3F8);
		else if ((id & 6) == 0)
			inportb(0x3FE);
	}
	outportb(0x20, 0x20);
}

static void interrupt far service(__CPPARGS)
{
	user++;
	_AX = 0x4321;
}

int main(void)
{
	union REGS in, out;
	struct SREGS s;
	unsigned char far *screen = (unsigned char far *)MK_FP(0xB800, 0);
	char text[] = "string\r\n$";
	long t;

	/* Registers lie over each other. */
	in.x.ax = 0x1234;
	CHECK(in.h.ah == 0x12 && in.h.al == 0x34);

	/* Memory. */
	screen[2] = 'x';
	CHECK(peekb(0xB800, 2) == 'x' && peekb(0xB000, 0x8002) == 'x');
	poke(0x50, 0, 0xBEEF);
	CHECK((peek(0x50, 0) & 0xFFFF) == 0xBEEF);
	CHECK(MK_FP(FP_SEG(text), FP_OFF(text)) == (void *)text);
	CHECK(FP_SEG(screen) == 0xB800 && FP_OFF(screen) == 0);

	/* DOS and the BIOS. */
	segread(&s);
	in.h.ah = 0x09;
	in.x.dx = FP_OFF(text);
	s.ds = FP_SEG(text);
	intdosx(&in, &out, &s);
	in.h.ah = 0x30;
	CHECK((intdos(&in, &out) & 0xff) == out.h.al && out.h.al >= 3);
	in.h.ah = 0xEE;
	intdos(&in, &out);
	CHECK(out.x.cflag);
	CHECK(biosmemory() == 640);
	CHECK(!kbhit() && bioskey(1) == 0);

	/* The program's own software interrupt. */
	CHECK(getvect(0x61) != NULL);
	setvect(0x61, service);
	int86(0x61, &in, &out);
	CHECK(user == 1 && out.x.ax == 0x4321);
	geninterrupt(0x61);
	CHECK(user == 2 && _AX == 0x4321 && _AL == 0x21);

	/* The tick, chained; faster, then as before. */
	old_timer = getvect(8);
	setvect(8, timer);
	outportb(0x43, 0x36);
	outportb(0x40, 0);
	outportb(0x40, 0x10);
	t = biostime(0, 0L);
	while (timers < 3)
		;
	CHECK(biostime(0, 0L) - t >= 3);
	disable();
	setvect(8, old_timer);
	enable();
	outportb(0x40, 0);
	outportb(0x40, 0);

	/* COM1, looped back. */
	old_com = _dos_getvect(0x0C);
	_dos_setvect(0x0C, com);
	outportb(0x3FB, 0x80);
	outport(0x3F8, 0x000C);
	CHECK(inportb(0x3F8) == 0x0C);
	outportb(0x3FB, 0x03);
	outportb(0x3FF, 0x5A);
	CHECK(inportb(0x3FF) == 0x5A);
	outportb(0x3FA, 0x07);
	CHECK((inportb(0x3FA) & 0xC1) == 0xC1);
	outp(0x3FC, 0x0B);
	CHECK(inp(0x3FE) & 0x10);
	outportb(0x3F9, 0x02);
	/* Masked: it waits. */
	CHECK(causes == 0 && (inportb(0x21) & 0x10));
	outportb(0x20, 0x0A);
	CHECK(inportb(0x20) & 0x10);
	outportb(0x21, inportb(0x21) & ~0x10);
	while (!(causes & 1 << 2))
		;
	outportb(0x3F9, 0x09);
	outportb(0x3FC, 0x1B);
	disable();
	outportb(0x3F8, 'A');
	outportb(0x3F8, 'B');
	CHECK(coms == 0 && (inportb(0x3FD) & 1));
	outportb(0x3FC, 0x1B);
	enable();
	outportb(0x3FC, 0x0B);
	while (coms < 2)
		;
	CHECK(got[0] == 'A' && got[1] == 'B');
	setvect(0x0C, old_com);

	delay(1);
	sound(440);
	CHECK(inportb(0x61) & 3);
	nosound();
	ungetch('k');
	CHECK(kbhit() && getch() == 'k');
	cprintf("%s\r\n", "done");
	return 0;
}
