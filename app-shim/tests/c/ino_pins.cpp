// SPDX-License-Identifier: MIT OR Apache-2.0
// A sketch that tries pins, registers and time, in virtual time.

#include <Arduino.h>
#include <MsTimer2.h>
#include <TimerOne.h>
#include <avr/dtostrf.h>
#include <avr/sleep.h>
#include <util/delay.h>
#include <wiring_private.h>

#include "must.h"

static const uint32_t FEEDER = 240;
static String written;

static void heard(void *, uint32_t pin, uint32_t level, uint64_t)
{
	written += String(pin) + (level ? "+" : "-");
}

static String heard_since()
{
	String was = written;
	written = "";
	return was;
}

// Levels that the world outside puts on a pin, each so long after the one before.
struct Step {
	uint64_t us;
	uint8_t pin;
	uint8_t level;
};
static const Step *steps;
static int left;

static void step(void *)
{
	app_shim_pin_raise(steps->pin, steps->level, 0);
	steps++;
	if (--left > 0)
		app_shim_timer_set(FEEDER, steps->us * 1000, 0);
}

static void feed(const Step *what, int number)
{
	steps = what;
	left = number;
	app_shim_connect(FEEDER, step, NULL);
	app_shim_set_priority(FEEDER, APP_SHIM_PRIORITY_MAX);
	app_shim_timer_set(FEEDER, what->us * 1000, 0);
}

static void pins()
{
	pinMode(20, INPUT);
	CHECK(digitalRead(20) == LOW);
	pinMode(20, INPUT_PULLUP);
	CHECK(digitalRead(20) == HIGH);
	pinMode(20, INPUT);
	digitalWrite(20, HIGH);
	CHECK(digitalRead(20) == HIGH);
	digitalWrite(20, LOW);
	CHECK(digitalRead(20) == LOW);
	CHECK(heard_since() == "");
	pinMode(20, OUTPUT);
	digitalWrite(20, HIGH);
	CHECK(digitalRead(20) == HIGH);
	digitalWrite(20, LOW);
	CHECK(heard_since() == "20-20+20-");
	analogWrite(20, 200);
	CHECK(app_shim_arduino_get_pwm(20) == 200 && digitalRead(20) == HIGH);
	heard_since();
}

static void registers()
{
	volatile uint8_t *out = portOutputRegister(digitalPinToPort(9));
	volatile uint8_t *mode = portModeRegister(digitalPinToPort(9));
	volatile uint8_t *in = portInputRegister(digitalPinToPort(9));
	volatile uint32_t *wide = portInputRegister(digitalPinToPort(9));
	uint8_t mask = digitalPinToBitMask(9);

	*mode |= mask;
	*out |= mask;
	delayMicroseconds(1);
	CHECK(heard_since() == "9+" && (*in & mask) && (*wide & mask));
	*out &= ~mask;
	CHECK(digitalRead(9) == LOW && heard_since() == "9-");
	pinMode(9, INPUT);
	CHECK((*mode & mask) == 0);
	app_shim_pin_raise(9, 1, 0);
	CHECK((*in & mask) && (*portInputRegister(digitalPinToPort(9)) & mask));
	app_shim_pin_raise(9, 0, 0);
	CHECK(!(*in & mask));

	// An Uno's, by name.
	DDRB = _BV(PB5) | _BV(PB4);
	heard_since();
	PORTB |= 1 << 5;
	PORTB = 0x10;
	PORTB ^= _BV(5);
	sbi(PORTB, 4);
	cbi(PORTB, 5);
	PINB = _BV(4);
	CHECK(heard_since() == "13+12+13-13+13-12-");
	CHECK(PORTB == 0 && DDRB == 0x30);
	DDRC |= _BV(3);
	PORTC |= _BV(3);
	CHECK(heard_since() == "17-17+" && digitalRead(A3) == HIGH);
	app_shim_pin_raise(2, 1, 0);
	CHECK(PIND & (1 << 2));
	CHECK(bit_is_set(PIND, PD2));
}

static void times()
{
	unsigned long us = micros(), ms = millis();

	delay(20);
	CHECK(micros() - us >= 20000 && micros() - us < 20100);
	CHECK(millis() - ms == 20);
	us = micros();
	delayMicroseconds(150);
	_delay_us(50.5);
	CHECK(micros() - us >= 200 && micros() - us < 210);
	us = micros();
	while (millis() < ms + 40)
		;
	CHECK(micros() > us);
	// Waiting for a level takes as long as the level takes.
	static const Step steps[] = { { 777, 30, 1 } };
	pinMode(30, INPUT);
	feed(steps, 1);
	us = micros();
	while (digitalRead(30) == LOW)
		;
	us = micros() - us;
	CHECK(us >= 777 && us <= 781);
	app_shim_pin_raise(30, 0, 0);
}

static void pulses()
{
	static const Step two[] = { { 100, 31, 0 }, { 200, 31, 1 }, { 1234, 31, 0 },
				    { 50, 31, 1 }, { 10, 31, 0 } };

	pinMode(31, INPUT);
	app_shim_pin_raise(31, 1, 0);
	// The one that is there does not count.
	feed(two, 5);
	CHECK(pulseIn(31, HIGH) == 1234);
	delay(1);
	feed(two, 5);
	app_shim_pin_raise(31, 1, 0);
	CHECK(pulseInLong(31, LOW, 100000) == 200);
	delay(10);
	unsigned long us = micros();
	CHECK(pulseIn(31, HIGH, 3000) == 0);
	CHECK(micros() - us >= 3000 && micros() - us < 3010);
	// With interrupts off, and where the pin has one of its own.
	feed(two, 5);
	app_shim_pin_raise(31, 1, 0);
	noInterrupts();
	CHECK(pulseIn(32, HIGH, 50) == 0);
	interrupts();
	delay(3);
	static volatile int own;
	attachInterrupt(digitalPinToInterrupt(31), [] { own++; }, RISING);
	feed(two + 1, 4);
	CHECK(pulseIn(31, HIGH) == 1234 && own == 1);
	detachInterrupt(digitalPinToInterrupt(31));
	feed(two + 1, 4);
	CHECK(pulseIn(31, HIGH) == 1234 && own == 1);
	CHECK(app_shim_pin_detach(31) == APP_SHIM_NOT_CONNECTED);
}

// Bits by their lengths, with interrupts off, as drivers of sensors read them.
static void bits()
{
	static const Step bits[] = { { 80, 33, 1 }, { 26, 33, 0 }, { 50, 33, 1 },
				     { 70, 33, 0 }, { 50, 33, 1 }, { 26, 33, 0 } };
	int value = 0;

	pinMode(33, INPUT_PULLUP);
	app_shim_pin_raise(33, 0, 0);
	noInterrupts();
	feed(bits, 6);
	for (int n = 0; n < 3; n++) {
		while (digitalRead(33) == LOW)
			;
		unsigned long begin = micros();
		while (digitalRead(33) == HIGH)
			;
		value = value << 1 | (micros() - begin > 45);
	}
	interrupts();
	CHECK(value == 2);
}

static void shifting()
{
	pinMode(40, OUTPUT);
	pinMode(41, OUTPUT);
	heard_since();
	shiftOut(40, 41, MSBFIRST, 0xA0);
	CHECK(heard_since() == "40+41+41-40-41+41-40+41+41-40-41+41-40-41+41-"
			       "40-41+41-40-41+41-40-41+41-");
	pinMode(42, INPUT_PULLUP);
	CHECK(shiftIn(42, 41, LSBFIRST) == 0xff);
	heard_since();
}

static void tones()
{
	tone(43, 1000, 10);
	heard_since();
	delay(30);
	int toggles = 0;
	String sound = heard_since();
	for (unsigned n = 0; n < sound.length(); n++)
		toggles += sound[n] == '+';
	CHECK(toggles == 10);
	tone(43, 500);
	delay(100);
	noTone(43);
	heard_since();
	delay(100);
	CHECK(heard_since() == "" && digitalRead(43) == LOW);
}

static void analog()
{
	app_shim_raise_args event = {};

	CHECK(analogRead(A0) == 512 && analogRead(3) == 17 && analogRead(1) == 0);
	event.size = sizeof(event);
	event.flags = APP_SHIM_EVENT_VALUE;
	event.vector = APP_SHIM_ARDUINO_ANALOG_VECTOR + 1;
	event.value = 1023;
	CHECK(app_shim_raise_event(&event) == APP_SHIM_OK);
	CHECK(analogRead(A1) == 1023);
	app_shim_arduino_set_analog(2, 5);
	CHECK(analogRead(A2) == 5);
}

static volatile int first, second;
static portMUX_TYPE mux = portMUX_INITIALIZER_UNLOCKED;

static void timers()
{
	Timer1.initialize(500);
	Timer1.attachInterrupt([] { first++; });
	MsTimer2::set(10, [] { second++; });
	MsTimer2::start();
	delay(100);
	portENTER_CRITICAL(&mux);
	int seen = first;
	delayMicroseconds(5000);
	CHECK(seen == first && second == 10 && first == 200);
	portEXIT_CRITICAL(&mux);
	CHECK(first == 210);
	Timer1.setPeriod(1000);
	MsTimer2::stop();
	delay(20);
	CHECK(first == 230 && second == 10);
	Timer1.stop();
	delay(20);
	CHECK(first == 230);
	Timer1.restart();
	delay(5);
	CHECK(first == 235);
	Timer1.detachInterrupt();
	Timer1.pwm(TIMER1_A_PIN, 512);
	CHECK(app_shim_arduino_get_pwm(9) == 128);
}

static volatile bool woken;

static void sleeping()
{
	static const Step wake[] = { { 5000, 3, 1 } };

	pinMode(3, INPUT);
	attachInterrupt(1, [] { woken = true; }, RISING);
	feed(wake, 1);
	unsigned long ms = millis();
	set_sleep_mode(SLEEP_MODE_PWR_DOWN);
	do
		sleep_mode();
	while (!woken);
	CHECK(millis() - ms == 5);
	// What comes just before it wakes it as well.
	app_shim_pin_raise(3, 0, 0);
	noInterrupts();
	woken = false;
	app_shim_pin_raise(3, 1, 0);
	sleep_enable();
	interrupts();
	CHECK(woken);
	sleep_cpu();
	sleep_disable();
	CHECK(millis() - ms == 5);
	detachInterrupt(1);
}

static void numbers()
{
	int value = 0;

	bitSet(value, 3);
	CHECK(value == 8 && bitRead(value, 3) == 1 && bit(4) == 16);
	bitWrite(value, 3, 0);
	bitWrite(value, 0, 1);
	bitToggle(value, 1);
	CHECK(value == 3 && highByte(0x1234) == 0x12 && lowByte(0x1234) == 0x34);
	CHECK(word(0x12, 0x34) == 0x1234 && B1010 == 10 && B00001111 == 15);
	CHECK(map(512, 0, 1023, 0, 100) == 50 && constrain(7, 1, 5) == 5);
	CHECK(min(3, 2L) == 2 && max(1.5, 1) == 1.5 && sq(3) == 9);
	CHECK(abs(-3) == 3 && abs(3u) == 3 && abs(-2.5) == 2.5);
	CHECK(sizeof(word) == 2 && sizeof(byte) == 1 && sizeof(boolean) == 1);
	randomSeed(42);
	long a = random(1000), b = random(10, 20);
	CHECK(a == 42L * 16807 % 1000 && b >= 10 && b < 20);
	randomSeed(42);
	CHECK(random(1000) == a && random(10, 20) == b && random(5, 5) == 5);
	char text[40];
	CHECK(!strcmp(itoa(-42, text, 10), "-42"));
	CHECK(!strcmp(itoa(-1, text, 16), "ffffffff"));
	CHECK(!strcmp(ultoa(10, text, 2), "1010"));
	CHECK(!strcmp(dtostrf(3.14159, 7, 2, text), "   3.14"));
	CHECK(!strcmp(strrev(strupr(strcpy(text, "abc"))), "CBA"));
	CHECK(isDigit('7') && !isAlpha('7') && isWhitespace(' '));
	CHECK(digitalPinToBitMask(13) == 0x20 && LED_BUILTIN == 13 && A0 == 14);
}

void setup()
{
	app_shim_pin_on_write(heard, NULL);
	pins();
	registers();
	times();
	pulses();
	bits();
	shifting();
	tones();
	analog();
	timers();
	sleeping();
	numbers();
	Serial.println("done");
}

// The end is set from outside.
void loop()
{
	static int n;
	if (n++ == 0)
		Serial.println(F("loop"));
}
