/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * rngLib.h: rings of bytes. One who puts and one who gets need not lock against
 * each other, whichever of them is a service routine.
 *
 * The structure is VxWorks' own, since drivers use its macros; a ring therefore is
 * memory of the program and nothing of the controller's.
 */
#ifndef APP_SHIM_VX_RNG_LIB_H
#define APP_SHIM_VX_RNG_LIB_H

#include "app_shim_vx.h"

typedef struct {
	int pToBuf;   /* where the next byte is put */
	int pFromBuf; /* where the next byte is got */
	int bufSize;  /* one more than there is room for */
	char *buf;
} RING;

typedef RING *RING_ID;

/* Gets a byte if there is one; x: an int for the macro's own use. */
#define RNG_ELEM_GET(ringId, pch, x)                                        \
	((x) = __atomic_load_n(&(ringId)->pFromBuf, __ATOMIC_RELAXED),      \
	 (__atomic_load_n(&(ringId)->pToBuf, __ATOMIC_ACQUIRE) == (x)) ?    \
		 0 :                                                        \
		 (*(pch) = (ringId)->buf[x],                                \
		  __atomic_store_n(&(ringId)->pFromBuf,                     \
				   (x) + 1 == (ringId)->bufSize ? 0 :       \
								  (x) + 1,  \
				   __ATOMIC_RELEASE),                       \
		  1))

/* Puts a byte if there is room. */
#define RNG_ELEM_PUT(ringId, ch, x)                                         \
	((x) = __atomic_load_n(&(ringId)->pToBuf, __ATOMIC_RELAXED) + 1,    \
	 (x) = (x) == (ringId)->bufSize ? 0 : (x),                          \
	 (x) == __atomic_load_n(&(ringId)->pFromBuf, __ATOMIC_ACQUIRE) ?    \
		 0 :                                                        \
		 ((ringId)->buf[(ringId)->pToBuf] = (ch),                   \
		  __atomic_store_n(&(ringId)->pToBuf, (x), __ATOMIC_RELEASE), \
		  1))

#ifdef __cplusplus
extern "C" {
#endif

/* A ring with room for so many bytes. */
APP_SHIM_VX_FUNCTION RING_ID rngCreate(int nbytes)
{
	RING_ID ring;

	if (nbytes < 0 || nbytes > 0x7ffffff0) {
		errno = EINVAL;
		return NULL;
	}
	if (app_shim_in_isr()) {
		errno = M_intLib | 1;
		return NULL;
	}
	/* One place stays empty, so that full and empty differ. */
	ring = (RING_ID)app_shim_vx_allocate(sizeof(*ring) + (size_t)nbytes + 1);
	if (ring == NULL)
		return NULL;
	ring->bufSize = nbytes + 1;
	ring->buf = (char *)(ring + 1);
	return ring;
}

APP_SHIM_VX_FUNCTION void rngDelete(RING_ID ringId)
{
	if (ringId != NULL)
		app_shim_vx_free(ringId);
}

APP_SHIM_VX_FUNCTION int rngNBytes(RING_ID ringId)
{
	int used = __atomic_load_n(&ringId->pToBuf, __ATOMIC_ACQUIRE) -
		   __atomic_load_n(&ringId->pFromBuf, __ATOMIC_ACQUIRE);

	return used < 0 ? used + ringId->bufSize : used;
}

APP_SHIM_VX_FUNCTION int rngFreeBytes(RING_ID ringId)
{
	return ringId->bufSize - 1 - rngNBytes(ringId);
}

APP_SHIM_VX_FUNCTION BOOL rngIsEmpty(RING_ID ringId)
{
	return rngNBytes(ringId) == 0;
}

APP_SHIM_VX_FUNCTION BOOL rngIsFull(RING_ID ringId)
{
	return rngFreeBytes(ringId) == 0;
}

/* Empties it, as who gets would by getting everything. */
APP_SHIM_VX_FUNCTION void rngFlush(RING_ID ringId)
{
	__atomic_store_n(&ringId->pFromBuf,
			 __atomic_load_n(&ringId->pToBuf, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
}

/* Puts what there is room for; tells how much. */
APP_SHIM_VX_FUNCTION int rngBufPut(RING_ID ringId, char *buffer, int nbytes)
{
	int to = ringId->pToBuf;
	int room = rngFreeBytes(ringId);
	int first;

	if (nbytes > room)
		nbytes = room;
	if (nbytes <= 0)
		return 0;
	first = ringId->bufSize - to;
	if (first > nbytes)
		first = nbytes;
	memcpy(ringId->buf + to, buffer, (size_t)first);
	memcpy(ringId->buf, buffer + first, (size_t)(nbytes - first));
	to += nbytes;
	if (to >= ringId->bufSize)
		to -= ringId->bufSize;
	__atomic_store_n(&ringId->pToBuf, to, __ATOMIC_RELEASE);
	return nbytes;
}

/* Gets what there is, up to so much; tells how much. */
APP_SHIM_VX_FUNCTION int rngBufGet(RING_ID ringId, char *buffer, int maxbytes)
{
	int from = ringId->pFromBuf;
	int used = rngNBytes(ringId);
	int first;

	if (maxbytes > used)
		maxbytes = used;
	if (maxbytes <= 0)
		return 0;
	first = ringId->bufSize - from;
	if (first > maxbytes)
		first = maxbytes;
	memcpy(buffer, ringId->buf + from, (size_t)first);
	memcpy(buffer + first, ringId->buf, (size_t)(maxbytes - first));
	from += maxbytes;
	if (from >= ringId->bufSize)
		from -= ringId->bufSize;
	__atomic_store_n(&ringId->pFromBuf, from, __ATOMIC_RELEASE);
	return maxbytes;
}

/* Puts a byte so many places behind the last one, unseen as yet. */
APP_SHIM_VX_FUNCTION void rngPutAhead(RING_ID ringId, char byte, int offset)
{
	ringId->buf[(ringId->pToBuf + offset) % ringId->bufSize] = byte;
}

/* Makes so many bytes that were put ahead seen. */
APP_SHIM_VX_FUNCTION void rngMoveAhead(RING_ID ringId, int n)
{
	__atomic_store_n(&ringId->pToBuf,
			 (ringId->pToBuf + n) % ringId->bufSize,
			 __ATOMIC_RELEASE);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_RNG_LIB_H */
