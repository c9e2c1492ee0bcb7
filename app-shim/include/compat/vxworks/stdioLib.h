/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stdioLib.h: see the C library's, and fioLib.h. */
#include <stdio.h>

#include "fioLib.h"
