/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* vme.h: address modifiers of the VMEbus (ANSI/VITA 1). There is no bus here. */
#ifndef APP_SHIM_VX_VME_H
#define APP_SHIM_VX_VME_H

#define VME_AM_EXT_SUP_ASCENDING 0x0f
#define VME_AM_EXT_SUP_PGM 0x0e
#define VME_AM_EXT_SUP_DATA 0x0d
#define VME_AM_EXT_USR_ASCENDING 0x0b
#define VME_AM_EXT_USR_PGM 0x0a
#define VME_AM_EXT_USR_DATA 0x09
#define VME_AM_STD_SUP_ASCENDING 0x3f
#define VME_AM_STD_SUP_PGM 0x3e
#define VME_AM_STD_SUP_DATA 0x3d
#define VME_AM_STD_USR_ASCENDING 0x3b
#define VME_AM_STD_USR_PGM 0x3a
#define VME_AM_STD_USR_DATA 0x39
#define VME_AM_SUP_SHORT_IO 0x2d
#define VME_AM_USR_SHORT_IO 0x29

#endif /* APP_SHIM_VX_VME_H */
