/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The functions of compat/vxworks for programs that declare them themselves, or
 * not at all, instead of including their headers. Who includes a header has them
 * from there.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "vxWorks.h"

#include "cacheLib.h"
#include "errnoLib.h"
#include "excLib.h"
#include "fioLib.h"
#include "intLib.h"
#include "kernelLib.h"
#include "logLib.h"
#include "lstLib.h"
#include "memLib.h"
#include "memPartLib.h"
#include "msgQLib.h"
#include "objLib.h"
#include "rebootLib.h"
#include "rngLib.h"
#include "selectLib.h"
#include "semLib.h"
#include "sysLib.h"
#include "taskLib.h"
#include "tickLib.h"
#include "vxLib.h"
#include "wdLib.h"
