/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs for AVRs usually do, each checked by what the model answers.
 * "done" on the serial line, or the line of the first check that failed.
 */
#define F_CPU 8000000UL
#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/power.h>
#include <avr/sleep.h>
#include <avr/wdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <util/atomic.h>
#include <util/crc16.h>
#include <util/delay.h>
#include <util/twi.h>

/* Pointers to registers, and the ports' neighbours. */
static volatile uint8_t *const leds = &PORTB;
#define DDR(x) (*(&x - 1))
#define PIN(x) (*(&x - 2))

struct flag_bits {
	unsigned b0 : 1, b1 : 1, b2 : 1, b3 : 1, b4 : 1, b5 : 1, b6 : 1, b7 : 1;
};
#define GPIO_BIT (((volatile struct flag_bits *)&GPIOR0)->b3)

static const char first[] PROGMEM = "first";
static const char second[] PROGMEM = "second";
static PGM_P const table[] PROGMEM = { first, second };
static const uint16_t words[] PROGMEM = { 0x1234, 0xABCD };

static volatile uint8_t count_a, count_ovf, depth, deepest, adc_done, ee_done;
static volatile uint8_t spi_done, aliased, wdt_fired;
static uint16_t EEMEM setting = 0x1234;

static void say(const char *s)
{
	while (*s) {
		while (!(UCSR0A & (1 << UDRE0)))
			;
		UDR0 = (uint8_t)*s++;
	}
}

static int stream_put(char c, FILE *f)
{
	char text[2] = { c, 0 };

	if (c == '\n')
		stream_put('\r', f);
	say(text);
	return 0;
}
static FILE stream = FDEV_SETUP_STREAM(stream_put, NULL, _FDEV_SETUP_WRITE);

static void check(int good, int line)
{
	char text[16];

	if (good)
		return;
	say("line ");
	say(itoa(line, text, 10));
	say("\r\n");
	cli();
	sleep_enable();
	sleep_cpu();
}
#define CHECK(x) check(!!(x), __LINE__)

ISR(TIMER0_COMPA_vect)
{
	/* Interrupts are off in here, and SREG says so. */
	if (SREG & _BV(SREG_I))
		deepest = 99;
	count_a++;
}

ISR(TIMER2_OVF_vect)
{
	uint8_t me = ++depth;

	if (me > deepest)
		deepest = me;
	count_ovf++;
	if (count_ovf == 1) {
		sei();
		/*
		 * Another one of the same kind interrupts this one; in thread
		 * mode at an access to a register.
		 */
		while (count_ovf < 2)
			(void)TCNT2;
		cli();
	}
	depth--;
	reti();
}

ISR(PCINT0_vect)
{
	aliased++;
}
ISR(PCINT1_vect, ISR_ALIASOF(PCINT0_vect));
EMPTY_INTERRUPT(INT0_vect)
ISR(ADC_vect, ISR_NOBLOCK)
{
	adc_done += (SREG & 0x80) ? 1 : 100;
}
ISR(EE_READY_vect)
{
	ee_done++;
	EECR &= ~(1 << EERIE);
}
SIGNAL(SIG_SPI)
{
	spi_done++;
}
ISR(WDT_vect)
{
	wdt_fired++;
}

static uint8_t atomic_return(void)
{
	ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
	{
		return SREG & 0x80;
	}
	return 1;
}

int main(void)
{
	uint8_t i, sreg;
	uint16_t t;

	wdt_disable();
	UCSR0B = _BV(TXEN0);
	CHECK(!(SREG & 0x80));
	CHECK(MCUSR & (_BV(PORF) | _BV(WDRF)));
	if (MCUSR & _BV(WDRF)) {
		/* The second run, after a reset by the watchdog. */
		say("done\r\n");
		cli();
		sleep_enable();
		sleep_cpu();
	}

	/* Ports. */
	DDR(PORTB) = 0xFF;
	CHECK(DDRB == 0xFF);
	*leds = 0x0F;
	*leds |= 0x40;
	PORTB &= ~0x01;
	PORTB ^= 0x80;
	CHECK(PORTB == 0xCE && PIN(PORTB) == 0xCE);
	PINB = 0xFF;
	CHECK(PORTB == 0x31);
	for (i = 0; i < 3; i++)
		PORTB++;
	CHECK(PORTB == 0x34);
	PORTD = 0x04;
	CHECK(PIND & 0x04);
	GPIO_BIT = 1;
	CHECK(GPIOR0 == 0x08 && bit_is_set(GPIOR0, 3));
	CHECK(_SFR_IO_ADDR(PORTB) == 0x05 && _SFR_MEM_ADDR(UDR0) == 0xC6);

	/* Program memory. */
	CHECK(strcmp_P("second", (PGM_P)pgm_read_word(&table[1])) == 0);
	CHECK(pgm_read_word(&words[1]) == 0xABCD);
	CHECK(pgm_read_byte(first + 1) == 'i');

	/* Bit I. */
	sei();
	CHECK(SREG & 0x80);
	CHECK(atomic_return() == 0);
	CHECK(SREG & 0x80);
	sreg = SREG;
	cli();
	CHECK(!(SREG & 0x80));
	SREG = sreg;
	CHECK(SREG & 0x80);
	NONATOMIC_BLOCK(NONATOMIC_RESTORESTATE)
	{
		CHECK(SREG & 0x80);
	}
	__asm__ volatile("cli");
	CHECK(!(SREG & 0x80));
	sei();

	/* Timer 0, compare, 1 ms; the main program waits for its variable. */
	TCCR0A = _BV(WGM01);
	OCR0A = 124;
	TIMSK0 = _BV(OCIE0A);
	TCCR0B = _BV(CS01) | _BV(CS00);
	while (count_a < 5)
		;
	TIMSK0 &= ~_BV(OCIE0A);
	i = count_a;
	/* Polled. */
	TIFR0 = _BV(OCF0A);
	CHECK(TCNT0 <= 124);
	loop_until_bit_is_set(TIFR0, OCF0A);
	CHECK(i == count_a);
	TCCR0B = 0;
	TCNT0 = 17;
	CHECK(TCNT0 == 17);

	/* Timer 1, 16 bits, whole and in halves. */
	TCCR1B = 0;
	TCNT1 = 0x1234;
	CHECK(TCNT1H == 0x12 && TCNT1L == 0x34 && TCNT1 == 0x1234);
	OCR1AH = 0x56;
	OCR1AL = 0x78;
	CHECK(OCR1A == 0x5678);
	TCNT1 = 0xFF00;
	TIFR1 = _BV(TOV1);
	TCCR1B = _BV(CS10);
	while (!(TIFR1 & _BV(TOV1)))
		;
	TIFR1 = _BV(TOV1);
	t = TCNT1;
	_delay_us(50);
	CHECK((uint16_t)(TCNT1 - t) >= 400);

	/* Timer 2 nests in its own routine. */
	TCCR2B = _BV(CS22);
	TIMSK2 |= _BV(TOIE2);
	while (count_ovf < 3)
		;
	TIMSK2 = 0;
	CHECK(deepest == 2);

	/* EEPROM. */
	EECR |= _BV(EERIE);
	while (!ee_done)
		;
	eeprom_write_word(&setting, 0xBEEF);
	CHECK(eeprom_read_word(&setting) == 0xBEEF);
	eeprom_update_byte((uint8_t *)10, 7);
	CHECK(eeprom_read_byte((const uint8_t *)10) == 7);
	EEAR = 10;
	EECR |= _BV(EERE);
	CHECK(EEDR == 7);

	/* Converter, SPI, two-wire: ready, and nobody there. */
	ADMUX = _BV(REFS0) | 3;
	ADCSRA = _BV(ADEN) | _BV(ADIE) | _BV(ADPS2);
	ADCSRA |= _BV(ADSC);
	while (ADCSRA & _BV(ADSC))
		;
	CHECK(ADC == 0);
	while (!adc_done)
		;
	CHECK(adc_done == 1);
	SPCR = _BV(SPE) | _BV(MSTR);
	SPDR = 0x55;
	while (!(SPSR & _BV(SPIF)))
		;
	CHECK(SPDR == 0xFF);
	SPCR |= _BV(SPIE);
	SPDR = 0x55;
	while (!spi_done)
		;
	TWCR = _BV(TWINT) | _BV(TWSTA) | _BV(TWEN);
	while (!(TWCR & _BV(TWINT)))
		;
	CHECK(TW_STATUS == TW_START);
	TWDR = 0xA0 | TW_WRITE;
	TWCR = _BV(TWINT) | _BV(TWEN);
	while (!(TWCR & _BV(TWINT)))
		;
	CHECK(TW_STATUS == TW_MT_SLA_NACK);

	CHECK(_crc_ibutton_update(0, 1) == 0x5E);
	CHECK(_crc_xmodem_update(0, 1) == 0x1021);

	stdout = &stream;
	printf_P(PSTR("printf %d %%\n"), 42);

	/* The watchdog interrupts, then resets. */
	cli();
	wdt_reset();
	WDTCSR |= _BV(WDCE) | _BV(WDE);
	WDTCSR = _BV(WDIE) | _BV(WDE);
	sei();
	while (!wdt_fired)
		;
	for (;;)
		;
}
