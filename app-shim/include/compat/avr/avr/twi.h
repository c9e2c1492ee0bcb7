/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/twi.h: an older name of util/twi.h. */
#include <util/twi.h>
