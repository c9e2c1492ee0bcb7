/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * replay.h: events from a list, at their times.
 *
 * APP_SHIM_REPLAY names a file of lines
 *
 *   TIME pin N LEVEL         TIME serial "text"         # comment
 *   TIME vector N [VALUE]    TIME key "text"
 *
 * where TIME is microseconds since the start, in order, and text may have \r,
 * \n, \e, \\, \" and \xHH.
 */
#ifndef APP_SHIM_MODELS_REPLAY_H
#define APP_SHIM_MODELS_REPLAY_H

#include <stdint.h>

/* Starts it, on vector 255; 0: the model has no such thing. */
void replay_start(uint32_t priority, uint32_t serial_vector,
		  uint32_t key_vector);

#endif
