/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* drv/timer/timestampDev.h: the timestamp; see sysLib.h. */
#include "../../sysLib.h"
