/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/interrupt.h: turning interrupts off and on, and in C++ those interrupts of
 * an Uno's AVR that pins cause: INT0 and INT1 (pins 2 and 3), and the changes of
 * three rows of pins. ISR() of any other vector does not compile: those are in
 * the facade for AVR.
 *
 * Every change is served, with the levels that were then; on an AVR one routine
 * may have to do for several. Of a pin that both cause something, INT0 and INT1
 * are served.
 */
#ifndef _AVR_INTERRUPT_H_
#define _AVR_INTERRUPT_H_

#include "../pins_arduino.h"
#include "io.h"

#define cli() noInterrupts()
#define sei() interrupts()

/* Other boards have no vectors, and their sketches may have a function ISR(). */
#if defined(__cplusplus) && !defined(ESP8266) && !defined(ESP32)

#define INT0_vect app_shim_arduino_vector_int0
#define INT1_vect app_shim_arduino_vector_int1
#define PCINT0_vect app_shim_arduino_vector_pcint0
#define PCINT1_vect app_shim_arduino_vector_pcint1
#define PCINT2_vect app_shim_arduino_vector_pcint2

extern "C" {
void INT0_vect(void) __attribute__((__weak__));
void INT1_vect(void) __attribute__((__weak__));
void PCINT0_vect(void) __attribute__((__weak__));
void PCINT1_vect(void) __attribute__((__weak__));
void PCINT2_vect(void) __attribute__((__weak__));
}

/* The assertion refuses vectors that nothing would ever call. */
#define ISR(vector, ...)                                                       \
	static_assert(sizeof(&vector) > 0, "no such vector");                  \
	extern "C" void vector(void) __attribute__((__used__)) __VA_ARGS__;    \
	extern "C" void vector(void)
#define SIGNAL(vector) ISR(vector, )
#define EMPTY_INTERRUPT(vector)                                                \
	ISR(vector, )                                                          \
	{                                                                      \
	}
#define ISR_BLOCK
#define ISR_NOBLOCK
#define APP_SHIM_ARDUINO_TEXT_(x) #x
#define APP_SHIM_ARDUINO_TEXT(x) APP_SHIM_ARDUINO_TEXT_(x)
#define ISR_ALIASOF(target)                                                    \
	__attribute__((__alias__(APP_SHIM_ARDUINO_TEXT(target))))

/* Pins 0 to 7 are the last row, PCINT16 to PCINT23. */
#define digitalPinToPCICRbit(p) ((p) < 8 ? 2 : (p) < 14 ? 0 : 1)
#define digitalPinToPCMSKbit(p)                                                \
	((p) < 8 ? (p) : (p) < 14 ? (p)-8 : (p)-14)

/* What the registers hold, and what of it is in force for each pin: 0, or the mode and 1. */
struct app_shim_arduino_vectors {
	uint8_t changes, row[3], external, sense;
	uint8_t armed[20];
};

APP_SHIM_ARDUINO_WEAK struct app_shim_arduino_vectors app_shim_arduino_avr;

inline void app_shim_arduino_caused(void *argument)
{
	unsigned pin = (unsigned)(uintptr_t)argument;
	void (*const rows[])(void) = { PCINT0_vect, PCINT1_vect, PCINT2_vect };
	void (*routine)(void) = rows[digitalPinToPCICRbit(pin)];
	if ((pin == 2 || pin == 3) &&
	    (app_shim_arduino_avr.external >> (pin - 2) & 1))
		routine = pin == 2 ? INT0_vect : INT1_vect;
	if (routine)
		routine();
}

/* Puts in force what the registers hold. */
inline void app_shim_arduino_arm(void)
{
	static const int modes[4] = { LOW, CHANGE, FALLING, RISING };
	struct app_shim_arduino_vectors &avr = app_shim_arduino_avr;
	for (unsigned pin = 0; pin < 20; pin++) {
		unsigned row = digitalPinToPCICRbit(pin);
		unsigned in_row = digitalPinToPCMSKbit(pin);
		int mode = -1;
		if ((pin == 2 || pin == 3) && (avr.external >> (pin - 2) & 1))
			mode = modes[avr.sense >> 2 * (pin - 2) & 3];
		else if ((avr.changes >> row & 1) && (avr.row[row] >> in_row & 1))
			mode = CHANGE;
		if (avr.armed[pin] == mode + 1)
			continue;
		avr.armed[pin] = (uint8_t)(mode + 1);
		uint8_t interrupt = (uint8_t)digitalPinToInterrupt(pin);
		if (mode < 0)
			detachInterrupt(interrupt);
		else
			attachInterruptArg(interrupt, app_shim_arduino_caused,
					   (void *)(uintptr_t)pin, mode);
	}
}

/* A register of these; one without a place has flags that are never set. */
class app_shim_arduino_cause {
public:
	constexpr explicit app_shim_arduino_cause(uint8_t *place) : place(place)
	{
	}
	operator uint8_t() const
	{
		return place ? *place : 0;
	}
	app_shim_arduino_cause &operator=(uint8_t value)
	{
		if (!place)
			return *this;
		int32_t key = app_shim_int_lock();
		*place = value;
		app_shim_arduino_arm();
		app_shim_int_unlock(key);
		return *this;
	}
	app_shim_arduino_cause &operator=(const app_shim_arduino_cause &other)
	{
		return *this = uint8_t(other);
	}
	app_shim_arduino_cause &operator|=(uint8_t value)
	{
		return *this = (uint8_t)(uint8_t(*this) | value);
	}
	app_shim_arduino_cause &operator&=(uint8_t value)
	{
		return *this = (uint8_t)(uint8_t(*this) & value);
	}
	app_shim_arduino_cause &operator^=(uint8_t value)
	{
		return *this = (uint8_t)(uint8_t(*this) ^ value);
	}

private:
	uint8_t *place;
};

#define APP_SHIM_ARDUINO_CAUSE(name, place)                                    \
	APP_SHIM_ARDUINO_WEAK app_shim_arduino_cause name                      \
	{                                                                      \
		place                                                          \
	}
APP_SHIM_ARDUINO_CAUSE(PCICR, &app_shim_arduino_avr.changes);
APP_SHIM_ARDUINO_CAUSE(PCMSK0, &app_shim_arduino_avr.row[0]);
APP_SHIM_ARDUINO_CAUSE(PCMSK1, &app_shim_arduino_avr.row[1]);
APP_SHIM_ARDUINO_CAUSE(PCMSK2, &app_shim_arduino_avr.row[2]);
APP_SHIM_ARDUINO_CAUSE(EIMSK, &app_shim_arduino_avr.external);
APP_SHIM_ARDUINO_CAUSE(EICRA, &app_shim_arduino_avr.sense);
APP_SHIM_ARDUINO_CAUSE(PCIFR, 0);
APP_SHIM_ARDUINO_CAUSE(EIFR, 0);

/* For sketches that look whether there is such a register. */
#define PCICR PCICR
#define PCMSK0 PCMSK0
#define PCMSK1 PCMSK1
#define PCMSK2 PCMSK2
#define EIMSK EIMSK
#define EICRA EICRA

#define digitalPinToPCICR(p) ((unsigned)(p) < 20 ? &PCICR : 0)
#define digitalPinToPCMSK(p)                                                   \
	((unsigned)(p) >= 20		  ? 0                                  \
	 : digitalPinToPCICRbit(p) == 0 ? &PCMSK0                              \
	 : digitalPinToPCICRbit(p) == 1 ? &PCMSK1                              \
					: &PCMSK2)

#endif

#endif /* _AVR_INTERRUPT_H_ */
