/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * ports.c: ports, external interrupts and pin-change interrupts.
 *
 * A pin whose interrupt is enabled raises that interrupt's vector, so that each
 * change is served with its own time and levels. Other pins that an interrupt
 * could watch raise a vector outside of the CPU, which sets the flag.
 */
#include "model.h"

static uint8_t flags[VECTORS];

static unsigned pins_of(unsigned port)
{
	return port == 1 ? 7 : 8;
}

void avr_ports_read(unsigned a)
{
	unsigned v, port, i;

	if (a == EIFR) {
		for (R(EIFR) = 0, v = 1; v <= 2; v++)
			R(EIFR) |= (uint8_t)(flags[v] << (v - 1));
		return;
	}
	if (a == PCIFR) {
		for (R(PCIFR) = 0, v = 3; v <= 5; v++)
			R(PCIFR) |= (uint8_t)(flags[v] << (v - 3));
		return;
	}
	if ((a - PINB) % 3 != 0)
		return;
	port = (a - PINB) / 3;
	R(a) = 0;
	for (i = 0; i < pins_of(port); i++)
		if (app_shim_pin_read(8 * port + i) > 0)
			R(a) |= (uint8_t)(1 << i);
}

static void pin_out(unsigned port, unsigned i, unsigned ddr, unsigned out)
{
	unsigned pin = 8 * port + i;

	app_shim_pin_mode(pin, ddr >> i & 1 ? APP_SHIM_PIN_OUTPUT :
			  out >> i & 1	    ? APP_SHIM_PIN_PULLUP :
					      APP_SHIM_PIN_INPUT);
	if (ddr >> i & 1)
		app_shim_pin_write(pin, out >> i & 1);
}

static uint8_t last_ddr[3], last_out[3];

static void put_out(unsigned port)
{
	unsigned ddr = R(PINB + 3 * port + 1), out = R(PINB + 3 * port + 2);
	unsigned changed = (ddr ^ last_ddr[port]) | (out ^ last_out[port]);
	unsigned i;

	last_ddr[port] = (uint8_t)ddr;
	last_out[port] = (uint8_t)out;
	for (i = 0; i < pins_of(port); i++)
		if (changed >> i & 1)
			pin_out(port, i, ddr, out);
}

/* Which vector a pin raises now, and on which edges. */
static void route(unsigned pin)
{
	static const uint32_t edges[4] = { APP_SHIM_EDGE_LOW, APP_SHIM_EDGE_CHANGE,
					   APP_SHIM_EDGE_FALLING,
					   APP_SHIM_EDGE_RISING };
	unsigned group = pin / 8;
	int change = R(PCMSK0 + group) >> (pin % 8) & 1;

	if ((pin == 18 || pin == 19) && avr_enabled(pin - 17)) {
		app_shim_pin_attach(pin, pin - 17,
				    edges[R(EICRA) >> 2 * (pin - 18) & 3]);
	} else if (change && avr_enabled(PCINT0 + group)) {
		app_shim_pin_attach(pin, PCINT0 + group, APP_SHIM_EDGE_CHANGE);
	} else if (pin == 8 * 0 && avr_enabled(TIMER1_CAPT)) {
		app_shim_pin_attach(pin, TIMER1_CAPT,
				    R(TCCR1B) & 0x40 ? APP_SHIM_EDGE_RISING :
						       APP_SHIM_EDGE_FALLING);
	} else if (change) {
		app_shim_pin_attach(pin, OUTSIDE + PCINT0 + group,
				    APP_SHIM_EDGE_CHANGE);
	} else if ((pin == 18 || pin == 19)) {
		app_shim_pin_attach(pin, OUTSIDE + pin - 17,
				    edges[R(EICRA) >> 2 * (pin - 18) & 3]);
	} else {
		app_shim_pin_detach(pin);
	}
}

static void route_all(void)
{
	unsigned pin;

	for (pin = 0; pin < 24; pin++)
		if (pin != 15)
			route(pin);
}

void avr_ports_write(unsigned a)
{
	unsigned v, port;

	if (a >= PINB && a <= PORTD) {
		port = (a - PINB) / 3;
		/* Writing ones to the input register toggles outputs. */
		if ((a - PINB) % 3 == 0)
			R(a + 2) ^= R(a);
		put_out(port);
		return;
	}
	if (a == EIFR || a == PCIFR) {
		unsigned first = a == EIFR ? INT0 : PCINT0;

		for (v = first; v < first + (a == EIFR ? 2 : 3); v++)
			if (R(a) >> (v - first) & 1) {
				flags[v] = 0;
				app_shim_clear_pending(v, NULL);
			}
		return;
	}
	route_all();
	/* A flag that was set before counts once. */
	for (v = INT0; v <= 5; v++)
		if (flags[v] && avr_enabled(v)) {
			flags[v] = 0;
			app_shim_raise(v, 0);
		}
}

void avr_ports_served(unsigned vector)
{
	app_shim_event event = { .size = sizeof(event) };

	flags[vector] = 0;
	/* An external interrupt's pin may be watched for changes as well. */
	if (vector <= 2 && avr_enabled(5) && R(PCMSK0 + 2) >> (vector + 1) & 1 &&
	    app_shim_current(&event) == APP_SHIM_OK) {
		app_shim_raise_args again = { .size = sizeof(again),
					      .vector = 5,
					      .time_ns = event.time_ns };

		app_shim_raise_event(&again);
	}
}

static void set_flag(void *argument)
{
	unsigned vector = (unsigned)(uintptr_t)argument;

	flags[vector] = 1;
	if (avr_enabled(vector)) {
		flags[vector] = 0;
		app_shim_raise(vector, 0);
	}
}

void avr_ports_start(void)
{
	unsigned v;

	for (v = INT0; v <= 5; v++)
		app_shim_vector_set(OUTSIDE + v, set_flag,
				    (void *)(uintptr_t)v, NULL, NULL);
}
