/*
 * Serial command interpreter, ATmega328P.
 *
 *   r ADDR        read EEPROM          w ADDR VALUE   write EEPROM
 *   p             pulses on INT1       t              timer ticks are running
 *   l             toggle the LED       c TEXT         CRC of the text
 *   q             stop
 *
 * Received bytes go into a ring in the receive interrupt; what is sent leaves
 * one in the data register empty interrupt.
 */
#ifndef F_CPU
#define F_CPU 16000000UL
#endif
#define BAUD 9600UL
#define MYUBRR (F_CPU / 16 / BAUD - 1)

#include <avr/io.h>
#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <avr/wdt.h>
#include <stdlib.h>
#include <string.h>
#include <util/crc16.h>
#include <util/delay.h>

#define LED_PORT PORTB
#define LED_DDR DDRB
#define LED 5

#define RING 64
#define RING_MASK (RING - 1)

static volatile uint8_t rx_ring[RING], rx_head, rx_tail;
static volatile uint8_t tx_ring[RING], tx_head, tx_tail;
static volatile uint16_t ticks;
static volatile uint16_t pulses;

static uint8_t EEMEM saved_boots = 41;

ISR(USART_RX_vect)
{
	uint8_t data = UDR0;
	uint8_t head = (rx_head + 1) & RING_MASK;

	if (head != rx_tail) {
		rx_ring[rx_head] = data;
		rx_head = head;
	}
}

ISR(USART_UDRE_vect)
{
	if (tx_head != tx_tail) {
		UDR0 = tx_ring[tx_tail];
		tx_tail = (tx_tail + 1) & RING_MASK;
	} else {
		UCSR0B &= ~(1 << UDRIE0);
	}
}

ISR(TIMER0_OVF_vect)
{
	TCNT0 = 6;
	ticks++;
}

ISR(INT1_vect)
{
	pulses++;
}

static void uart_putc(char c)
{
	uint8_t head = (tx_head + 1) & RING_MASK;

	while (head == tx_tail)
		;
	tx_ring[tx_head] = c;
	tx_head = head;
	UCSR0B |= (1 << UDRIE0);
}

static int uart_getc(void)
{
	uint8_t sreg = SREG;
	int c = -1;

	cli();
	if (rx_head != rx_tail) {
		c = rx_ring[rx_tail];
		rx_tail = (rx_tail + 1) & RING_MASK;
	}
	SREG = sreg;
	return c;
}

static void uart_puts_P(const char *s)
{
	char c;

	while ((c = pgm_read_byte(s++)) != 0)
		uart_putc(c);
}

static void uart_puts(const char *s)
{
	while (*s)
		uart_putc(*s++);
}

static void put_hex(uint16_t n)
{
	char text[8];

	uart_puts(utoa(n, text, 16));
}

static uint16_t timer_ticks(void)
{
	uint16_t t;

	cli();
	t = ticks;
	sei();
	return t;
}

static void finish(void)
{
	while (UCSR0B & (1 << UDRIE0))
		;
	while (!(UCSR0A & (1 << TXC0)))
		;
	wdt_disable();
	cli();
	sleep_enable();
	sleep_cpu();
}

static void command(char *line)
{
	char *rest = line + 1;
	uint16_t address, t, crc;

	switch (line[0]) {
	case 'r':
		address = strtoul(rest, &rest, 0);
		put_hex(eeprom_read_byte((uint8_t *)(uintptr_t)address));
		break;
	case 'w':
		address = strtoul(rest, &rest, 0);
		eeprom_busy_wait();
		/* by hand, as the data sheet says */
		EEAR = address;
		EEDR = strtoul(rest, &rest, 0);
		cli();
		EECR |= (1 << EEMPE);
		EECR |= (1 << EEPE);
		sei();
		uart_puts_P(PSTR("ok"));
		break;
	case 'p':
		put_hex(pulses);
		break;
	case 't':
		t = timer_ticks();
		while ((uint16_t)(timer_ticks() - t) < 5)
			wdt_reset();
		uart_puts_P(PSTR("ticking"));
		break;
	case 'l':
		PINB = _BV(LED);
		uart_puts_P(bit_is_set(LED_PORT, LED) ? PSTR("on") : PSTR("off"));
		break;
	case 'c':
		for (crc = 0xFFFF, rest++; *rest; rest++)
			crc = _crc16_update(crc, *rest);
		put_hex(crc);
		break;
	case 'q':
		uart_puts_P(PSTR("bye\r\n"));
		finish();
		break;
	default:
		uart_puts_P(PSTR("?"));
		break;
	}
	uart_puts_P(PSTR("\r\n> "));
}

int main(void)
{
	char line[40];
	uint8_t length = 0;

	wdt_disable();
	LED_DDR |= _BV(LED);
	UBRR0 = MYUBRR;
	UCSR0B = (1 << RXEN0) | (1 << TXEN0) | (1 << RXCIE0);
	UCSR0C = (3 << UCSZ00);
	TCCR0B = (1 << CS01) | (1 << CS00);
	TCNT0 = 6;
	TIMSK0 = (1 << TOIE0);
	EICRA = (1 << ISC11) | (1 << ISC10);
	EIMSK |= (1 << INT1);
	wdt_enable(WDTO_8S);
	eeprom_update_byte(&saved_boots, eeprom_read_byte(&saved_boots) + 1);
	_delay_ms(1);
	sei();

	uart_puts_P(PSTR("monitor 1.2, boot "));
	put_hex(eeprom_read_byte(&saved_boots));
	uart_puts_P(PSTR("\r\n> "));
	for (;;) {
		int c = uart_getc();

		wdt_reset();
		if (c < 0)
			continue;
		uart_putc(c);
		if (c == '\r') {
			uart_putc('\n');
			line[length] = 0;
			length = 0;
			command(line);
		} else if (length < sizeof(line) - 1) {
			line[length++] = c;
		}
	}
}
