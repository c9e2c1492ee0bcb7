/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* vxTypes.h: the same types under their older header's name. */
#include "types/vxTypes.h"
