/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * pins_arduino.h: the board. Numbers of pins are those of an Uno, and there are
 * more of them; every pin has an interrupt.
 *
 * Ports are rows of 8 pins, from 1 on. portInputRegister() is live memory. What is
 * written through the other two acts at the next call of the facade: a time, a
 * pin, a lock, the end of loop() or of the service routine.
 */
#ifndef Pins_Arduino_h
#define Pins_Arduino_h

#include "app_shim_arduino.h"

#define NUM_DIGITAL_PINS APP_SHIM_ARDUINO_PINS
#define NUM_ANALOG_INPUTS APP_SHIM_ARDUINO_ANALOGS
#define EXTERNAL_NUM_INTERRUPTS APP_SHIM_ARDUINO_PINS

#ifndef LED_BUILTIN
#define LED_BUILTIN 13
#endif

#define PIN_A0 14
#define PIN_SPI_SS 10
#define PIN_SPI_MOSI 11
#define PIN_SPI_MISO 12
#define PIN_SPI_SCK 13
#define PIN_WIRE_SDA 18
#define PIN_WIRE_SCL 19

#ifdef __cplusplus
#define APP_SHIM_ARDUINO_PIN(name, number) static const uint8_t name = number
#else
#define APP_SHIM_ARDUINO_PIN(name, number)                                     \
	static const uint8_t name __attribute__((__unused__)) = number
#endif
APP_SHIM_ARDUINO_PIN(A0, 14);
APP_SHIM_ARDUINO_PIN(A1, 15);
APP_SHIM_ARDUINO_PIN(A2, 16);
APP_SHIM_ARDUINO_PIN(A3, 17);
APP_SHIM_ARDUINO_PIN(A4, 18);
APP_SHIM_ARDUINO_PIN(A5, 19);
APP_SHIM_ARDUINO_PIN(A6, 20);
APP_SHIM_ARDUINO_PIN(A7, 21);
APP_SHIM_ARDUINO_PIN(SS, PIN_SPI_SS);
APP_SHIM_ARDUINO_PIN(MOSI, PIN_SPI_MOSI);
APP_SHIM_ARDUINO_PIN(MISO, PIN_SPI_MISO);
APP_SHIM_ARDUINO_PIN(SCK, PIN_SPI_SCK);
APP_SHIM_ARDUINO_PIN(SDA, PIN_WIRE_SDA);
APP_SHIM_ARDUINO_PIN(SCL, PIN_WIRE_SCL);

#define analogInputToDigitalPin(n) ((n) < 16 ? (n) + 14 : -1)
#define digitalPinHasPWM(pin) ((pin) < NUM_DIGITAL_PINS)
#define digitalPinToInterrupt(pin) APP_SHIM_ARDUINO_INTERRUPT(pin)
#define digitalPinIsValid(pin) ((pin) < NUM_DIGITAL_PINS)

#define NOT_A_PIN 0
#define NOT_A_PORT 0
#define NOT_ON_TIMER 0

#define digitalPinToPort(pin) ((uint8_t)((pin) / 8 + 1))
#define digitalPinToBitMask(pin) ((uint8_t)(1u << ((pin) % 8)))
#define digitalPinToTimer(pin) NOT_ON_TIMER

#ifdef __cplusplus
/* Converts to a pointer of whatever width a program thinks registers have. */
class app_shim_arduino_register_pointer {
public:
	explicit app_shim_arduino_register_pointer(volatile uint8_t *at) : at(at)
	{
	}
	template <class T> operator volatile T *() const
	{
		return reinterpret_cast<volatile T *>(at);
	}
	operator volatile uint8_t *() const
	{
		return at;
	}
	volatile uint8_t &operator*() const
	{
		return *at;
	}

private:
	volatile uint8_t *at;
};
#define APP_SHIM_ARDUINO_REGISTER(at) app_shim_arduino_register_pointer(at)
#else
#define APP_SHIM_ARDUINO_REGISTER(at) ((volatile uint8_t *)(at))
#endif

#define portInputRegister(port)                                                \
	APP_SHIM_ARDUINO_REGISTER(app_shim_pin_image() + ((port)-1))
#define portOutputRegister(port)                                               \
	APP_SHIM_ARDUINO_REGISTER(app_shim_arduino.out + ((port)-1))
#define portModeRegister(port)                                                 \
	APP_SHIM_ARDUINO_REGISTER(app_shim_arduino.direction + ((port)-1))

/*
 * What some libraries that read registers themselves want to know of a board, and
 * take where they do not know it.
 */
#ifndef CORE_NUM_INTERRUPT
#define CORE_NUM_INTERRUPT 32
#define CORE_INT0_PIN APP_SHIM_ARDUINO_INTERRUPT(0)
#define CORE_INT1_PIN APP_SHIM_ARDUINO_INTERRUPT(1)
#define CORE_INT2_PIN APP_SHIM_ARDUINO_INTERRUPT(2)
#define CORE_INT3_PIN APP_SHIM_ARDUINO_INTERRUPT(3)
#define CORE_INT4_PIN 4
#define CORE_INT5_PIN 5
#define CORE_INT6_PIN 6
#define CORE_INT7_PIN 7
#define CORE_INT8_PIN 8
#define CORE_INT9_PIN 9
#define CORE_INT10_PIN 10
#define CORE_INT11_PIN 11
#define CORE_INT12_PIN 12
#define CORE_INT13_PIN 13
#define CORE_INT14_PIN 14
#define CORE_INT15_PIN 15
#define CORE_INT16_PIN 16
#define CORE_INT17_PIN 17
#define CORE_INT18_PIN 18
#define CORE_INT19_PIN 19
#define CORE_INT20_PIN 20
#define CORE_INT21_PIN 21
#define CORE_INT22_PIN 22
#define CORE_INT23_PIN 23
#define CORE_INT24_PIN 24
#define CORE_INT25_PIN 25
#define CORE_INT26_PIN 26
#define CORE_INT27_PIN 27
#define CORE_INT28_PIN 28
#define CORE_INT29_PIN 29
#define CORE_INT30_PIN 30
#define CORE_INT31_PIN 31
#endif

#endif /* Pins_Arduino_h */
