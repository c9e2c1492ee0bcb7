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

#define PD0 0
#define PD1 1
#define PD2 2
#define PD3 3
#define PD4 4
#define PD5 5
#define PD6 6
#define PD7 7
#define PB0 0
#define PB1 1
#define PB2 2
#define PB3 3
#define PB4 4
#define PB5 5
#define PB6 6
#define PB7 7
#define PC0 0
#define PC1 1
#define PC2 2
#define PC3 3
#define PC4 4
#define PC5 5
#define PC6 6

/* The same bits by the registers' names. */
#define PIND0 0
#define PIND1 1
#define PIND2 2
#define PIND3 3
#define PIND4 4
#define PIND5 5
#define PIND6 6
#define PIND7 7
#define DDD0 0
#define DDD1 1
#define DDD2 2
#define DDD3 3
#define DDD4 4
#define DDD5 5
#define DDD6 6
#define DDD7 7
#define PORTD0 0
#define PORTD1 1
#define PORTD2 2
#define PORTD3 3
#define PORTD4 4
#define PORTD5 5
#define PORTD6 6
#define PORTD7 7
#define PINB0 0
#define PINB1 1
#define PINB2 2
#define PINB3 3
#define PINB4 4
#define PINB5 5
#define PINB6 6
#define PINB7 7
#define DDB0 0
#define DDB1 1
#define DDB2 2
#define DDB3 3
#define DDB4 4
#define DDB5 5
#define DDB6 6
#define DDB7 7
#define PORTB0 0
#define PORTB1 1
#define PORTB2 2
#define PORTB3 3
#define PORTB4 4
#define PORTB5 5
#define PORTB6 6
#define PORTB7 7
#define PINC0 0
#define PINC1 1
#define PINC2 2
#define PINC3 3
#define PINC4 4
#define PINC5 5
#define PINC6 6
#define DDC0 0
#define DDC1 1
#define DDC2 2
#define DDC3 3
#define DDC4 4
#define DDC5 5
#define DDC6 6
#define PORTC0 0
#define PORTC1 1
#define PORTC2 2
#define PORTC3 3
#define PORTC4 4
#define PORTC5 5
#define PORTC6 6

#endif /* _AVR_IO_H_ */
