/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/io.h: what sketches use of it beside the Arduino's own calls: bits of
 * registers, SREG, and in C++ the ports of an Uno by name.
 *
 * PORTD is pins 0 to 7, PORTB 8 to 13, PORTC 14 to 19. Names have no addresses:
 * a pointer to a port comes from portOutputRegister().
 */
#ifndef _AVR_IO_H_
#define _AVR_IO_H_

#include "../../avr_pins.h"
#include "../app_shim_arduino.h"

#ifndef _BV
#define _BV(bit) (1 << (bit))
#endif
#define bit_is_set(sfr, bit) ((sfr)&_BV(bit))
#define bit_is_clear(sfr, bit) (!((sfr)&_BV(bit)))
#define loop_until_bit_is_set(sfr, bit)                                        \
	do {                                                                   \
		app_shim_arduino_pass(1000);                                   \
	} while (bit_is_clear(sfr, bit))
#define loop_until_bit_is_clear(sfr, bit)                                      \
	do {                                                                   \
		app_shim_arduino_pass(1000);                                   \
	} while (bit_is_set(sfr, bit))

#define SREG_I 7

#ifdef __cplusplus

/* The status register: of its bits, there is the one that lets interrupts in. */
class app_shim_arduino_sreg {
public:
	operator uint8_t() const
	{
		app_shim_arduino_pass(0);
		return app_shim_level_get() == 0 ? 1 << SREG_I : 0;
	}
	app_shim_arduino_sreg &operator=(uint8_t value)
	{
		if (value >> SREG_I & 1)
			interrupts();
		else
			noInterrupts();
		return *this;
	}
	app_shim_arduino_sreg &operator|=(uint8_t value)
	{
		return *this = (uint8_t)(uint8_t(*this) | value);
	}
	app_shim_arduino_sreg &operator&=(uint8_t value)
	{
		return *this = (uint8_t)(uint8_t(*this) & value);
	}
};

APP_SHIM_ARDUINO_WEAK app_shim_arduino_sreg app_shim_arduino_status;

#define SREG app_shim_arduino_status

/* Bits of a row of 8 pins from `first` on: levels, outputs, or directions. */
class app_shim_arduino_port {
public:
	enum kind { LEVELS, OUTPUTS, DIRECTIONS };

	app_shim_arduino_port(kind what, unsigned first)
		: what(what), first(first)
	{
	}
	operator uint8_t() const
	{
		app_shim_arduino_pass(what == LEVELS ? 1000 : 0);
		const volatile uint8_t *bytes = memory();
		return (uint8_t)((bytes[first / 8] | bytes[first / 8 + 1] << 8) >>
				 first % 8);
	}
	app_shim_arduino_port &operator=(uint8_t value)
	{
		return change(0xff, value);
	}
	app_shim_arduino_port &operator=(const app_shim_arduino_port &other)
	{
		return *this = uint8_t(other);
	}
	app_shim_arduino_port &operator|=(uint8_t value)
	{
		return change(value, value);
	}
	app_shim_arduino_port &operator&=(uint8_t value)
	{
		return change((uint8_t)~value, 0);
	}
	app_shim_arduino_port &operator^=(uint8_t value)
	{
		return change(value, (uint8_t)~uint8_t(*this));
	}

private:
	const volatile uint8_t *memory() const
	{
		switch (what) {
		case LEVELS:
			return app_shim_pin_image();
		case OUTPUTS:
			return app_shim_arduino.out;
		default:
			return app_shim_arduino.direction;
		}
	}
	app_shim_arduino_port &change(uint8_t mask, uint8_t value)
	{
		app_shim_arduino_pass(0);
		int32_t key = app_shim_int_lock();
		volatile uint8_t *bytes = app_shim_arduino.out;
		if (what == DIRECTIONS)
			bytes = app_shim_arduino.direction;
		for (unsigned n = 0; n < 8; n++) {
			unsigned pin = first + n;
			uint8_t bit = (uint8_t)(1u << pin % 8);
			if ((mask >> n & 1) == 0)
				continue;
			bool set = value >> n & 1;
			/* Writing to where levels are read toggles. */
			if (what == LEVELS)
				set = !set != !(bytes[pin / 8] & bit);
			uint8_t rest = bytes[pin / 8] & (uint8_t)~bit;
			bytes[pin / 8] = (uint8_t)(rest | (set ? bit : 0));
		}
		app_shim_arduino_sync();
		app_shim_int_unlock(key);
		return *this;
	}

	kind what;
	unsigned first;
};

#define PIND (app_shim_arduino_port(app_shim_arduino_port::LEVELS, 0))
#define DDRD (app_shim_arduino_port(app_shim_arduino_port::DIRECTIONS, 0))
#define PORTD (app_shim_arduino_port(app_shim_arduino_port::OUTPUTS, 0))
#define PINB (app_shim_arduino_port(app_shim_arduino_port::LEVELS, 8))
#define DDRB (app_shim_arduino_port(app_shim_arduino_port::DIRECTIONS, 8))
#define PORTB (app_shim_arduino_port(app_shim_arduino_port::OUTPUTS, 8))
#define PINC (app_shim_arduino_port(app_shim_arduino_port::LEVELS, 14))
#define DDRC (app_shim_arduino_port(app_shim_arduino_port::DIRECTIONS, 14))
#define PORTC (app_shim_arduino_port(app_shim_arduino_port::OUTPUTS, 14))

#endif

#endif /* _AVR_IO_H_ */
