/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* conio_ports.h: ports by the names that conio.h has for them. */
#ifndef APP_SHIM_DOS_CONIO_PORTS_H
#define APP_SHIM_DOS_CONIO_PORTS_H

#include "keywords.h"

#ifdef __cplusplus
extern "C" {
#endif
int inp(unsigned port);
int outp(unsigned port, int value);
unsigned inpw(unsigned port);
unsigned outpw(unsigned port, unsigned value);
#ifdef __cplusplus
}
#endif

#define _inp(port) inp(port)
#define _outp(port, value) outp(port, value)
#define _inpw(port) inpw(port)
#define _outpw(port, value) outpw(port, value)

#endif /* APP_SHIM_DOS_CONIO_PORTS_H */
