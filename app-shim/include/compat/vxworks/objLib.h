/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* objLib.h: error numbers of all objects. */
#ifndef APP_SHIM_VX_OBJ_LIB_H
#define APP_SHIM_VX_OBJ_LIB_H

#include "vwModNum.h"
#include "vxWorks.h"

#define S_objLib_OBJ_ID_ERROR (M_objLib | 1)
#define S_objLib_OBJ_UNAVAILABLE (M_objLib | 2)
#define S_objLib_OBJ_DELETED (M_objLib | 3)
#define S_objLib_OBJ_TIMEOUT (M_objLib | 4)
#define S_objLib_OBJ_NO_METHOD (M_objLib | 5)

#endif /* APP_SHIM_VX_OBJ_LIB_H */
