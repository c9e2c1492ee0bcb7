/*
 * Clocks that are made of a count and an overflow flag, a flag that is cleared
 * after the write that sets it, and a timer that one interrupt starts and another
 * one stops.
 */
#define F_CPU 16000000UL
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <util/atomic.h>

static volatile unsigned long overflows;
static volatile uint16_t steps, resets, collisions;
static volatile uint8_t busy;

ISR(TIMER0_OVF_vect)
{
	overflows++;
}

/* Starts timer 2 for the end of its pulse, and goes on with interrupts. */
ISR(TIMER1_COMPA_vect)
{
	if (busy) {
		collisions++;
		return;
	}
	PORTB |= _BV(PB1);
	TCNT2 = (uint8_t)-20;
	TCCR2B = _BV(CS21);
	busy = 1;
	sei();
	if (++steps == 100)
		TIMSK1 &= ~_BV(OCIE1A);
	busy = 0;
}

ISR(TIMER2_OVF_vect)
{
	PORTB &= ~_BV(PB1);
	TCCR2B = 0;
	resets++;
}

static unsigned long ticks(void)
{
	unsigned long m;
	uint8_t sreg = SREG, t;

	cli();
	m = overflows;
	t = TCNT0;
	if ((TIFR0 & _BV(TOV0)) && t < 255)
		m++;
	SREG = sreg;
	return (m << 8) + t;
}

static void send(char c)
{
	loop_until_bit_is_set(UCSR0A, UDRE0);
	ATOMIC_BLOCK(ATOMIC_RESTORESTATE) {
		UDR0 = c;
		/* Only now: the byte is on its way. */
		UCSR0A |= _BV(TXC0);
	}
}

static void say(PGM_P s)
{
	char c;

	while ((c = pgm_read_byte(s++)))
		send(c);
	loop_until_bit_is_set(UCSR0A, TXC0);
}

int main(void)
{
	unsigned long last, now;
	uint16_t i;

	UBRR0 = 8;
	UCSR0B = _BV(TXEN0);
	DDRB = _BV(PB1);
	TCCR0A = _BV(WGM01) | _BV(WGM00);
	TCCR0B = _BV(CS01) | _BV(CS00);
	TIMSK0 = _BV(TOIE0);
	TIMSK2 = _BV(TOIE2);
	TCCR1B = _BV(WGM12) | _BV(CS11);
	OCR1A = 1999;
	sei();

	last = ticks();
	for (i = 0; i < 1500; i++) {
		now = ticks();
		if (now < last)
			say(PSTR("backwards\r\n"));
		last = now;
	}
	/* Waiting by that clock: 10 ms are 2500 ticks. */
	while ((now = ticks()) - last < 2500)
		;
	if (now < last)
		say(PSTR("backwards\r\n"));

	TIMSK1 |= _BV(OCIE1A);
	while (resets < 100)
		(void)PINB;
	if (steps != 100 || collisions || bit_is_set(PORTB, PB1) || TCCR2B)
		say(PSTR("not 100\r\n"));
	say(PSTR("done\r\n"));
	cli();
	sleep_enable();
	sleep_cpu();
	return 0;
}
