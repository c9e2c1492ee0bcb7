// SPDX-License-Identifier: MIT OR Apache-2.0
// A sketch with the vectors that an Uno's pins have, by registers. It raises pins itself, at times that it chooses.

#include <Arduino.h>

#include "must.h"

static uint64_t now = 1000;

static void raise(uint8_t pin, int level)
{
	static uint64_t start = app_shim_now_ns() - app_shim_uptime_ns();

	now += 100;
	CHECK(app_shim_pin_raise(pin, level, start + now * 1000) == APP_SHIM_OK);
}

// A decoder of pulse widths, as receivers of remote controls have it.
static volatile uint8_t last;
static volatile unsigned long begun;
static volatile unsigned long width;
static volatile int changes[3];
static volatile int edges[2];

ISR(PCINT2_vect)
{
	uint8_t levels = PIND;
	uint8_t changed = levels ^ last;

	changes[2]++;
	last = levels;
	if (changed & _BV(PD4)) {
		if (levels & _BV(PIND4))
			begun = micros();
		else
			width = micros() - begun;
	}
}

ISR(PCINT0_vect, ISR_NOBLOCK)
{
	changes[0]++;
}

ISR(PCINT1_vect, ISR_ALIASOF(PCINT0_vect));

SIGNAL(INT0_vect)
{
	edges[0]++;
}

ISR(INT1_vect)
{
	edges[1]++;
}

static void rows()
{
	// As on the part: only the mask, then only the row, serve nothing.
	PCMSK2 |= _BV(PCINT20) | (1 << PCINT21);
	raise(4, 1);
	raise(4, 0);
	CHECK(changes[2] == 0);
	PCICR |= _BV(PCIE2);
	CHECK(PCICR == 4 && PCMSK2 == 0x30);
	raise(4, 1);
	now += 1400;
	raise(4, 0);
	CHECK(changes[2] == 2 && width == 1500);
	raise(5, 1);
	raise(6, 1);
	CHECK(changes[2] == 3);
	PCMSK2 &= ~_BV(PCINT21);
	raise(5, 0);
	CHECK(changes[2] == 3);

	// The core's names for it: pin 9 is in the first row, A2 in the second.
	for (uint8_t pin : { (uint8_t)9, (uint8_t)A2 }) {
		*digitalPinToPCMSK(pin) |= bit(digitalPinToPCMSKbit(pin));
		PCIFR |= bit(digitalPinToPCICRbit(pin));
		*digitalPinToPCICR(pin) |= bit(digitalPinToPCICRbit(pin));
	}
	CHECK(PCMSK0 == _BV(PCINT1) && PCMSK1 == _BV(PCINT10) && PCICR == 7);
	raise(9, 1);
	raise(A2, 1);
	raise(9, 0);
	CHECK(changes[0] == 3);
	CHECK(digitalPinToPCICR(20) == 0 && digitalPinToPCMSK(20) == 0);

	// None while interrupts are off; all of them when they are on.
	noInterrupts();
	raise(9, 1);
	raise(9, 0);
	CHECK(changes[0] == 3);
	interrupts();
	CHECK(changes[0] == 5);
	PCICR = 0;
	raise(4, 1);
	raise(9, 1);
	CHECK(changes[0] == 5 && changes[2] == 3);
}

static void pins()
{
	EICRA = (1 << ISC01) | (1 << ISC10);
	EIMSK |= (1 << INT0) | (1 << INT1);
	for (int n = 0; n < 3; n++) {
		raise(2, 1);
		raise(2, 0);
		raise(3, 1);
	}
	raise(3, 0);
	// Falling; any.
	CHECK(edges[0] == 3 && edges[1] == 2);
	EIFR = _BV(INTF0);
	CHECK(EIFR == 0);
	EICRA |= (1 << ISC00);
	raise(2, 1);
	raise(2, 0);
	CHECK(edges[0] == 4);
	EIMSK &= ~(1 << INT0);
	raise(2, 1);
	CHECK(edges[0] == 4);
	// And another routine after it.
	attachInterrupt(digitalPinToInterrupt(2), [] { edges[0] += 10; }, FALLING);
	raise(2, 0);
	CHECK(edges[0] == 14);
}

void setup()
{
	rows();
	pins();
	Serial.println("done");
	Serial.flush();
	exit(0);
}

void loop()
{
}
