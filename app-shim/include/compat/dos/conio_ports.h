/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* conio_ports.h: ports by the names that conio.h has for them. */
#ifndef APP_SHIM_DOS_CONIO_PORTS_H
#define APP_SHIM_DOS_CONIO_PORTS_H

#include "keywords.h"

#define inp(port) ((int)app_shim_dos_in((port), 1))
#define outp(port, value) app_shim_dos_out((port), (value), 1)
#define inpw(port) (app_shim_dos_in((port), 2))
#define outpw(port, value)                                                     \
	app_shim_dos_out((port), (value), 2)
#define _inp(port) inp(port)
#define _outp(port, value) outp(port, value)
#define _inpw(port) inpw(port)
#define _outpw(port, value) outpw(port, value)

#endif /* APP_SHIM_DOS_CONIO_PORTS_H */
