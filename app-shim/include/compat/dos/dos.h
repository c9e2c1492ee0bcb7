/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dos.h: interrupts, ports and memory, by the names of several compilers. */
#ifndef APP_SHIM_DOS_DOS_H
#define APP_SHIM_DOS_DOS_H

#include "keywords.h"

#include <stddef.h>
#include <stdint.h>

/* ---- Registers -------------------------------------------------------- */

struct WORDREGS {
	uint16_t ax, bx, cx, dx, si, di, cflag, flags;
};
struct BYTEREGS {
	uint8_t al, ah, bl, bh, cl, ch, dl, dh;
};
union REGS {
	struct WORDREGS x;
	struct WORDREGS w;
	struct BYTEREGS h;
};
#define _REGS REGS
struct SREGS {
	uint16_t es, cs, ss, ds;
};
#define _SREGS SREGS
struct REGPACK {
	uint16_t r_ax, r_bx, r_cx, r_dx, r_bp, r_si, r_di, r_ds, r_es, r_flags;
};

#define _AX (app_shim_dos_registers.r.x.ax)
#define _BX (app_shim_dos_registers.r.x.bx)
#define _CX (app_shim_dos_registers.r.x.cx)
#define _DX (app_shim_dos_registers.r.x.dx)
#define _SI (app_shim_dos_registers.r.x.si)
#define _DI (app_shim_dos_registers.r.x.di)
#define _BP (app_shim_dos_registers.bp)
#define _ES (app_shim_dos_registers.es)
#define _DS (app_shim_dos_registers.ds)
#define _SS (app_shim_dos_registers.ss)
#define _CS (app_shim_dos_registers.cs)
#define _FLAGS (app_shim_dos_registers.r.x.flags)
#define _AL (app_shim_dos_registers.r.h.al)
#define _AH (app_shim_dos_registers.r.h.ah)
#define _BL (app_shim_dos_registers.r.h.bl)
#define _BH (app_shim_dos_registers.r.h.bh)
#define _CL (app_shim_dos_registers.r.h.cl)
#define _CH (app_shim_dos_registers.r.h.ch)
#define _DL (app_shim_dos_registers.r.h.dl)
#define _DH (app_shim_dos_registers.r.h.dh)

struct time {
	unsigned char ti_min, ti_hour, ti_hund, ti_sec;
};
struct date {
	int da_year;
	char da_day, da_mon;
};
struct dostime_t {
	unsigned char hour, minute, second, hsecond;
};
struct dosdate_t {
	unsigned char day, month;
	unsigned int year;
	unsigned char dayofweek;
};
#define _dostime_t dostime_t
#define _dosdate_t dosdate_t

#ifdef __cplusplus
extern "C" {
#endif

extern unsigned char _osmajor, _osminor;
extern int _argc;
extern char **_argv;

int int86(int number, union REGS *in, union REGS *out);
int int86x(int number, union REGS *in, union REGS *out, struct SREGS *s);
int intdos(union REGS *in, union REGS *out);
int intdosx(union REGS *in, union REGS *out, struct SREGS *s);
void intr(int number, struct REGPACK *registers);
void segread(struct SREGS *s);
int bdos(int function, unsigned dx, unsigned al);
void gettime(struct time *t);
void getdate(struct date *d);
void _dos_gettime(struct dostime_t *t);
void _dos_getdate(struct dosdate_t *d);
void delay(unsigned ms);
void sound(unsigned hz);
void nosound(void);

#ifdef __cplusplus
}
#endif

#define _version (_osmajor | _osminor << 8)

#define geninterrupt(number) app_shim_dos_int(number)
#define bdosptr(function, pointer, al)                                         \
	(_DS = FP_SEG(pointer), bdos(function, FP_OFF(pointer), al))

/* ---- Interrupts ------------------------------------------------------- */

#define disable() app_shim_dos_disable()
#define enable() app_shim_dos_enable()
#define _disable() app_shim_dos_disable()
#define _enable() app_shim_dos_enable()
#define __disable__() app_shim_dos_disable()
#define __enable__() app_shim_dos_enable()

#ifdef __cplusplus
/* C++ has handlers with and without arguments, which chain to the old one. */
struct app_shim_dos_vector {
	app_shim_dos_handler handler;
	template <typename F> operator F *() const
	{
		return reinterpret_cast<F *>(handler);
	}
	bool operator==(const void *null) const
	{
		return reinterpret_cast<const void *>(handler) == null;
	}
	bool operator!=(const void *null) const
	{
		return !(*this == null);
	}
};
inline app_shim_dos_vector getvect(int number)
{
	app_shim_dos_vector vector = { app_shim_dos_getvect((unsigned)number) };
	return vector;
}
template <typename F> inline void setvect(int number, F *isr)
{
	app_shim_dos_setvect((unsigned)number,
			     reinterpret_cast<app_shim_dos_handler>(isr));
}
inline void setvect(int number, app_shim_dos_vector old)
{
	app_shim_dos_setvect((unsigned)number, old.handler);
}
#define _dos_getvect(number) getvect(number)
#define _dos_setvect(number, isr) setvect(number, isr)
#define _chain_intr(handler)                                                   \
	do {                                                                       \
		(handler)();                                                           \
		return;                                                                \
	} while (0)
#else
#define getvect(number) app_shim_dos_getvect(number)
#define setvect(number, isr)                                                   \
	app_shim_dos_setvect((number), (app_shim_dos_handler)(isr))
#define _dos_getvect(number) getvect(number)
#define _dos_setvect(number, isr) setvect(number, isr)
#define _chain_intr(handler)                                                   \
	do {                                                                       \
		((app_shim_dos_handler)(handler))();                                   \
		return;                                                                \
	} while (0)
#endif

/* ---- Ports ------------------------------------------------------------ */

#ifdef __cplusplus
extern "C" {
#endif
unsigned char inportb(int port);
void outportb(int port, unsigned char value);
int inport(int port);
unsigned inportw(int port);
void outport(int port, int value);
void outportw(int port, unsigned value);
#ifdef __cplusplus
}
#endif

/* ---- Memory ----------------------------------------------------------- */

#define MK_FP(segment, offset) app_shim_dos_pointer((segment), (offset))
#define FP_SEG(pointer) ((uint16_t)(app_shim_dos_far(pointer) >> 16))
#define FP_OFF(pointer) ((uint16_t)app_shim_dos_far(pointer))
#define peekb(segment, offset) ((char)app_shim_dos_peekb((segment), (offset)))
#define peek(segment, offset)                                                  \
	((int)(app_shim_dos_peekb((segment), (offset)) |                           \
	       app_shim_dos_peekb((segment), (offset) + 1) << 8))
#define pokeb(segment, offset, value)                                          \
	app_shim_dos_poke((segment), (offset), (unsigned char)(value), 1)
#define poke(segment, offset, value)                                           \
	app_shim_dos_poke((segment), (offset), (unsigned)(value), 2)

#include "conio_ports.h"

#endif /* APP_SHIM_DOS_DOS_H */
