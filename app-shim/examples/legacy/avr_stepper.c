/*
 * Stepper motor controller, ATmega328P at 16 MHz.
 *
 * PB0..PB3  coils A, B, C, D
 * PD2       INT0, limit switch (active low): stops at once
 * PC0       PCINT8, jog button: each press asks for 8 more half steps
 * PC1       PCINT9, direction
 *
 * Timer 1 steps in CTC mode. The step interrupt enables interrupts right away,
 * so that the limit switch is seen even while a step is being made.
 */
#define F_CPU 16000000UL
#define BAUD 38400

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <stdint.h>
#include <stdlib.h>
#include <util/atomic.h>
#include <util/setbaud.h>

#define COILS 0x0F
#define STEP_TICKS 250 /* 1 ms at 16 MHz / 64 */

static const uint8_t half_steps[8] PROGMEM = { 0x01, 0x03, 0x02, 0x06,
					       0x04, 0x0C, 0x08, 0x09 };

static volatile int16_t position;
static volatile int16_t target;
static volatile uint8_t stopped;
static volatile uint8_t in_step;
static volatile uint8_t nested;
static volatile uint16_t steps;
static uint8_t last_c;

static void put(char c)
{
	loop_until_bit_is_set(UCSR0A, UDRE0);
	UDR0 = c;
}

static void put_P(PGM_P s)
{
	char c;

	while ((c = pgm_read_byte(s++)))
		put(c);
}

static void put_number(int16_t n)
{
	char text[8];
	char *p = text;

	itoa(n, text, 10);
	while (*p)
		put(*p++);
}

static void timer_start(void)
{
	TCNT1 = 0;
	TIFR1 = _BV(OCF1A);
	TIMSK1 |= _BV(OCIE1A);
}

ISR(TIMER1_COMPA_vect, ISR_NOBLOCK)
{
	in_step = 1;
	if (stopped || position == target) {
		TIMSK1 &= ~_BV(OCIE1A);
	} else {
		uint8_t pattern;

		position += position < target ? 1 : -1;
		steps++;
		pattern = pgm_read_byte(&half_steps[position & 7]);
		PORTB = (PORTB & ~COILS) | pattern;
	}
	in_step = 0;
}

ISR(INT0_vect)
{
	stopped = 1;
	if (in_step)
		nested++;
	PORTB &= ~COILS;
	TIMSK1 &= ~_BV(OCIE1A);
}

ISR(PCINT1_vect)
{
	uint8_t now = PINC;
	uint8_t fell = last_c & ~now;

	last_c = now;
	if (fell & _BV(PC0)) {
		target += now & _BV(PC1) ? 8 : -8;
		if (!stopped)
			timer_start();
	}
}

EMPTY_INTERRUPT(WDT_vect)

static void init(void)
{
	DDRB |= COILS;
	PORTC |= _BV(PC0) | _BV(PC1);
	PORTD |= _BV(PD2);
	last_c = PINC;

	UBRR0H = UBRRH_VALUE;
	UBRR0L = UBRRL_VALUE;
#if USE_2X
	UCSR0A |= _BV(U2X0);
#endif
	UCSR0B = _BV(TXEN0);
	UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);

	TCCR1B = _BV(WGM12) | _BV(CS11) | _BV(CS10);
	OCR1A = STEP_TICKS - 1;

	EICRA = _BV(ISC01);
	EIMSK = _BV(INT0);
	PCMSK1 = _BV(PCINT8) | _BV(PCINT9);
	PCICR = _BV(PCIE1);
	set_sleep_mode(SLEEP_MODE_IDLE);
}

int main(void)
{
	int16_t told = 0;

	init();
	put_P(PSTR("stepper ready\r\n"));
	sei();
	while (!stopped) {
		int16_t at;

		sleep_mode();
		ATOMIC_BLOCK(ATOMIC_RESTORESTATE) {
			at = position;
		}
		if (at != told) {
			told = at;
			put_P(PSTR("at "));
			put_number(at);
			put(' ');
			put_number(PORTB & COILS);
			put_P(PSTR("\r\n"));
		}
	}
	put_P(PSTR("limit at "));
	put_number(position);
	put_P(PSTR(" after "));
	put_number(steps);
	put_P(PSTR(" steps, coils "));
	put_number(PORTB & COILS);
	put_P(PSTR("\r\n"));
	cli();
	sleep_mode();
	return 0;
}
