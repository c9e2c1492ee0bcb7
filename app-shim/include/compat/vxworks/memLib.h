/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* memLib.h: error numbers, and what the C library has. */
#ifndef APP_SHIM_VX_MEM_LIB_H
#define APP_SHIM_VX_MEM_LIB_H

#include <stdlib.h>

#include "vwModNum.h"
#include "vxWorks.h"

#define S_memLib_NOT_ENOUGH_MEMORY (M_memLib | 1)
#define S_memLib_INVALID_NBYTES (M_memLib | 2)
#define S_memLib_BLOCK_ERROR (M_memLib | 3)
#define S_memLib_NO_PARTITION_DESTROY (M_memLib | 4)
#define S_memLib_PAGE_SIZE_UNAVAILABLE (M_memLib | 5)

#define cfree(pBlock) free(pBlock)

#endif /* APP_SHIM_VX_MEM_LIB_H */
