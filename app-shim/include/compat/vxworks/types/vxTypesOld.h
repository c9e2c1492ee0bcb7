/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* types/vxTypesOld.h: the same types under their older header's name. */
#include "vxTypes.h"
