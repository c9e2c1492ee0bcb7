/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* timers.h: the clocks and timers of POSIX are the system's. */
#include <time.h>
