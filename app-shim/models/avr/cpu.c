/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * cpu.c: the start before main(), bit I, interrupt routines and sleep.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"
#include "../replay.h"

extern unsigned long app_shim_avr_f_cpu __attribute__((weak));

typedef void (*routine)(void);
#define ROUTINES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)     \
	X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)    \
	X(24) X(25)
#define DECLARE(n) void __vector_##n(void) __attribute__((weak));
ROUTINES(DECLARE)
void __vector_default(void) __attribute__((weak));
#define NAME(n) [n] = __vector_##n,
static const routine routines[VECTORS] = { ROUTINES(NAME) };

/* Routines that begin with interrupts enabled are in a section of their own. */
extern const char __start_app_shim_avr_noblock[] __attribute__((weak));
extern const char __stop_app_shim_avr_noblock[] __attribute__((weak));

static app_shim_avr_access access_hook;
static void *access_argument;
static char **arguments;
static volatile unsigned long served, seen_awake;
/* The routine that is running, and whether its vector was disabled meanwhile. */
static unsigned serving, alone;
static uint64_t alone_since;
/* Requests of interrupts that are on their way. */
static uint8_t requested[VECTORS];

/* Register and bit that enable an interrupt. */
static const struct {
	uint8_t address, bit;
} enables[VECTORS] = {
	[1] = { EIMSK, 0 }, [2] = { EIMSK, 1 }, [3] = { PCICR, 0 },
	[4] = { PCICR, 1 }, [5] = { PCICR, 2 }, [6] = { WDTCSR, 6 },
	[7] = { 0x70, 1 }, [8] = { 0x70, 2 }, [9] = { 0x70, 0 },
	[10] = { 0x6f, 5 }, [11] = { 0x6f, 1 }, [12] = { 0x6f, 2 },
	[13] = { 0x6f, 0 }, [14] = { 0x6e, 1 }, [15] = { 0x6e, 2 },
	[16] = { 0x6e, 0 }, [17] = { SPCR, 7 }, [18] = { UCSR0B, 7 },
	[19] = { UCSR0B, 5 }, [20] = { UCSR0B, 6 }, [21] = { ADCSRA, 3 },
	[22] = { EECR, 3 }, [23] = { 0x50, 3 }, [24] = { TWCR, 0 },
	[25] = { 0x57, 7 },
};

int avr_enabled(unsigned vector)
{
	return R(enables[vector].address) >> enables[vector].bit & 1;
}

unsigned long avr_hz(void)
{
	return &app_shim_avr_f_cpu ? app_shim_avr_f_cpu : 16000000UL;
}

/*
 * Where the program has disabled interrupts, an access takes as long as on the
 * part, not as long as here: it may read a count and then the flag that the count
 * has passed its top, and rely on both being of one moment. After so many accesses
 * it waits for something, and the time is the system's again.
 */
enum { HELD = 64, ACCESS_NS = 125 };
static uint64_t masked_since;
static unsigned held;
static int is_virtual;
int avr_masked;

uint64_t avr_now(void)
{
	uint64_t now = app_shim_now_ns(), limit;

	if (!avr_masked || is_virtual || held >= HELD)
		return now;
	limit = avr_timers_limit(masked_since + ACCESS_NS * held++);
	return limit < now ? limit : now;
}

void avr_request(unsigned vector, uint64_t time_ns)
{
	app_shim_raise_args event = { .size = sizeof(event), .vector = vector };

	if (requested[vector])
		return;
	event.time_ns = time_ns;
	requested[vector] = app_shim_raise_event(&event) == APP_SHIM_OK;
}

void avr_withdraw(unsigned vector)
{
	/* Its event finds nothing to do. */
	requested[vector] = 0;
}

/* One level for all: bit I of an interrupted program. */
static int bit_i(void)
{
	return app_shim_level_get() < CLI;
}

static int is_timers(unsigned vector)
{
	return vector >= TIMER2_COMPA && vector <= TIMER0_OVF;
}

static void serve(void *argument)
{
	unsigned vector = (unsigned)(uintptr_t)argument;
	routine run = routines[vector];
	app_shim_event event;
	unsigned before, before_alone;
	int was_requested;
	int32_t key = app_shim_int_lock();

	memset(&event, 0, sizeof(event));
	event.size = sizeof(event);
	app_shim_current(&event);
	was_requested = requested[vector];
	requested[vector] = 0;
	/* What was disabled or withdrawn since does not happen. */
	if (!avr_enabled(vector) ||
	    (vector >= SPI_STC && !was_requested && event.source == 0) ||
	    (vector >= USART_RX && vector <= USART_TX &&
	     !avr_usart_wants(vector))) {
		app_shim_int_unlock(key);
		return;
	}
	if (is_timers(vector))
		avr_timers_serve(vector, event.time_ns);
	else if (vector == WDT)
		avr_wdt_serve();
	else if (vector == SPI_STC)
		R(SPSR) &= 0x7f;
	else if (vector == ADC_DONE)
		R(ADCSRA) &= (uint8_t)~0x10;
	else if (vector == USART_TX)
		avr_usart_serve(vector);
	else if (vector < WDT)
		avr_ports_served(vector);
	if (!run)
		run = __vector_default;
	if (!run) {
		static const char text[] = "interrupt without a routine\n";

		app_shim_log_text(text, sizeof(text) - 1);
	}
	served++;
	before = serving;
	before_alone = alone;
	serving = vector;
	alone = 0;
	app_shim_int_unlock(key);
	app_shim_level_set(CLI);
	if (run) {
		if ((const char *)run >= __start_app_shim_avr_noblock &&
		    (const char *)run < __stop_app_shim_avr_noblock)
			app_shim_avr_sei();
		run();
	}
	key = app_shim_int_lock();
	if (alone)
		app_shim_enable(vector);
	serving = before;
	alone = before_alone;
	/* What is still asked for comes again. */
	if (vector >= USART_RX && vector <= USART_UDRE &&
	    avr_usart_wants(vector) && avr_enabled(vector))
		avr_request(vector, 0);
	if (vector == EE_READY && avr_enabled(vector))
		avr_request(vector, 0);
	app_shim_int_unlock(key);
}

void app_shim_avr_cli(void)
{
	if (!bit_i() || app_shim_in_isr()) {
		app_shim_level_set(CLI);
		return;
	}
	/* What is due comes before it. */
	app_shim_now_ns();
	app_shim_level_set(CLI);
	masked_since = app_shim_now_ns();
	held = 0;
}

void app_shim_avr_sei(void)
{
	if (!app_shim_in_isr()) {
		seen_awake = served;
	} else if (is_timers(serving) && !alone) {
		/*
		 * The next event of this timer comes a period later, which is
		 * after this routine, even if by the clock it is there already;
		 * unless the routine goes on for that long.
		 */
		alone = 1;
		alone_since = app_shim_clock_ns();
		app_shim_disable(serving);
	}
	app_shim_level_set(APP_SHIM_LEVEL_NONE);
}

uint8_t app_shim_avr_sreg(void)
{
	return (uint8_t)((R(SREG) & 0x7f) | bit_i() << 7);
}

void app_shim_avr_set_sreg(uint8_t value)
{
	R(SREG) = value;
	if (!(value & 0x80))
		app_shim_avr_cli();
	else if (!bit_i())
		app_shim_avr_sei();
}

uint8_t app_shim_avr_block(void)
{
	uint8_t was = app_shim_avr_sreg();

	app_shim_avr_cli();
	return was;
}

uint8_t app_shim_avr_unblock(void)
{
	uint8_t was = app_shim_avr_sreg();

	app_shim_avr_sei();
	return was;
}

void app_shim_avr_sleep(void)
{
	if (app_shim_in_isr())
		return;
	if (!bit_i())
		exit(0);
	/*
	 * A routine that has run since sei() was to wake the CPU; the time
	 * between looking and waiting is bounded by the timeout.
	 */
	while (served == seen_awake) {
		if (app_shim_clock_advance(10000) == APP_SHIM_UNSUPPORTED)
			app_shim_wait_any(1000000);
	}
	seen_awake = served;
}

void app_shim_avr_delay_ns(double ns)
{
	uint64_t whole;

	if (!(ns > 0))
		return;
	held = HELD;
	whole = ns < 1e18 ? (uint64_t)ns : (uint64_t)1e18;
	if (app_shim_clock_advance(whole) == APP_SHIM_UNSUPPORTED)
		app_shim_delay_busy(whole);
}

void app_shim_avr_delay_cycles(double cycles)
{
	app_shim_avr_delay_ns(cycles * 1e9 / (double)avr_hz());
}

void app_shim_avr_reset(uint8_t cause)
{
	char text[4];
	static const char said[] = "reset, but the program cannot be executed\n";

	snprintf(text, sizeof(text), "%u", cause);
	setenv("APP_SHIM_AVR_MCUSR", text, 1);
	execv("/proc/self/exe", arguments);
	if (write(2, said, sizeof(said) - 1) < 0)
		_exit(2);
	_exit(1);
}

void app_shim_avr_on_access(app_shim_avr_access hook, void *argument)
{
	int32_t key = app_shim_int_lock();

	access_argument = argument;
	access_hook = hook;
	app_shim_int_unlock(key);
}

/* ---- Registers -------------------------------------------------------- */

static int of_timers(unsigned a)
{
	return (a >= TIFR0 && a < PCIFR) || (a >= TCCR0A && a <= OCR0B) ||
	       (a >= TIMSK0 && a < ADCL) || (a >= TCCR1A && a <= OCR2B);
}

void avr_prepare(unsigned a, int write)
{
	if (a >= PINB && a <= PORTD)
		avr_ports_read(a);
	else if (a == PCIFR || a == EIFR)
		avr_ports_read(a);
	else if (of_timers(a))
		avr_timers_read(a);
	else if (a == UCSR0A || a == UDR0)
		avr_usart_read(a, write);
	else if (a == SPSR || a == SPDR || a == TWCR || a == ADCSRA)
		avr_bus_read(a);
}

int avr_commit(unsigned a, int write, uint8_t before)
{
	if (access_hook)
		access_hook(access_argument, (uint16_t)a, write, R(a));
	if (!write)
		return -1;
	if (a == SREG)
		return R(SREG);
	if ((a >= PINB && a <= PORTD) || (a >= PCIFR && a <= EIMSK) ||
	    (a >= PCICR && a < TIMSK0))
		avr_ports_write(a);
	else if (of_timers(a))
		avr_timers_write(a, before);
	else if (a >= UCSR0A)
		avr_usart_write(a, before);
	else if (a == EECR || a == EEDR)
		avr_eeprom_write();
	else if (a == WDTCSR)
		avr_wdt_write(before);
	else
		avr_bus_write(a, before);
	return -1;
}

void avr_accessed(void)
{
	/* Where time is virtual an access takes some, so that polling ends. */
	if (!app_shim_in_isr()) {
		app_shim_clock_advance(500);
	} else if (alone && app_shim_clock_ns() - alone_since >=
				    avr_timers_gap(serving)) {
		alone = 0;
		app_shim_enable(serving);
	}
}

/* Whatever is raised for the outside of a part that takes nothing from there. */
static void nothing(void *argument)
{
	(void)argument;
}

__attribute__((constructor(200))) static void start(int argc, char **argv)
{
	app_shim_config config;
	const char *cause = getenv("APP_SHIM_AVR_MCUSR");
	unsigned v;

	(void)argc;
	arguments = argv;
	app_shim_config_init(&config);
	/*
	 * In thread mode a routine and the main program touch registers at once, and
	 * while the page is open for the one, the other's access is not seen.
	 */
	config.mode = APP_SHIM_MODE_PREEMPT;
	if (app_shim_init(&config) != APP_SHIM_OK || avr_trap_start() != 0) {
		char text[200] = "";

		app_shim_last_error(text, sizeof(text));
		fprintf(stderr, "the model of the AVR does not start: %s\n",
			text);
		_exit(1);
	}
	if (app_shim_mode() != APP_SHIM_MODE_PREEMPT) {
		fputs("the model of the AVR needs APP_SHIM_MODE=preempt\n", stderr);
		_exit(2);
	}
	is_virtual = app_shim_clock_advance(0) == APP_SHIM_OK;
	held = HELD;
	R(MCUSR) = cause ? (uint8_t)atoi(cause) : 0x01;
	for (v = 1; v < VECTORS; v++) {
		app_shim_connect(v, serve, (void *)(uintptr_t)v);
		/*
		 * The lower the number, the higher the priority. Timers have one
		 * in common: late ones are served as they were due, and of those
		 * that were due at once the lower number comes first.
		 */
		app_shim_set_priority(v, CLI - 1 -
					 (is_timers(v) ? TIMER2_COMPA : v));
		app_shim_connect(OUTSIDE + v, nothing, NULL);
		app_shim_set_priority(OUTSIDE + v, HARDWARE);
	}
	avr_ports_start();
	avr_usart_start();
	avr_eeprom_start();
	avr_wdt_start();
	replay_start(HARDWARE, OUTSIDE + USART_RX, 0);
	app_shim_level_set(CLI);
	app_shim_start();
	app_shim_level_set(CLI);
}
