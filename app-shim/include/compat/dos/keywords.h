/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * keywords.h: what the compilers for DOS had for keywords. There is one kind of
 * pointer, and one kind of function.
 */
#ifndef APP_SHIM_DOS_KEYWORDS_H
#define APP_SHIM_DOS_KEYWORDS_H

#include "../../app_shim_dos.h"

#ifndef __MSDOS__
#define __MSDOS__ 1
#endif
#ifndef MSDOS
#define MSDOS 1
#endif

#define far
#define near
#define huge
#define interrupt
#define cdecl
#define pascal
#define _far
#define _near
#define _huge
#define _interrupt
#define _cdecl
#define _pascal
#define _loadds
#define __far
#define __near
#define __huge
#define __interrupt
#define __cdecl
#define __pascal
#define _Far
#define _Near
#define _Huge
#define _Cdecl
#define _Far16
#define _export
#define _saveregs

#endif /* APP_SHIM_DOS_KEYWORDS_H */
