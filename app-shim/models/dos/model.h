/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * model.h: what the parts of the model share.
 *
 * One CPU: all state is touched with interrupts locked (app_shim_int_lock), by
 * who has the CPU. disable() is level CLI, so what happens outside of the CPU, at
 * a priority above it, goes on.
 */
#ifndef APP_SHIM_MODELS_DOS_MODEL_H
#define APP_SHIM_MODELS_DOS_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "app_shim.h"
#include "app_shim_dos.h"

enum { CLI = APP_SHIM_PRIORITY_MAX - 1, HARDWARE = APP_SHIM_PRIORITY_MAX };
/* Vectors outside of the CPU. */
enum { KEYS = 0xf0, COM = 0xf1, MODEM = 0xf3, TICK = 0xf8 };

/* pic.c: 1 where the interrupt of that vector may begin; it then has. */
int dos_pic_begin(unsigned line);
void dos_pic_start(void);
/* An edge that came as an event, which counts. */
void dos_pic_edge(unsigned line);
/* Has the routine of a request run. */
void dos_request(unsigned line);

void dos_uart_start(void);
void dos_pit_start(void);
void dos_keyboard_start(void);
/* machine.c: the program has set that vector. */
int dos_is_hooked(unsigned vector);
/* The next scan code was requested and is read by the model's INT 9. */
void dos_keyboard_int9(void);
unsigned dos_keyboard_shift(void);

/* services.c: what the BIOS and DOS do for an interrupt. */
void dos_service(unsigned vector);

/* The event's bytes, or its value's low byte; tells how many. */
const uint8_t *dos_event_bytes(uint8_t *one, uint32_t *n);

#define LOCK(key) int32_t key = app_shim_int_lock()
#define UNLOCK(key) app_shim_int_unlock(key)

#endif
