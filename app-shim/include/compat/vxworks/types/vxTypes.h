/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* types/vxTypes.h: VxWorks' names of types. */
#ifndef APP_SHIM_VX_TYPES_H
#define APP_SHIM_VX_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef signed char INT8;
typedef short INT16;
typedef int INT32;
typedef int64_t INT64;
typedef unsigned char UINT8;
typedef unsigned short UINT16;
typedef unsigned int UINT32;
typedef uint64_t UINT64;

typedef unsigned char UCHAR;
typedef unsigned short USHORT;
typedef unsigned int UINT;
typedef unsigned long ULONG;

typedef int BOOL;
typedef int STATUS;
typedef int ARGINT;
typedef void VOID;

/* What tasks, service routines and watchdogs are passed: it holds a pointer. */
typedef long _Vx_usr_arg_t;
typedef unsigned long _Vx_ticks_t;
typedef unsigned long _Vx_usr_uarg_t;

#ifdef __cplusplus
typedef int (*FUNCPTR)(...);
typedef void (*VOIDFUNCPTR)(...);
typedef double (*DBLFUNCPTR)(...);
typedef float (*FLTFUNCPTR)(...);
#else
typedef int (*FUNCPTR)();
typedef void (*VOIDFUNCPTR)();
typedef double (*DBLFUNCPTR)();
typedef float (*FLTFUNCPTR)();
#endif

/* The type of functions that pointers are cast through. */
typedef void (*app_shim_vx_routine)(void);

#endif /* APP_SHIM_VX_TYPES_H */
