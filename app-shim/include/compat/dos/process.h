/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* process.h: processes, as far as the system has the same. */
#ifndef APP_SHIM_DOS_PROCESS_H
#define APP_SHIM_DOS_PROCESS_H

#include "keywords.h"

#include <stdlib.h>
#include <unistd.h>

#define P_WAIT 0
#define P_NOWAIT 1
#define P_OVERLAY 2

#ifdef __cplusplus
extern "C" {
#endif

int spawnl(int mode, const char *path, const char *argument, ...);
int spawnv(int mode, const char *path, char *const arguments[]);
int spawnvp(int mode, const char *path, char *const arguments[]);

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_DOS_PROCESS_H */
