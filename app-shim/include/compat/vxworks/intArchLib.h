/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* intArchLib.h: see intLib.h. */
#include "intLib.h"
