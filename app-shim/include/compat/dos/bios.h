/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* bios.h: timer, keyboard and serial lines through the BIOS. */
#ifndef APP_SHIM_DOS_BIOS_H
#define APP_SHIM_DOS_BIOS_H

#include "keywords.h"

#ifdef __cplusplus
extern "C" {
#endif

long biostime(int command, long ticks);
int bioskey(int command);
int bioscom(int command, char byte, int port);
int biosequip(void);
int biosmemory(void);
unsigned _bios_timeofday(unsigned service, long *ticks);
unsigned _bios_keybrd(unsigned service);
unsigned _bios_serialcom(unsigned service, unsigned port, unsigned data);
unsigned _bios_equiplist(void);
unsigned _bios_memsize(void);

#ifdef __cplusplus
}
#endif

#define _TIME_GETCLOCK 0
#define _TIME_SETCLOCK 1
#define _KEYBRD_READ 0
#define _KEYBRD_READY 1
#define _KEYBRD_SHIFTSTATUS 2
#define _NKEYBRD_READ 0x10
#define _NKEYBRD_READY 0x11
#define _NKEYBRD_SHIFTSTATUS 0x12
#define _COM_INIT 0
#define _COM_SEND 1
#define _COM_RECEIVE 2
#define _COM_STATUS 3
#define _COM_CHR7 2
#define _COM_CHR8 3
#define _COM_STOP1 0
#define _COM_STOP2 4
#define _COM_NOPARITY 0
#define _COM_EVENPARITY 24
#define _COM_ODDPARITY 8
#define _COM_1200 128
#define _COM_2400 160
#define _COM_4800 192
#define _COM_9600 224

#endif /* APP_SHIM_DOS_BIOS_H */
