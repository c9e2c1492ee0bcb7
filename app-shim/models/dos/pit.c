/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * pit.c: the 8253 timer, the speaker's port, the retrace bit and the clock chip.
 * Counter 0 ticks; the others count for who reads them.
 */
#include <time.h>

#include "model.h"

enum { HZ = 1193182 };

static struct {
	uint32_t reload;
	uint16_t latch;
	uint8_t access, high, latched, low_byte;
	uint64_t since;
} counters[3];
static uint8_t speaker, retrace, cmos_index;

static uint64_t period_ns(void)
{
	uint32_t n = counters[0].reload ? counters[0].reload : 65536;

	return (uint64_t)n * 1000000000u / HZ;
}

static void tick(void *argument)
{
	(void)argument;
	/* Each tick counts, however late the program is. */
	dos_pic_edge(0);
	app_shim_dos_irq(0, 0);
	app_shim_dos_irq(0, 1);
}

static uint16_t count(unsigned n)
{
	uint32_t reload = counters[n].reload ? counters[n].reload : 65536;
	uint64_t ns = app_shim_now_ns() - counters[n].since;

	return (uint16_t)(reload - (uint64_t)((unsigned __int128)ns * HZ /
					      1000000000u) % reload);
}

static unsigned in(void *argument, unsigned port, unsigned bytes)
{
	unsigned n = port - 0x40, value;

	(void)argument;
	(void)bytes;
	if (n == 3)
		return 0xff;
	value = counters[n].latched ? counters[n].latch : count(n);
	if (counters[n].access == 1 || (counters[n].access == 3 &&
					!counters[n].high)) {
		if (counters[n].access == 3) {
			/* Both halves are of the same moment. */
			counters[n].latch = (uint16_t)value;
			counters[n].latched = counters[n].high = 1;
		} else {
			counters[n].latched = 0;
		}
		return value & 0xff;
	}
	counters[n].high = counters[n].latched = 0;
	return value >> 8;
}

static void reload(unsigned n, uint32_t value)
{
	counters[n].reload = value;
	counters[n].since = app_shim_now_ns();
	if (n == 0)
		app_shim_timer_set(TICK, period_ns(), period_ns());
}

static void out(void *argument, unsigned port, unsigned value, unsigned bytes)
{
	unsigned n = port - 0x40;

	(void)argument;
	(void)bytes;
	if (n == 3) {
		n = value >> 6;
		if (n == 3)
			return;
		if (!(value & 0x30)) {
			counters[n].latch = count(n);
			counters[n].latched = 1;
		} else {
			counters[n].access = value >> 4 & 3;
		}
		counters[n].high = 0;
		return;
	}
	if (counters[n].access == 1) {
		reload(n, value);
	} else if (counters[n].access == 2) {
		reload(n, value << 8);
	} else if (!counters[n].high) {
		counters[n].low_byte = (uint8_t)value;
		counters[n].high = 1;
	} else {
		counters[n].high = 0;
		reload(n, value << 8 | counters[n].low_byte);
	}
}

static unsigned misc_in(void *argument, unsigned port, unsigned bytes)
{
	static const uint8_t fields[10] = { 0, 0, 1, 1, 2, 2, 3, 4, 5, 6 };
	time_t seconds = (time_t)(app_shim_now_ns() / 1000000000u);
	struct timespec wall;
	struct tm t;
	int f[7];

	(void)argument;
	(void)bytes;
	if (port == 0x61) {
		/* The refresh bit, by which programs wait. */
		speaker ^= 0x10;
		return speaker;
	}
	if (port == 0x3da)
		return retrace ^= 9;
	if (port != 0x71)
		return cmos_index;
	if (cmos_index > 9)
		return cmos_index == 0x0b ? 2 : cmos_index == 0x0d ? 0x80 : 0x26;
	if (clock_gettime(CLOCK_REALTIME, &wall) == 0)
		seconds = wall.tv_sec;
	gmtime_r(&seconds, &t);
	f[0] = t.tm_sec, f[1] = t.tm_min, f[2] = t.tm_hour, f[3] = t.tm_wday + 1;
	f[4] = t.tm_mday, f[5] = t.tm_mon + 1, f[6] = t.tm_year % 100;
	f[0] = f[fields[cmos_index]];
	return (unsigned)(f[0] / 10 << 4 | f[0] % 10);
}

static void misc_out(void *argument, unsigned port, unsigned value,
		     unsigned bytes)
{
	(void)argument;
	(void)bytes;
	if (port == 0x61)
		speaker = (uint8_t)value;
	else if (port == 0x70)
		cmos_index = value & 0x7f;
}

void dos_pit_start(void)
{
	unsigned n;

	for (n = 0; n < 3; n++)
		counters[n].access = 3;
	app_shim_dos_hook_ports(0x40, 0x43, in, out, NULL);
	app_shim_dos_hook_ports(0x61, 0x61, misc_in, misc_out, NULL);
	app_shim_dos_hook_ports(0x70, 0x71, misc_in, misc_out, NULL);
	app_shim_dos_hook_ports(0x3da, 0x3da, misc_in, NULL, NULL);
	app_shim_connect(TICK, tick, NULL);
	app_shim_set_priority(TICK, HARDWARE);
	reload(0, 0);
}
