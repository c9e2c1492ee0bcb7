/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/signal.h: an older name of avr/interrupt.h. */
#include <avr/interrupt.h>
