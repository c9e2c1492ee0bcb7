/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arduino.h: the language of Arduino, over app_shim.h. See
 * README-arduino-wiringpi.md beside this folder for what is covered.
 */
#ifndef Arduino_h
#define Arduino_h

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_shim_arduino.h"
#include "avr/interrupt.h"
#include "avr/io.h"
#include "avr/pgmspace.h"
#include "binary.h"
#include "pins_arduino.h"
#include "stdlib_noniso.h"

#ifndef F_CPU
#define F_CPU 16000000UL
#endif

#define PI 3.1415926535897932384626433832795
#define HALF_PI 1.5707963267948966192313216916398
#define TWO_PI 6.283185307179586476925286766559
#define DEG_TO_RAD 0.017453292519943295769236907684886
#define RAD_TO_DEG 57.295779513082320876798154814105
#define EULER 2.718281828459045235360287471352

#define DEFAULT 1
#define EXTERNAL 0
#define INTERNAL 3

/* Names of other boards' cores. */
#define IRAM_ATTR
#define ARDUINO_ISR_ATTR
#define DRAM_ATTR
#define ICACHE_RAM_ATTR
#define ICACHE_FLASH_ATTR
#define ICACHE_RODATA_ATTR
#define ONLOW LOW
#define ONHIGH HIGH

#define clockCyclesPerMicrosecond() (F_CPU / 1000000L)
#define clockCyclesToMicroseconds(cycles) ((cycles) / clockCyclesPerMicrosecond())
#define microsecondsToClockCycles(us) ((us)*clockCyclesPerMicrosecond())

#define lowByte(value) ((uint8_t)((value)&0xff))
#define highByte(value) ((uint8_t)((value) >> 8))
#define bit(n) (1UL << (n))
#define bitRead(value, n) (((value) >> (n)) & 0x01)
#define bitSet(value, n) ((value) |= (1UL << (n)))
#define bitClear(value, n) ((value) &= ~(1UL << (n)))
#define bitToggle(value, n) ((value) ^= (1UL << (n)))
#define bitWrite(value, n, to) ((to) ? bitSet(value, n) : bitClear(value, n))

#define radians(degrees) ((degrees)*DEG_TO_RAD)
#define degrees(radians) ((radians)*RAD_TO_DEG)
#define sq(x) ((x) * (x))
#define constrain(x, low, high)                                                \
	((x) < (low) ? (low) : ((x) > (high) ? (high) : (x)))

#define _NOP() __asm__ volatile("nop")

/* One processor has one lock. */
typedef struct {
	int32_t level;
} portMUX_TYPE;

#define portMUX_INITIALIZER_UNLOCKED                                           \
	{                                                                      \
		0                                                              \
	}
#define portENTER_CRITICAL(mux)                                                \
	((mux)->level = app_shim_level_get(), noInterrupts())
#define portEXIT_CRITICAL(mux) ((void)app_shim_level_set((mux)->level))
#define portENTER_CRITICAL_ISR(mux) portENTER_CRITICAL(mux)
#define portEXIT_CRITICAL_ISR(mux) portEXIT_CRITICAL(mux)

typedef bool boolean;
typedef uint8_t byte;
typedef uint16_t word;

#ifdef __cplusplus
extern "C" {
#endif

/* The sketch's. */
void setup(void);
void loop(void);

/* Done before setup() already. */
APP_SHIM_ARDUINO_WEAK void init(void)
{
	app_shim_arduino_begin();
}

#ifdef __cplusplus
}

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "HardwareSerial.h"
#include "Print.h"
#include "Printable.h"
#include "Stream.h"
#include "WCharacter.h"
#include "WString.h"

/* Functions, since macros of these names would break the C++ library's headers. */
template <class A, class B>
constexpr auto min(const A &a, const B &b) -> decltype(b < a ? b : a)
{
	return b < a ? b : a;
}
template <class A, class B>
constexpr auto max(const A &a, const B &b) -> decltype(a < b ? b : a)
{
	return a < b ? b : a;
}
constexpr unsigned int abs(unsigned int x)
{
	return x;
}
constexpr unsigned long abs(unsigned long x)
{
	return x;
}
constexpr unsigned long long abs(unsigned long long x)
{
	return x;
}

inline uint16_t makeWord(uint16_t value)
{
	return value;
}
inline uint16_t makeWord(uint8_t high, uint8_t low)
{
	return (uint16_t)(high << 8 | low);
}
#define word(...) makeWord(__VA_ARGS__)

inline long random(long high)
{
	return high == 0 ? 0 : app_shim_arduino_random() % high;
}
inline long random(long low, long high)
{
	return low >= high ? low : random(high - low) + low;
}
inline long map(long x, long from_low, long from_high, long low, long high)
{
	return (x - from_low) * (high - low) / (from_high - from_low) + low;
}

void serialEvent() __attribute__((__weak__));
void serialEvent1() __attribute__((__weak__));
void serialEvent2() __attribute__((__weak__));
void serialEvent3() __attribute__((__weak__));

/* For main(): starts, with what feeds the sketch the events that APP_SHIM_REPLAY names. */
extern "C" APP_SHIM_ARDUINO_WEAK void
app_shim_arduino_start(void (*replay)(uint32_t, uint32_t, uint32_t))
{
	app_shim_arduino_begin();
	replay(APP_SHIM_PRIORITY_MAX, APP_SHIM_ARDUINO_SERIAL_VECTOR, 0);
}

/* For main(): after each loop(), for which an Uno takes that long if it does nothing. */
extern "C" APP_SHIM_ARDUINO_WEAK void app_shim_arduino_turn(void)
{
	app_shim_arduino_pass(5000);
	if (serialEvent != NULL && Serial.available() > 0)
		serialEvent();
	if (serialEvent1 != NULL && Serial1.available() > 0)
		serialEvent1();
	if (serialEvent2 != NULL && Serial2.available() > 0)
		serialEvent2();
	if (serialEvent3 != NULL && Serial3.available() > 0)
		serialEvent3();
}

inline unsigned long pulseIn(uint8_t pin, uint8_t state)
{
	return pulseIn(pin, state, 1000000ul);
}
inline unsigned long pulseInLong(uint8_t pin, uint8_t state)
{
	return pulseIn(pin, state, 1000000ul);
}
inline void tone(uint8_t pin, unsigned int hertz, unsigned long ms = 0)
{
	app_shim_arduino_tone(pin, hertz, ms);
}

#else

#ifndef min
#define min(a, b) ((a) < (b) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) ((a) > (b) ? (a) : (b))
#endif

#endif /* __cplusplus */

/*
 * For libraries that find out how to read a pin fast, and give up where they do not
 * know the board: how that is done here.
 */
#ifdef __cplusplus
#define IO_REG_TYPE uint8_t
#define PIN_TO_BASEREG(pin) (portInputRegister(digitalPinToPort(pin)))
#define PIN_TO_BITMASK(pin) (digitalPinToBitMask(pin))
#define DIRECT_PIN_READ(base, mask) (((*(base)) & (mask)) ? 1 : 0)
#endif

#endif /* Arduino_h */
