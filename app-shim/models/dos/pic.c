/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * pic.c: two 8259 interrupt controllers, edge-triggered, the second one behind
 * line 2 of the first. Requests that events made are counted, not merged.
 */
#include "model.h"

struct pic {
	uint8_t mask, service;
	/* Initialisation words that are still to come; what is read. */
	uint8_t init, single, read_service;
	uint32_t wanted[8];
	uint8_t level;
	/* A routine is on its way. */
	uint8_t asked;
};

static struct pic pics[2];

/* Nothing of the same or a higher priority is in service. */
static int is_free(const struct pic *p, unsigned n)
{
	return !(p->mask >> n & 1) && !(p->service & ((2u << n) - 1));
}

static int may(unsigned line)
{
	unsigned n = line & 7;
	const struct pic *p = &pics[line >> 3];

	if (!p->wanted[n] || !is_free(p, n))
		return 0;
	return line < 8 || is_free(&pics[0], 2);
}

static void evaluate(void)
{
	unsigned line;

	for (line = 0; line < 16; line++) {
		struct pic *p = &pics[line >> 3];

		if (may(line) && !(p->asked >> (line & 7) & 1)) {
			p->asked |= (uint8_t)(1 << (line & 7));
			dos_request(line);
		}
	}
}

int dos_pic_begin(unsigned line)
{
	struct pic *p = &pics[line >> 3];
	uint8_t bit = (uint8_t)(1 << (line & 7));

	p->asked &= (uint8_t)~bit;
	if (!may(line))
		return 0;
	p->wanted[line & 7]--;
	p->service |= bit;
	if (line >= 8)
		pics[0].service |= 4;
	return 1;
}

void dos_pic_edge(unsigned line)
{
	pics[line >> 3].wanted[line & 7]++;
}

void app_shim_dos_irq(unsigned line, int level)
{
	struct pic *p = &pics[line >> 3 & 1];
	uint8_t bit = (uint8_t)(1 << (line & 7));
	LOCK(key);

	if (level && !(p->level & bit)) {
		if (!p->wanted[line & 7])
			p->wanted[line & 7] = 1;
		p->level |= bit;
		evaluate();
	} else if (!level) {
		p->level &= (uint8_t)~bit;
	}
	UNLOCK(key);
}

static unsigned in(void *argument, unsigned port, unsigned bytes)
{
	const struct pic *p = argument;
	unsigned value = 0, n;

	(void)bytes;
	if (port & 1)
		return p->mask;
	if (p->read_service)
		return p->service;
	for (n = 0; n < 8; n++)
		value |= (p->wanted[n] ? 1u : 0) << n;
	return value;
}

static void end(struct pic *p, unsigned value)
{
	unsigned n;

	if (value & 0x40) {
		p->service &= (uint8_t)~(1 << (value & 7));
		return;
	}
	for (n = 0; n < 8; n++)
		if (p->service >> n & 1) {
			p->service &= (uint8_t)~(1 << n);
			return;
		}
}

static void out(void *argument, unsigned port, unsigned value, unsigned bytes)
{
	struct pic *p = argument;

	(void)bytes;
	if (port & 1) {
		if (p->init)
			p->init--;
		else
			p->mask = (uint8_t)value;
	} else if (value & 0x10) {
		/* The words that follow; the vectors stay where they are. */
		p->init = (uint8_t)(1 + !(value & 2) + (value & 1));
		p->mask = p->service = 0;
	} else if (value & 0x08) {
		if (value & 2)
			p->read_service = value & 1;
	} else if (value & 0x20) {
		end(p, value);
	}
	evaluate();
}

void dos_pic_start(void)
{
	/* As the BIOS leaves them: tick, keyboard and the second one. */
	pics[0].mask = 0xb8;
	pics[1].mask = 0x9d;
	app_shim_dos_hook_ports(0x20, 0x21, in, out, &pics[0]);
	app_shim_dos_hook_ports(0xa0, 0xa1, in, out, &pics[1]);
}
