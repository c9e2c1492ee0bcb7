/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/crc16.h: an older name of util/crc16.h. */
#include <util/crc16.h>
