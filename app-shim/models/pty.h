/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pty.h: a pseudo-terminal as the other end of a serial line. */
#ifndef APP_SHIM_MODELS_PTY_H
#define APP_SHIM_MODELS_PTY_H

/* Its master, raw and not blocking, after its name has been told; -1: errno says why. */
int app_shim_pty(void);

#endif
