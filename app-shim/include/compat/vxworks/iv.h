/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* iv.h: interrupt vectors. They are those of the controller, 0 to 255. */
#ifndef APP_SHIM_VX_IV_H
#define APP_SHIM_VX_IV_H

#include "vxWorks.h"

#define INUM_TO_IVEC(number) ((VOIDFUNCPTR *)(long)(number))
#define IVEC_TO_INUM(vector) ((int)(long)(vector))

/* Lines of a PC's interrupt controllers, and their vectors. */
#define INT_NUM_IRQ0 0x20
#define INT_NUM_GET(irq) (INT_NUM_IRQ0 + (irq))

#endif /* APP_SHIM_VX_IV_H */
