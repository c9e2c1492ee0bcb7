/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * model.h: what the parts of the model share.
 *
 * One CPU: all state is touched with interrupts locked (app_shim_int_lock), by
 * who has the CPU. cli() is level CLI, so what happens outside of the CPU, at a
 * priority above it, goes on.
 */
#ifndef APP_SHIM_MODELS_AVR_MODEL_H
#define APP_SHIM_MODELS_AVR_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "app_shim.h"
#include "app_shim_avr.h"

enum { CLI = APP_SHIM_PRIORITY_MAX - 1, HARDWARE = APP_SHIM_PRIORITY_MAX };
enum {
	INT0 = 1, PCINT0 = 3, WDT = 6, TIMER2_COMPA = 7, TIMER1_CAPT = 10,
	TIMER1_COMPA = 11, TIMER0_COMPA = 14, TIMER0_OVF = 16, SPI_STC = 17, USART_RX = 18,
	USART_UDRE = 19, USART_TX = 20, ADC_DONE = 21, EE_READY = 22, TWI = 24,
	VECTORS = 26,
	/* Outside of the CPU: those of the same number, and a timeout. */
	OUTSIDE = 128, WATCHDOG = OUTSIDE + WDT,
};

/* Data addresses of registers. */
enum {
	PINB = 0x23, PORTD = 0x2b, TIFR0 = 0x35, PCIFR = 0x3b, EIFR, EIMSK,
	EECR = 0x3f, EEDR, EEARL, TCCR0A = 0x44, TCCR0B, TCNT0, OCR0A, OCR0B,
	SPCR = 0x4c, SPSR, SPDR, MCUSR = 0x54, MCUCR, SREG = 0x5f, WDTCSR = 0x60,
	PCICR = 0x68, EICRA, PCMSK0 = 0x6b, TIMSK0 = 0x6e, ADCL = 0x78, ADCH,
	ADCSRA, ADCSRB, ADMUX, TCCR1A = 0x80, TCCR1B, TCCR1C, TCNT1 = 0x84,
	ICR1 = 0x86, OCR1A = 0x88, OCR1B = 0x8a, TCCR2A = 0xb0, TCCR2B, TCNT2,
	OCR2A, OCR2B, TWSR = 0xb9, TWDR = 0xbb, TWCR = 0xbc, UCSR0A = 0xc0,
	UCSR0B, UBRR0 = 0xc4, UDR0 = 0xc6,
};

/* The registers, where nothing traps: a second view of app_shim_avr_sfr. */
extern uint8_t *avr_view;
#define R(a) (avr_view[APP_SHIM_AVR_PLACE((unsigned)(a))])
#define R16(a) ((uint16_t)(R(a) | R((a) + 1) << 8))
static inline void avr_set16(unsigned a, unsigned value)
{
	R(a) = (uint8_t)value;
	R(a + 1) = (uint8_t)(value >> 8);
}

/* trap.c */
int avr_trap_start(void);

/* cpu.c: the time that registers show. */
uint64_t avr_now(void);
/* The access that is being made is one with interrupts disabled. */
extern int avr_masked;
/* Whether the interrupt is enabled in its register. */
int avr_enabled(unsigned vector);
/* Has the routine of an interrupt run, unless that is on its way already. */
void avr_request(unsigned vector, uint64_t time_ns);
void avr_withdraw(unsigned vector);
unsigned long avr_hz(void);

/* Each part: before its register is read, after it was written. */
void avr_ports_start(void);
void avr_ports_read(unsigned a);
void avr_ports_write(unsigned a);
void avr_ports_served(unsigned vector);
void avr_timers_read(unsigned a);
void avr_timers_write(unsigned a, uint8_t before);
/* Around a timer's routine: its flag goes, the next one is due. */
void avr_timers_serve(unsigned vector, uint64_t time_ns);
/* The time that a program may see which cannot be interrupted: at most `now`. */
uint64_t avr_timers_limit(uint64_t now);
/* In a timer's routine: from its event to the next one of the same kind. */
uint64_t avr_timers_gap(unsigned vector);
/* Timer 1's count at that time. */
unsigned avr_timer1_count(uint64_t time_ns);
void avr_usart_start(void);
void avr_usart_read(unsigned a, int peek);
void avr_usart_write(unsigned a, uint8_t before);
int avr_usart_wants(unsigned vector);
void avr_usart_serve(unsigned vector);
void avr_eeprom_start(void);
void avr_eeprom_write(void);
void avr_wdt_start(void);
void avr_wdt_write(uint8_t before);
void avr_wdt_serve(void);
void avr_bus_read(unsigned a);
void avr_bus_write(unsigned a, uint8_t before);

/* The trap's own entry points, in cpu.c: dispatch to the parts. */
void avr_prepare(unsigned a, int write);
/* Returns the value of SREG to be put in force, or -1. */
int avr_commit(unsigned a, int write, uint8_t before);
void avr_accessed(void);

#endif
