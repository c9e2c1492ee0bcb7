/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* memPartLib.h: see memLib.h; partitions are not covered. */
#include "memLib.h"
