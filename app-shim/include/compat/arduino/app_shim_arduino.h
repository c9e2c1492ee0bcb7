/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The core of the Arduino facade, for C and C++: pins, interrupts, time, over
 * app_shim.h.
 *
 * Functions are weak definitions, so every source may include this and nothing
 * but the library has to be linked, which has a main() that calls setup() and
 * loop().
 *
 * The controller's pins are the board's. A pin's interrupt is the vector of its
 * number; other vectors: see below. All routines start with everything masked,
 * as on an AVR. noInterrupts() leaves one priority free, which belongs to the
 * world outside: see replay.h.
 */
#ifndef APP_SHIM_ARDUINO_H
#define APP_SHIM_ARDUINO_H

#ifndef ARDUINO
#define ARDUINO 10819
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../app_shim.h"

#define APP_SHIM_ARDUINO_WEAK __attribute__((__weak__))

/* Pins that have interrupts: 0 to this, on vectors of the same numbers. */
#define APP_SHIM_ARDUINO_PINS 128
/* Vectors whose events' values are what analogRead() gives, from A0 on. */
#define APP_SHIM_ARDUINO_ANALOG_VECTOR 200
#define APP_SHIM_ARDUINO_ANALOGS 16
/* Vector whose payloads Serial receives. */
#define APP_SHIM_ARDUINO_SERIAL_VECTOR 220
/* Vector of tone(). */
#define APP_SHIM_ARDUINO_TONE_VECTOR 230
/* The level of noInterrupts(). */
#define APP_SHIM_ARDUINO_MASKED (APP_SHIM_PRIORITY_MAX - 1)

/* Numbers of interrupts are those of pins, but for 0 to 3, as on most boards. */
#if defined(APP_SHIM_ARDUINO_INTERRUPTS_ARE_PINS) || defined(ESP8266) ||        \
	defined(ESP32) || defined(__SAM3X8E__)
#define APP_SHIM_ARDUINO_INTERRUPT(n) (n)
#else
#define APP_SHIM_ARDUINO_INTERRUPT(n) ((n) < 4 ? (n) ^ 2 : (n))
#endif

#define HIGH 0x1
#define LOW 0x0

#define INPUT 0x0
#define OUTPUT 0x1
#define INPUT_PULLUP 0x2
#define INPUT_PULLDOWN 0x3

#define CHANGE 2
#define FALLING 3
#define RISING 4

#define NOT_AN_INTERRUPT -1

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*voidFuncPtr)(void);
typedef void (*voidFuncPtrParam)(void *);

/* What a pin's interrupt calls. */
struct app_shim_arduino_isr {
	voidFuncPtr plain;
	voidFuncPtrParam with;
	void *argument;
};

/* What pulseIn() waits for. */
struct app_shim_arduino_pulse {
	uint32_t pin;
	int wanted;
	/* 0: that it ends, 1: that it begins, 2: that it ends again, 3: no more. */
	volatile int stage;
	volatile uint64_t from_ns, to_ns;
};

struct app_shim_arduino {
	volatile int begun;
	/* Time is virtual: reading it takes time. */
	int is_virtual;
	/* Uptime at which the program ends; 0: never. */
	uint64_t end_ns;
	struct app_shim_arduino_isr isr[APP_SHIM_ARDUINO_PINS];
	struct app_shim_arduino_pulse pulse;
	/* Registers that programs write, and as they have been acted upon. */
	volatile uint8_t out[APP_SHIM_PINS / 8], direction[APP_SHIM_PINS / 8];
	uint8_t out_done[APP_SHIM_PINS / 8], direction_done[APP_SHIM_PINS / 8];
	volatile int analog[APP_SHIM_ARDUINO_ANALOGS];
	/* Duty cycles, as analogWrite() has set them. */
	volatile int pwm[APP_SHIM_ARDUINO_PINS];
	/* What Serial has received by events. */
	uint8_t serial[4096];
	volatile uint32_t serial_put, serial_got;
	uint32_t tone_pin;
	volatile int tone_level;
	/* Toggles that are left; -1: no end. */
	volatile long tone_left;
	uint32_t random;
};

APP_SHIM_ARDUINO_WEAK struct app_shim_arduino app_shim_arduino;

/* In a sketch, what it does while it waits; here as there, it may be replaced. */
void yield(void) __attribute__((__weak__));

/* ---- The machine ------------------------------------------------------ */

APP_SHIM_ARDUINO_WEAK void app_shim_arduino_fail(const char *what)
{
	char text[256] = "";

	app_shim_last_error(text, sizeof(text));
	fprintf(stderr, "app-shim: %s: %s\n", what, text);
	exit(2);
}

APP_SHIM_ARDUINO_WEAK void app_shim_arduino_analog_event(void *argument)
{
	app_shim_event event;

	memset(&event, 0, sizeof(event));
	event.size = sizeof(event);
	if (app_shim_current(&event) == APP_SHIM_OK)
		app_shim_arduino.analog[(size_t)argument] = (int)event.value;
}

APP_SHIM_ARDUINO_WEAK void app_shim_arduino_serial_event(void *argument)
{
	struct app_shim_arduino *me = &app_shim_arduino;
	const uint8_t *bytes;
	app_shim_event event;
	uint32_t n;

	(void)argument;
	memset(&event, 0, sizeof(event));
	event.size = sizeof(event);
	if (app_shim_current(&event) != APP_SHIM_OK)
		return;
	bytes = (const uint8_t *)event.payload;
	for (n = 0; n < event.payload_len; n++) {
		/* What finds no room is lost, as it is there. */
		if (me->serial_put - me->serial_got == sizeof(me->serial))
			return;
		me->serial[me->serial_put % sizeof(me->serial)] = bytes[n];
		me->serial_put = me->serial_put + 1;
	}
}

/* "A0=512,A3=17": what analog inputs have to begin with. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_read_analog(const char *text)
{
	unsigned channel;
	int value, length;

	while (*text != '\0') {
		length = 0;
		if (sscanf(text, " A%u=%i%n", &channel, &value, &length) < 2 ||
		    channel >= APP_SHIM_ARDUINO_ANALOGS) {
			fprintf(stderr, "APP_SHIM_ARDUINO_ANALOG: %s?\n", text);
			exit(2);
		}
		app_shim_arduino.analog[channel] = value;
		text += length;
		if (*text == ',')
			text++;
	}
}

/* "1500ms", "20s", "300us": when the program ends. */
APP_SHIM_ARDUINO_WEAK uint64_t app_shim_arduino_read_time(const char *text)
{
	char *unit;
	uint64_t number = strtoull(text, &unit, 10);

	if (strcmp(unit, "us") == 0)
		return number * 1000u;
	if (strcmp(unit, "ms") == 0)
		return number * 1000000u;
	if (strcmp(unit, "s") == 0)
		return number * 1000000000u;
	fprintf(stderr, "APP_SHIM_ARDUINO_END: %s?\n", text);
	exit(2);
}

/* Makes and starts the controller, be it in a constructor of the program's. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_begin(void)
{
	struct app_shim_arduino *me = &app_shim_arduino;
	const char *text;
	app_shim_config config;
	size_t n;

	if (me->begun)
		return;
	me->begun = 1;
	if (app_shim_config_init(&config) != APP_SHIM_OK)
		app_shim_arduino_fail("configuration");
	config.flags |= APP_SHIM_FLAG_MASK_ALL;
	if (app_shim_init(&config) != APP_SHIM_OK)
		app_shim_arduino_fail("controller");
	for (n = 0; n < APP_SHIM_ARDUINO_ANALOGS; n++)
		app_shim_connect((uint32_t)(APP_SHIM_ARDUINO_ANALOG_VECTOR + n),
				 app_shim_arduino_analog_event, (void *)n);
	app_shim_connect(APP_SHIM_ARDUINO_SERIAL_VECTOR,
			 app_shim_arduino_serial_event, NULL);
	text = getenv("APP_SHIM_ARDUINO_ANALOG");
	if (text != NULL)
		app_shim_arduino_read_analog(text);
	text = getenv("APP_SHIM_ARDUINO_END");
	if (text != NULL && *text != '\0')
		me->end_ns = app_shim_arduino_read_time(text);
	if (app_shim_start() != APP_SHIM_OK)
		app_shim_arduino_fail("start");
	me->is_virtual = app_shim_clock_advance(0) == APP_SHIM_OK;
}

/* Has registers that were written act. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_sync(void)
{
	struct app_shim_arduino *me = &app_shim_arduino;
	uint8_t out, direction, changed;
	uint32_t byte, pin, bit;
	int32_t key;

	for (byte = 0; byte < sizeof(me->out); byte++)
		if (me->out[byte] != me->out_done[byte] ||
		    me->direction[byte] != me->direction_done[byte])
			break;
	if (byte == sizeof(me->out))
		return;
	key = app_shim_int_lock();
	for (; byte < sizeof(me->out); byte++) {
		out = me->out[byte];
		direction = me->direction[byte];
		changed = (uint8_t)((out ^ me->out_done[byte]) |
				    (direction ^ me->direction_done[byte]));
		for (bit = 0; bit < 8; bit++) {
			if ((changed >> bit & 1) == 0)
				continue;
			pin = byte * 8 + bit;
			/* A level that is there before the direction: no pulse. */
			app_shim_pin_write(pin, out >> bit & 1);
			app_shim_pin_mode(pin, direction >> bit & 1 ?
						       APP_SHIM_PIN_OUTPUT :
					       out >> bit & 1 ?
						       APP_SHIM_PIN_PULLUP :
						       APP_SHIM_PIN_INPUT);
			if ((direction & ~me->direction_done[byte]) >> bit & 1)
				app_shim_pin_write(pin, out >> bit & 1);
		}
		me->out_done[byte] = out;
		me->direction_done[byte] = direction;
	}
	app_shim_int_unlock(key);
}

/* Ends the program where that is due. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_end_if_due(void)
{
	if (app_shim_arduino.end_ns == 0 || app_shim_in_isr() ||
	    app_shim_uptime_ns() < app_shim_arduino.end_ns)
		return;
	app_shim_stop();
	fflush(stdout);
	exit(0);
}

/*
 * A call of the facade: registers act, and in virtual time it takes so long. So
 * loops that wait for a time or a level come to an end.
 */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_pass(uint64_t ns)
{
	if (!app_shim_arduino.begun)
		app_shim_arduino_begin();
	app_shim_arduino_sync();
	if (ns > 0 && app_shim_arduino.is_virtual && !app_shim_in_isr())
		app_shim_clock_advance(ns);
	if (app_shim_arduino.end_ns != 0)
		app_shim_arduino_end_if_due();
}

/* Waits a little, at most so long: until the next timer in virtual time. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_idle(uint64_t most_ns)
{
	uint64_t next;

	if (app_shim_arduino.is_virtual) {
		if (app_shim_clock_next(&next) != APP_SHIM_OK || next > most_ns)
			next = most_ns;
		app_shim_arduino_pass(next > 0 ? next : 1);
	} else if (app_shim_in_isr() || app_shim_level_get() > 0) {
		app_shim_delay_busy(most_ns < 10000 ? most_ns : 10000);
	} else {
		app_shim_delay(most_ns < 100000 ? most_ns : 100000);
		app_shim_arduino_pass(0);
	}
}

/* ---- Interrupts ------------------------------------------------------- */

APP_SHIM_ARDUINO_WEAK void noInterrupts(void)
{
	app_shim_arduino_pass(0);
	if (app_shim_level_get() < APP_SHIM_ARDUINO_MASKED)
		app_shim_level_set(APP_SHIM_ARDUINO_MASKED);
}

/* In a service routine, lets others interrupt it. */
APP_SHIM_ARDUINO_WEAK void interrupts(void)
{
	app_shim_arduino_pass(0);
	app_shim_level_set(APP_SHIM_LEVEL_NONE);
}

APP_SHIM_ARDUINO_WEAK void app_shim_arduino_served(void *argument)
{
	const struct app_shim_arduino_isr *isr =
		&app_shim_arduino.isr[(size_t)argument];
	voidFuncPtrParam with = isr->with;
	voidFuncPtr plain = isr->plain;

	if (plain != NULL)
		plain();
	else if (with != NULL)
		with(isr->argument);
	/* What it has written to registers. */
	app_shim_arduino_sync();
}

/* A pin that is used has its vector, so that service routines can arm it. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_know(uint32_t pin)
{
	if (pin < APP_SHIM_ARDUINO_PINS)
		app_shim_connect(pin, app_shim_arduino_served,
				 (void *)(size_t)pin);
}

APP_SHIM_ARDUINO_WEAK uint32_t app_shim_arduino_edge(int mode)
{
	switch (mode) {
	case LOW:
		return APP_SHIM_EDGE_LOW;
	case HIGH:
		return APP_SHIM_EDGE_HIGH;
	case FALLING:
		return APP_SHIM_EDGE_FALLING;
	case RISING:
		return APP_SHIM_EDGE_RISING;
	default:
		return APP_SHIM_EDGE_CHANGE;
	}
}

APP_SHIM_ARDUINO_WEAK void
app_shim_arduino_attach(uint32_t pin, struct app_shim_arduino_isr isr, int mode)
{
	static const char late[] =
		"attachInterrupt: a pin's first use is in a service routine\n";
	int32_t key;

	app_shim_arduino_pass(0);
	if (pin >= APP_SHIM_ARDUINO_PINS)
		return;
	app_shim_arduino_know(pin);
	key = app_shim_int_lock();
	app_shim_arduino.isr[pin] = isr;
	if (app_shim_pin_attach(pin, pin, app_shim_arduino_edge(mode)) ==
	    APP_SHIM_IN_ISR)
		app_shim_log_text(late, sizeof(late) - 1);
	app_shim_int_unlock(key);
}

/*
 * Calls a function at a pin's edges; with LOW and HIGH, at every event that finds
 * it so. Again for the same pin: that function, at those edges.
 */
APP_SHIM_ARDUINO_WEAK void attachInterrupt(uint8_t interrupt,
					   voidFuncPtr function, int mode)
{
	struct app_shim_arduino_isr isr;

	memset(&isr, 0, sizeof(isr));
	isr.plain = function;
	app_shim_arduino_attach(APP_SHIM_ARDUINO_INTERRUPT(interrupt), isr,
				mode);
}

APP_SHIM_ARDUINO_WEAK void attachInterruptArg(uint8_t interrupt,
					      voidFuncPtrParam function,
					      void *argument, int mode)
{
	struct app_shim_arduino_isr isr;

	memset(&isr, 0, sizeof(isr));
	isr.with = function;
	isr.argument = argument;
	app_shim_arduino_attach(APP_SHIM_ARDUINO_INTERRUPT(interrupt), isr,
				mode);
}

/* The same, as others call it. */
APP_SHIM_ARDUINO_WEAK void attachInterruptParam(uint8_t interrupt,
						voidFuncPtrParam function,
						int mode, void *argument)
{
	attachInterruptArg(interrupt, function, argument, mode);
}

APP_SHIM_ARDUINO_WEAK void detachInterrupt(uint8_t interrupt)
{
	uint32_t pin = APP_SHIM_ARDUINO_INTERRUPT(interrupt);
	int32_t key;

	app_shim_arduino_pass(0);
	if (pin >= APP_SHIM_ARDUINO_PINS)
		return;
	key = app_shim_int_lock();
	app_shim_pin_detach(pin);
	memset(&app_shim_arduino.isr[pin], 0, sizeof(app_shim_arduino.isr[pin]));
	app_shim_int_unlock(key);
}

/* ---- Pins ------------------------------------------------------------- */

APP_SHIM_ARDUINO_WEAK void
app_shim_arduino_register(volatile uint8_t *all, uint8_t *done, uint32_t pin,
			  int set)
{
	uint8_t bit = (uint8_t)(1u << pin % 8);

	if (set) {
		__atomic_fetch_or(&all[pin / 8], bit, __ATOMIC_SEQ_CST);
		__atomic_fetch_or(&done[pin / 8], bit, __ATOMIC_SEQ_CST);
	} else {
		bit = (uint8_t)~bit;
		__atomic_fetch_and(&all[pin / 8], bit, __ATOMIC_SEQ_CST);
		__atomic_fetch_and(&done[pin / 8], bit, __ATOMIC_SEQ_CST);
	}
}

APP_SHIM_ARDUINO_WEAK void pinMode(uint8_t pin, uint8_t mode)
{
	struct app_shim_arduino *me = &app_shim_arduino;
	int32_t key;

	app_shim_arduino_pass(0);
	if (!app_shim_in_isr())
		app_shim_arduino_know(pin);
	key = app_shim_int_lock();
	app_shim_arduino_register(me->direction, me->direction_done, pin,
				  mode == OUTPUT);
	switch (mode) {
	case OUTPUT:
		app_shim_pin_mode(pin, APP_SHIM_PIN_OUTPUT);
		/* Now that it is one, who listens hears its level. */
		app_shim_pin_write(pin, me->out[pin / 8] >> pin % 8 & 1);
		break;
	case INPUT_PULLUP:
		app_shim_arduino_register(me->out, me->out_done, pin, 1);
		app_shim_pin_mode(pin, APP_SHIM_PIN_PULLUP);
		break;
	case INPUT_PULLDOWN:
		app_shim_arduino_register(me->out, me->out_done, pin, 0);
		app_shim_pin_mode(pin, APP_SHIM_PIN_PULLDOWN);
		break;
	default:
		app_shim_arduino_register(me->out, me->out_done, pin, 0);
		app_shim_pin_mode(pin, APP_SHIM_PIN_INPUT);
		break;
	}
	app_shim_int_unlock(key);
}

APP_SHIM_ARDUINO_WEAK int digitalRead(uint8_t pin)
{
	app_shim_arduino_pass(1000);
	return app_shim_pin_read(pin) == 1 ? HIGH : LOW;
}

/* On an input: its pull-up, as on an AVR. */
APP_SHIM_ARDUINO_WEAK void digitalWrite(uint8_t pin, uint8_t level)
{
	struct app_shim_arduino *me = &app_shim_arduino;

	app_shim_arduino_pass(0);
	app_shim_arduino_register(me->out, me->out_done, pin, level != LOW);
	app_shim_pin_write(pin, level != LOW);
}

/* What an analog input gives from now on, 0 for A0. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_set_analog(unsigned channel,
						       int value)
{
	if (channel < APP_SHIM_ARDUINO_ANALOGS)
		app_shim_arduino.analog[channel] = value;
}

/* The duty cycle that analogWrite() has set; -1: none. */
APP_SHIM_ARDUINO_WEAK int app_shim_arduino_get_pwm(unsigned pin)
{
	if (pin >= APP_SHIM_ARDUINO_PINS)
		return -1;
	return app_shim_arduino.pwm[pin] - 1;
}

/* Takes as long as on an AVR. */
APP_SHIM_ARDUINO_WEAK int analogRead(uint8_t pin)
{
	unsigned channel = pin >= 14 ? pin - 14u : pin;

	app_shim_arduino_pass(100000);
	if (channel >= APP_SHIM_ARDUINO_ANALOGS)
		return 0;
	return app_shim_arduino.analog[channel];
}

/* The voltage that is the highest value: values come as they are. */
APP_SHIM_ARDUINO_WEAK void analogReference(uint8_t mode)
{
	(void)mode;
	app_shim_arduino_pass(0);
}

/* The pin is as its signal is at the middle of each period. */
APP_SHIM_ARDUINO_WEAK void analogWrite(uint8_t pin, int value)
{
	pinMode(pin, OUTPUT);
	if (pin < APP_SHIM_ARDUINO_PINS)
		app_shim_arduino.pwm[pin] = value + 1;
	digitalWrite(pin, value >= 128 ? HIGH : LOW);
}

/* ---- Time ------------------------------------------------------------- */

/* In a service routine, when its event happened. Does not wrap. */
APP_SHIM_ARDUINO_WEAK unsigned long micros(void)
{
	app_shim_arduino_pass(1000);
	return (unsigned long)(app_shim_uptime_ns() / 1000u);
}

APP_SHIM_ARDUINO_WEAK unsigned long millis(void)
{
	app_shim_arduino_pass(1000);
	return (unsigned long)(app_shim_uptime_ns() / 1000000u);
}

/* Waits, but not beyond the end. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_wait(uint64_t ns, int busy)
{
	struct app_shim_arduino *me = &app_shim_arduino;
	uint64_t now;

	app_shim_arduino_pass(0);
	if (app_shim_in_isr()) {
		app_shim_delay_busy(ns);
		return;
	}
	if (me->end_ns != 0) {
		now = app_shim_uptime_ns();
		if (now < me->end_ns && ns > me->end_ns - now)
			ns = me->end_ns - now;
	}
	/* Who waits with interrupts off keeps them off. */
	if (busy || app_shim_level_get() > 0)
		app_shim_delay_busy(ns);
	else
		app_shim_delay(ns);
	app_shim_arduino_pass(0);
}

APP_SHIM_ARDUINO_WEAK void delay(unsigned long ms)
{
	if (yield != NULL && !app_shim_in_isr())
		yield();
	app_shim_arduino_wait((uint64_t)ms * 1000000u, 0);
}

APP_SHIM_ARDUINO_WEAK void delayMicroseconds(unsigned int us)
{
	app_shim_arduino_wait((uint64_t)us * 1000u, 1);
}

/* ---- Pulses ----------------------------------------------------------- */

APP_SHIM_ARDUINO_WEAK void app_shim_arduino_pulse_edge(uint64_t now, int level)
{
	struct app_shim_arduino_pulse *pulse = &app_shim_arduino.pulse;

	if (pulse->stage == 1 && level == pulse->wanted) {
		pulse->from_ns = now;
		pulse->stage = 2;
	} else if (level != pulse->wanted) {
		if (pulse->stage == 2)
			pulse->to_ns = now;
		if (pulse->stage == 0 || pulse->stage == 2)
			pulse->stage = pulse->stage + 1;
	}
}

APP_SHIM_ARDUINO_WEAK void app_shim_arduino_pulse_served(void *argument)
{
	(void)argument;
	app_shim_arduino_pulse_edge(
		app_shim_now_ns(),
		app_shim_pin_read(app_shim_arduino.pulse.pin));
}

/*
 * Length of the next pulse in microseconds, 0 where none ends in time. From the
 * times of its edges, however late this program gets to see them; with interrupts
 * off, or where the pin has an interrupt of its own, by looking.
 */
APP_SHIM_ARDUINO_WEAK unsigned long pulseIn(uint8_t pin, uint8_t state,
					    unsigned long timeout)
{
	struct app_shim_arduino *me = &app_shim_arduino;
	struct app_shim_arduino_pulse *pulse = &me->pulse;
	uint64_t begin, limit = (uint64_t)timeout * 1000u, passed = 0;
	struct app_shim_arduino_isr saved, ours;
	int listens;

	app_shim_arduino_pass(0);
	if (app_shim_in_isr() || pin >= APP_SHIM_ARDUINO_PINS)
		return 0;
	saved = me->isr[pin];
	listens = app_shim_level_get() == 0 && saved.plain == NULL &&
		  saved.with == NULL;
	pulse->pin = pin;
	pulse->wanted = state != LOW;
	pulse->stage = 4;
	if (listens) {
		memset(&ours, 0, sizeof(ours));
		ours.with = app_shim_arduino_pulse_served;
		app_shim_arduino_attach(pin, ours, CHANGE);
	}
	begin = app_shim_now_ns();
	pulse->stage = app_shim_pin_read(pin) == pulse->wanted ? 0 : 1;
	while (pulse->stage < 3 && passed < limit) {
		app_shim_arduino_idle(listens ? limit - passed : 1000);
		if (!listens)
			app_shim_arduino_pulse_edge(app_shim_now_ns(),
						    app_shim_pin_read(pin));
		passed = app_shim_now_ns() - begin;
	}
	if (listens) {
		app_shim_pin_detach(pin);
		me->isr[pin] = saved;
	}
	if (pulse->stage < 3)
		return 0;
	return (unsigned long)((pulse->to_ns - pulse->from_ns + 500) / 1000);
}

APP_SHIM_ARDUINO_WEAK unsigned long pulseInLong(uint8_t pin, uint8_t state,
						unsigned long timeout)
{
	return pulseIn(pin, state, timeout);
}

#define LSBFIRST 0
#define MSBFIRST 1

APP_SHIM_ARDUINO_WEAK uint8_t shiftIn(uint8_t data, uint8_t clock,
				      uint8_t order)
{
	uint8_t value = 0;
	int n;

	for (n = 0; n < 8; n++) {
		digitalWrite(clock, HIGH);
		value = (uint8_t)(value | digitalRead(data)
						  << (order == LSBFIRST ? n :
									  7 - n));
		digitalWrite(clock, LOW);
	}
	return value;
}

APP_SHIM_ARDUINO_WEAK void shiftOut(uint8_t data, uint8_t clock, uint8_t order,
				    uint8_t value)
{
	int n;

	for (n = 0; n < 8; n++) {
		digitalWrite(data, value >> (order == LSBFIRST ? n : 7 - n) & 1);
		digitalWrite(clock, HIGH);
		digitalWrite(clock, LOW);
	}
}

/* ---- Tones ------------------------------------------------------------ */

APP_SHIM_ARDUINO_WEAK void app_shim_arduino_tone_served(void *argument)
{
	struct app_shim_arduino *me = &app_shim_arduino;

	(void)argument;
	if (me->tone_left == 0) {
		app_shim_timer_cancel(APP_SHIM_ARDUINO_TONE_VECTOR);
		digitalWrite((uint8_t)me->tone_pin, LOW);
		return;
	}
	if (me->tone_left > 0)
		me->tone_left = me->tone_left - 1;
	me->tone_level = !me->tone_level;
	digitalWrite((uint8_t)me->tone_pin, (uint8_t)me->tone_level);
}

APP_SHIM_ARDUINO_WEAK void noTone(uint8_t pin)
{
	app_shim_arduino_pass(0);
	app_shim_timer_cancel(APP_SHIM_ARDUINO_TONE_VECTOR);
	digitalWrite(pin, LOW);
}

/* One at a time. C has no default arguments: see Arduino.h for the other one. */
APP_SHIM_ARDUINO_WEAK void app_shim_arduino_tone(uint8_t pin, unsigned hertz,
						 unsigned long ms)
{
	struct app_shim_arduino *me = &app_shim_arduino;
	uint64_t half;

	app_shim_arduino_pass(0);
	app_shim_timer_cancel(APP_SHIM_ARDUINO_TONE_VECTOR);
	if (hertz == 0)
		return;
	half = 500000000u / hertz;
	pinMode(pin, OUTPUT);
	app_shim_connect(APP_SHIM_ARDUINO_TONE_VECTOR,
			 app_shim_arduino_tone_served, NULL);
	me->tone_pin = pin;
	me->tone_level = 0;
	me->tone_left = ms == 0 ? -1 : (long)(2 * (uint64_t)hertz * ms / 1000);
	app_shim_timer_set(APP_SHIM_ARDUINO_TONE_VECTOR, half, half);
}

/* ---- Random numbers: the generator of avr-libc ------------------------- */

APP_SHIM_ARDUINO_WEAK long app_shim_arduino_random(void)
{
	uint64_t next = app_shim_arduino.random;

	if (next == 0)
		next = 1;
	next = next * 16807u % 2147483647u;
	app_shim_arduino.random = (uint32_t)next;
	return (long)next;
}

APP_SHIM_ARDUINO_WEAK void randomSeed(unsigned long seed)
{
	if (seed != 0)
		app_shim_arduino.random = (uint32_t)(seed % 2147483647u);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_ARDUINO_H */
