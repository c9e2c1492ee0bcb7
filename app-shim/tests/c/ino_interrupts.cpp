// SPDX-License-Identifier: MIT OR Apache-2.0
// A sketch that tries its own interrupts. It raises pins itself, at times that it chooses.

#include <Arduino.h>
#include <FunctionalInterrupt.h>
#include <util/atomic.h>

#include "must.h"

static void at(uint64_t us, uint8_t pin, int level)
{
	// From the start of the controller, which millis() counts from.
	static uint64_t start = app_shim_now_ns() - app_shim_uptime_ns();

	CHECK(app_shim_pin_raise(pin, level, start + us * 1000) == APP_SHIM_OK);
}

static volatile int calls;
static volatile unsigned long when;
static volatile int level_inside;

static void count()
{
	calls++;
	when = micros();
	level_inside = digitalRead(3);
}

static int calls_for(int mode)
{
	static const int levels[] = { 1, 1, 0, 0, 1, 0 };
	static uint64_t time = 1000;

	calls = 0;
	attachInterrupt(digitalPinToInterrupt(3), count, mode);
	for (int level : levels)
		at(time += 100, 3, level);
	detachInterrupt(digitalPinToInterrupt(3));
	at(time += 100, 3, 0);
	return calls;
}

static void edges()
{
	pinMode(3, INPUT);
	CHECK(calls_for(RISING) == 2);
	CHECK(calls_for(FALLING) == 2);
	CHECK(calls_for(CHANGE) == 4);
	CHECK(calls_for(LOW) == 3);
	CHECK(calls_for(HIGH) == 3);
	// The number of an interrupt, as sketches for an Uno have it.
	CHECK(digitalPinToInterrupt(2) == 0 && digitalPinToInterrupt(3) == 1);
	calls = 0;
	attachInterrupt(0, count, RISING);
	at(10000, 2, 1);
	CHECK(calls == 1);
	detachInterrupt(0);
	at(10100, 2, 0);
	CHECK(digitalRead(2) == LOW);
	at(10200, 2, 1);
	CHECK(calls == 1 && digitalRead(2) == HIGH);
	// Any pin has one.
	attachInterrupt(digitalPinToInterrupt(77), count, CHANGE);
	at(10300, 77, 1);
	CHECK(calls == 2);
	detachInterrupt(digitalPinToInterrupt(77));
}

// What inputs say inside a routine is what they said when its event happened.
static void latched()
{
	attachInterrupt(digitalPinToInterrupt(3), count, CHANGE);
	noInterrupts();
	at(20000, 3, 1);
	at(20007, 3, 0);
	at(20011, 3, 1);
	calls = 0;
	delayMicroseconds(50);
	CHECK(calls == 0);
	interrupts();
	CHECK(calls == 3 && when == 20011 && level_inside == HIGH);
	CHECK(micros() >= 20011);
	detachInterrupt(digitalPinToInterrupt(3));
	at(20020, 3, 0);
}

static volatile unsigned long rose, width;
static volatile uint8_t *input;
static uint8_t mask;
static volatile int wrong;

static void falls();

static void rises()
{
	rose = micros();
	if (!(*input & mask) || millis() != rose / 1000)
		wrong++;
	attachInterrupt(digitalPinToInterrupt(4), falls, FALLING);
}

static void falls()
{
	width = micros() - rose;
	if (*input & mask)
		wrong++;
	attachInterrupt(digitalPinToInterrupt(4), rises, RISING);
}

// A pulse's width, by a routine that arms the other edge, however late it runs.
static void pulses()
{
	pinMode(4, INPUT);
	input = portInputRegister(digitalPinToPort(4));
	mask = digitalPinToBitMask(4);
	attachInterrupt(digitalPinToInterrupt(4), rises, RISING);
	for (unsigned long n = 0; n < 200; n++) {
		uint64_t begin = 30000 + 2000 * n;
		if (n % 2)
			noInterrupts();
		at(begin, 4, 1);
		at(begin + 1000 + n, 4, 0);
		if (n % 2)
			interrupts();
		CHECK(width == 1000 + n);
	}
	CHECK(wrong == 0);
	detachInterrupt(digitalPinToInterrupt(4));
}

static void armed_by_another()
{
	pinMode(5, INPUT);
	pinMode(6, INPUT);
	calls = 0;
	attachInterrupt(digitalPinToInterrupt(5), [] {
		attachInterrupt(digitalPinToInterrupt(6), count, RISING);
		detachInterrupt(digitalPinToInterrupt(5));
	}, RISING);
	at(500000, 6, 1);
	at(500010, 6, 0);
	CHECK(calls == 0);
	at(500020, 5, 1);
	at(500030, 6, 1);
	CHECK(calls == 1);
	at(500040, 5, 0);
	at(500050, 5, 1);
	CHECK(calls == 1);
	detachInterrupt(digitalPinToInterrupt(6));
}

static void add(void *to)
{
	*static_cast<volatile int *>(to) += 10;
}

struct Counter {
	int n = 0;
	void hit()
	{
		n++;
	}
};

static void arguments()
{
	static volatile int sum;
	Counter counter;
	int captured = 0;

	attachInterruptArg(digitalPinToInterrupt(7), add, (void *)&sum, RISING);
	at(510000, 7, 1);
	CHECK(sum == 10);
	attachInterrupt(digitalPinToInterrupt(7), [&captured] { captured++; },
			CHANGE);
	at(510010, 7, 0);
	at(510020, 7, 1);
	CHECK(captured == 2 && sum == 10);
	attachInterrupt(digitalPinToInterrupt(7),
			std::bind(&Counter::hit, &counter), FALLING);
	at(510030, 7, 0);
	CHECK(counter.n == 1);
	detachInterrupt(digitalPinToInterrupt(7));
}

static String order;

static void locks()
{
	attachInterrupt(digitalPinToInterrupt(8), [] { order += 'a'; }, RISING);
	attachInterrupt(digitalPinToInterrupt(9), [] { order += 'b'; }, RISING);
	uint8_t old = SREG;
	cli();
	CHECK((SREG & _BV(SREG_I)) == 0);
	for (int n = 0; n < 3; n++) {
		at(520000 + 20 * n, 9, 1);
		at(520005 + 20 * n, 8, 1);
		at(520006 + 20 * n, 8, 0);
		at(520010 + 20 * n, 9, 0);
	}
	CHECK(order == "");
	SREG = old;
	CHECK(order == "bababa" && (SREG & 0x80));
	order = "";
	ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
	{
		at(521000, 9, 1);
		NONATOMIC_BLOCK(NONATOMIC_RESTORESTATE)
		{
			CHECK(order == "b");
		}
		at(521010, 8, 1);
		CHECK(order == "b");
	}
	CHECK(order == "ba");
	detachInterrupt(digitalPinToInterrupt(8));
	detachInterrupt(digitalPinToInterrupt(9));
}

// Routines do not interrupt each other, unless they say so.
static void nesting()
{
	static volatile bool let;

	order = "";
	attachInterrupt(digitalPinToInterrupt(10), [] {
		order += '(';
		if (let)
			interrupts();
		app_shim_pin_raise(11, 1, 0);
		order += ')';
	}, RISING);
	attachInterrupt(digitalPinToInterrupt(11), [] { order += 'x'; },
			CHANGE);
	at(530000, 10, 1);
	CHECK(order == "()x");
	at(530010, 11, 0);
	at(530020, 10, 0);
	order = "";
	let = true;
	at(530030, 10, 1);
	CHECK(order == "(x)");
	detachInterrupt(digitalPinToInterrupt(10));
	detachInterrupt(digitalPinToInterrupt(11));
}

void setup()
{
	edges();
	latched();
	pulses();
	armed_by_another();
	arguments();
	locks();
	nesting();
	app_shim_stats stats;
	stats.size = sizeof(stats);
	CHECK(app_shim_get_stats(&stats) == APP_SHIM_OK);
	CHECK(stats.missed == 0 && stats.unhandled == 0 && stats.spurious == 0);
	Serial.println("done");
	exit(0);
}

void loop()
{
}
