/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* sysLib.h: the system clock, the auxiliary clock, interrupt levels of a bus. */
#ifndef APP_SHIM_VX_SYS_LIB_H
#define APP_SHIM_VX_SYS_LIB_H

#include "app_shim_vx.h"
#include "iv.h"

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION int sysClkRateGet(void)
{
	app_shim_vx_begin();
	return (int)app_shim_clock_rate_get(APP_SHIM_CLOCK_SYSTEM);
}

APP_SHIM_VX_FUNCTION STATUS sysClkRateSet(int ticksPerSecond)
{
	app_shim_vx_begin();
	if (ticksPerSecond <= 0)
		return app_shim_vx_error(EINVAL);
	return app_shim_vx_status(app_shim_clock_rate_set(
		APP_SHIM_CLOCK_SYSTEM, (uint32_t)ticksPerSecond));
}

/* A routine for each tick besides the system's own work. */
APP_SHIM_VX_FUNCTION STATUS sysClkConnect(FUNCPTR routine, _Vx_usr_arg_t arg)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_clock_connect(
		APP_SHIM_CLOCK_SYSTEM,
		(app_shim_handler)(app_shim_vx_routine)routine, (void *)arg));
}

APP_SHIM_VX_FUNCTION void sysClkEnable(void)
{
	app_shim_vx_begin();
	app_shim_clock_enable(APP_SHIM_CLOCK_SYSTEM);
}

APP_SHIM_VX_FUNCTION void sysClkDisable(void)
{
	app_shim_vx_begin();
	app_shim_clock_disable(APP_SHIM_CLOCK_SYSTEM);
}

APP_SHIM_VX_FUNCTION int sysAuxClkRateGet(void)
{
	app_shim_vx_begin();
	return (int)app_shim_clock_rate_get(APP_SHIM_CLOCK_AUX);
}

APP_SHIM_VX_FUNCTION STATUS sysAuxClkRateSet(int ticksPerSecond)
{
	app_shim_vx_begin();
	if (ticksPerSecond <= 0)
		return app_shim_vx_error(EINVAL);
	return app_shim_vx_status(app_shim_clock_rate_set(
		APP_SHIM_CLOCK_AUX, (uint32_t)ticksPerSecond));
}

APP_SHIM_VX_FUNCTION STATUS sysAuxClkConnect(FUNCPTR routine, _Vx_usr_arg_t arg)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_clock_connect(
		APP_SHIM_CLOCK_AUX,
		(app_shim_handler)(app_shim_vx_routine)routine, (void *)arg));
}

APP_SHIM_VX_FUNCTION void sysAuxClkEnable(void)
{
	app_shim_vx_begin();
	app_shim_clock_enable(APP_SHIM_CLOCK_AUX);
}

APP_SHIM_VX_FUNCTION void sysAuxClkDisable(void)
{
	app_shim_vx_begin();
	app_shim_clock_disable(APP_SHIM_CLOCK_AUX);
}

/* Enables or disables all vectors of a level. All are enabled to begin with. */
APP_SHIM_VX_FUNCTION STATUS app_shim_vx_level(int level, int enable)
{
	uint32_t vector, priority;

	app_shim_vx_begin();
	if (level < 1 || level > APP_SHIM_PRIORITY_MAX)
		return app_shim_vx_error(EINVAL);
	for (vector = 0; vector < APP_SHIM_VECTORS; vector++) {
		if (app_shim_get_priority(vector, &priority) != APP_SHIM_OK ||
		    priority != (uint32_t)level)
			continue;
		if (enable)
			app_shim_enable(vector);
		else
			app_shim_disable(vector);
	}
	return OK;
}

APP_SHIM_VX_FUNCTION STATUS sysIntEnable(int intLevel)
{
	return app_shim_vx_level(intLevel, 1);
}

APP_SHIM_VX_FUNCTION STATUS sysIntDisable(int intLevel)
{
	return app_shim_vx_level(intLevel, 0);
}

/* Lines of a PC. */
APP_SHIM_VX_FUNCTION STATUS sysIntEnablePIC(int irq)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_enable((uint32_t)INT_NUM_GET(irq)));
}

APP_SHIM_VX_FUNCTION STATUS sysIntDisablePIC(int irq)
{
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_disable((uint32_t)INT_NUM_GET(irq)));
}

/* The vectors of a PC's lines. */
APP_SHIM_VX_FUNCTION UINT8 sysInumTbl[16] = {
	INT_NUM_IRQ0,	  INT_NUM_IRQ0 + 1,  INT_NUM_IRQ0 + 2,	INT_NUM_IRQ0 + 3,
	INT_NUM_IRQ0 + 4,  INT_NUM_IRQ0 + 5,  INT_NUM_IRQ0 + 6,	INT_NUM_IRQ0 + 7,
	INT_NUM_IRQ0 + 8,  INT_NUM_IRQ0 + 9,  INT_NUM_IRQ0 + 10, INT_NUM_IRQ0 + 11,
	INT_NUM_IRQ0 + 12, INT_NUM_IRQ0 + 13, INT_NUM_IRQ0 + 14, INT_NUM_IRQ0 + 15
};

/* A call to an interrupt of the bus: the vector is raised. */
APP_SHIM_VX_FUNCTION STATUS sysBusIntGen(int intLevel, int vector)
{
	(void)intLevel;
	app_shim_vx_begin();
	return app_shim_vx_status(app_shim_raise((uint32_t)vector, 0));
}

APP_SHIM_VX_FUNCTION STATUS sysBusIntAck(int intLevel)
{
	return intLevel >= 1 && intLevel <= 7 ? OK : ERROR;
}

/* There is no bus: its addresses are nobody's. */
APP_SHIM_VX_FUNCTION STATUS sysBusToLocalAdrs(int adrsSpace, char *busAdrs,
					      char **pLocalAdrs)
{
	(void)adrsSpace;
	(void)busAdrs;
	(void)pLocalAdrs;
	return app_shim_vx_error(ENODEV);
}

APP_SHIM_VX_FUNCTION STATUS sysLocalToBusAdrs(int adrsSpace, char *localAdrs,
					      char **pBusAdrs)
{
	return sysBusToLocalAdrs(adrsSpace, localAdrs, pBusAdrs);
}

APP_SHIM_VX_FUNCTION char *sysModel(void)
{
	static char model[] = "app-shim";

	return model;
}

APP_SHIM_VX_FUNCTION int sysProcNumGet(void)
{
	return 0;
}

APP_SHIM_VX_FUNCTION void sysUsDelay(UINT microseconds)
{
	app_shim_vx_begin();
	app_shim_delay_busy((uint64_t)microseconds * 1000u);
}

APP_SHIM_VX_FUNCTION void sysMsDelay(UINT milliseconds)
{
	app_shim_vx_begin();
	app_shim_delay_busy((uint64_t)milliseconds * 1000000u);
}

/* The timestamp: microseconds since the start. */
APP_SHIM_VX_FUNCTION STATUS sysTimestampEnable(void)
{
	app_shim_vx_begin();
	return OK;
}

APP_SHIM_VX_FUNCTION STATUS sysTimestampDisable(void)
{
	return ERROR;
}

APP_SHIM_VX_FUNCTION UINT32 sysTimestampFreq(void)
{
	return 1000000;
}

APP_SHIM_VX_FUNCTION UINT32 sysTimestampPeriod(void)
{
	return 0xffffffffu;
}

APP_SHIM_VX_FUNCTION UINT32 sysTimestamp(void)
{
	app_shim_vx_begin();
	return (UINT32)(app_shim_uptime_ns() / 1000u);
}

APP_SHIM_VX_FUNCTION UINT32 sysTimestampLock(void)
{
	return sysTimestamp();
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_SYS_LIB_H */
