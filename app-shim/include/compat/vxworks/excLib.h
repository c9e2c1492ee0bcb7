/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* excLib.h: sources include it; of what it declares nothing is covered. */
#include "vxWorks.h"
