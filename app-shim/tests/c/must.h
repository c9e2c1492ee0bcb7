/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What must hold, or the program says where it does not and ends. */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			exit(1);                                               \
		}                                                              \
	} while (0)

#endif /* MUST_H */
