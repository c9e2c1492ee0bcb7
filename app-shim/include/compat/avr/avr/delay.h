/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/delay.h: an older name of util/delay.h. */
#include <util/delay.h>
