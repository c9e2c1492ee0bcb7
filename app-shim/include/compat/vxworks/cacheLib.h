/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* cacheLib.h: caches that are coherent, so there is nothing to do. */
#ifndef APP_SHIM_VX_CACHE_LIB_H
#define APP_SHIM_VX_CACHE_LIB_H

#include "app_shim_vx.h"

typedef enum {
	INSTRUCTION_CACHE,
	DATA_CACHE,
	BRANCH_CACHE
} CACHE_TYPE;

#define ENTIRE_CACHE ((size_t)-1)

#define CACHE_DMA_FLUSH(address, bytes) ((void)(address), (void)(bytes))
#define CACHE_DMA_INVALIDATE(address, bytes) ((void)(address), (void)(bytes))
#define CACHE_DMA_VIRT_TO_PHYS(address) (address)
#define CACHE_DMA_PHYS_TO_VIRT(address) (address)
#define CACHE_PIPE_FLUSH() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION STATUS cacheFlush(CACHE_TYPE cache, void *address,
				       size_t bytes)
{
	(void)cache;
	(void)address;
	(void)bytes;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return OK;
}

APP_SHIM_VX_FUNCTION STATUS cacheInvalidate(CACHE_TYPE cache, void *address,
					    size_t bytes)
{
	return cacheFlush(cache, address, bytes);
}

APP_SHIM_VX_FUNCTION void *cacheDmaMalloc(size_t bytes)
{
	return app_shim_vx_allocate(bytes);
}

APP_SHIM_VX_FUNCTION STATUS cacheDmaFree(void *pBuf)
{
	app_shim_vx_free(pBuf);
	return OK;
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_CACHE_LIB_H */
