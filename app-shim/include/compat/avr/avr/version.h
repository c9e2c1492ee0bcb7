/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/version.h: the version of the C library whose interface this is. */
#include <avr/io.h>
