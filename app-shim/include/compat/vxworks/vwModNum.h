/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* vwModNum.h: numbers of modules, the upper halves of error numbers. */
#ifndef APP_SHIM_VX_MOD_NUM_H
#define APP_SHIM_VX_MOD_NUM_H

#define M_errno (0 << 16)
#define M_kernel (1 << 16)
#define M_taskLib (3 << 16)
#define M_dbgLib (4 << 16)
#define M_fioLib (9 << 16)
#define M_ioLib (12 << 16)
#define M_iosLib (13 << 16)
#define M_loadLib (14 << 16)
#define M_lstLib (15 << 16)
#define M_memLib (17 << 16)
#define M_rngLib (19 << 16)
#define M_semLib (22 << 16)
#define M_vwModNum (27 << 16)
#define M_symLib (28 << 16)
#define M_tyLib (31 << 16)
#define M_wdLib (34 << 16)
#define M_usrLib (35 << 16)
#define M_errnoLib (49 << 16)
#define M_hostLib (50 << 16)
#define M_sigLib (51 << 16)
#define M_selectLib (57 << 16)
#define M_hashLib (58 << 16)
#define M_qLib (59 << 16)
#define M_tickLib (60 << 16)
#define M_objLib (61 << 16)
#define M_bufLib (64 << 16)
#define M_msgQLib (65 << 16)
#define M_classLib (66 << 16)
#define M_intLib (67 << 16)
#define M_cacheLib (69 << 16)

#endif /* APP_SHIM_VX_MOD_NUM_H */
