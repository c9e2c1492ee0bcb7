/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * usart.c: USART 0. There is always room for a byte to be sent, and the other end
 * has it at once; that it is out is said when it would be, since drivers clear
 * that flag after they have written the byte. What is received waits here until it
 * is read, and the source is not read on while too much does.
 */
#include "model.h"
#include "../line.h"

enum { U2X = 0x02, RXC = 0x80, TXC = 0x40, UDRE = 0x20, DOR = 0x08, RXEN = 0x10, TXEN = 0x08 };

static struct line line;
static uint8_t ring[4096];
static unsigned head, tail;
static uint8_t sent, overrun;
/* When what was written will be out; 0: it is. */
static uint64_t busy_until;
static app_shim_avr_sent hook;
static void *hook_argument;

static void look(uint64_t now)
{
	if (busy_until && now >= busy_until) {
		busy_until = 0;
		sent = 1;
	}
}

/* A start bit, eight of data and a stop bit, at the baud rate that is set. */
static uint64_t frame_ns(void)
{
	uint64_t clocks = ((R16(UBRR0) & 0xfffu) + 1) * (R(UCSR0A) & U2X ? 8 : 16);

	return 10 * clocks * 1000000000u / avr_hz();
}

int avr_usart_wants(unsigned vector)
{
	switch (vector) {
	case USART_RX:
		return (R(UCSR0B) & RXEN) && head != tail;
	case USART_TX:
		return sent;
	default:
		return (R(UCSR0B) & TXEN) != 0;
	}
}

void avr_usart_serve(unsigned vector)
{
	if (vector == USART_TX)
		sent = 0;
}

static void receive(void *argument)
{
	app_shim_event event = { .size = sizeof(event) };
	const uint8_t *bytes;
	uint8_t one;
	uint32_t n, i;

	(void)argument;
	if (app_shim_current(&event) != APP_SHIM_OK)
		return;
	one = (uint8_t)event.value;
	bytes = event.payload_len ? event.payload : &one;
	n = event.payload_len ? event.payload_len : 1;
	for (i = 0; i < n; i++) {
		if (head - tail == sizeof(ring)) {
			overrun = 1;
			line_taken(&line, 1);
		} else {
			ring[head++ % sizeof(ring)] = bytes[i];
		}
	}
	if (avr_usart_wants(USART_RX) && avr_enabled(USART_RX))
		avr_request(USART_RX, event.time_ns);
}

void avr_usart_read(unsigned a, int peek)
{
	if (a == UCSR0A) {
		look(avr_now());
		R(a) = (uint8_t)((R(a) & 0x03) | UDRE | (sent ? TXC : 0) |
				 (overrun ? DOR : 0) |
				 ((R(UCSR0B) & RXEN) && head != tail ? RXC : 0));
	} else if (!peek && head != tail && (R(UCSR0B) & RXEN)) {
		R(a) = ring[tail++ % sizeof(ring)];
		overrun = 0;
		line_taken(&line, 1);
	}
}

void avr_usart_write(unsigned a, uint8_t before)
{
	unsigned v;

	if (a == UCSR0A && (R(a) & TXC))
		sent = 0;
	if (a == UDR0 && (R(UCSR0B) & TXEN)) {
		if (hook)
			hook(hook_argument, R(a));
		else
			line_send(&line, R(a));
		sent = 0;
		busy_until = avr_now() + frame_ns();
		app_shim_timer_set(OUTSIDE + USART_TX, frame_ns(), 0);
	}
	if (a == UCSR0B) {
		/* What came before the receiver is enabled waits for that. */
		if ((before & RXEN) && !(R(a) & RXEN)) {
			line_taken(&line, head - tail);
			tail = head;
		}
		look(avr_now());
		for (v = USART_RX; v <= USART_TX; v++)
			if (avr_enabled(v) && avr_usart_wants(v))
				avr_request(v, 0);
	}
}

void app_shim_avr_on_serial(app_shim_avr_sent to, void *argument)
{
	int32_t key = app_shim_int_lock();

	hook_argument = argument;
	hook = to;
	app_shim_int_unlock(key);
}

/* What was written is out, unless something was written since. */
static void out(void *argument)
{
	app_shim_event event = { .size = sizeof(event) };

	(void)argument;
	/* Who polls sees it when he looks, by the time that he sees. */
	if (!avr_enabled(USART_TX) || app_shim_current(&event) != APP_SHIM_OK)
		return;
	look(event.time_ns);
	if (sent)
		avr_request(USART_TX, event.time_ns);
}

void avr_usart_start(void)
{
	R(UCSR0A) = UDRE;
	R(0xc2) = 0x06;
	app_shim_vector_set(OUTSIDE + USART_RX, receive, NULL, NULL, NULL);
	app_shim_vector_set(OUTSIDE + USART_TX, out, NULL, NULL, NULL);
	line_start(&line, "APP_SHIM_AVR_SERIAL", "stdio", OUTSIDE + USART_RX,
		   sizeof(ring) / 2);
}
