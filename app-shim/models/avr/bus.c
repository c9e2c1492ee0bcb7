/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * bus.c: SPI, the two-wire interface and the analog to digital converter, each
 * ready at once. Nobody answers on the two-wire bus.
 */
#include "model.h"

enum { SPE = 0x40, SPIF = 0x80, ADSC = 0x40, ADEN = 0x80, ADIF = 0x10,
       TWINT = 0x80, TWSTA = 0x20, TWSTO = 0x10, TWEN = 0x04 };

static app_shim_avr_shift shift;
static void *shift_argument;
static uint16_t analog[16];
static uint8_t flag_read;

void app_shim_avr_on_spi(app_shim_avr_shift hook, void *argument)
{
	int32_t key = app_shim_int_lock();

	shift_argument = argument;
	shift = hook;
	app_shim_int_unlock(key);
}

void app_shim_avr_set_analog(unsigned channel, unsigned value)
{
	__atomic_store_n(&analog[channel & 15],
			 (uint16_t)(value > 1023 ? 1023 : value),
			 __ATOMIC_RELAXED);
}

void avr_bus_read(unsigned a)
{
	/* Reading the flag and then the data clears the flag. */
	if (a == SPSR)
		flag_read = R(SPSR) & SPIF;
	else if (a == SPDR && flag_read) {
		R(SPSR) &= (uint8_t)~SPIF;
		flag_read = 0;
	}
}

static void convert(void)
{
	unsigned value = __atomic_load_n(&analog[R(ADMUX) & 15],
					 __ATOMIC_RELAXED);

	avr_set16(ADCL, R(ADMUX) & 0x20 ? value << 6 : value);
	R(ADCSRA) = (uint8_t)((R(ADCSRA) & ~ADSC) | ADIF);
	if (avr_enabled(ADC_DONE))
		avr_request(ADC_DONE, 0);
}

/* What a master without slaves is told. */
static void wire(void)
{
	uint8_t control = R(TWCR), status = R(TWSR) & 0xf8;

	if (!(control & TWINT) || !(control & TWEN))
		return;
	if (control & TWSTO) {
		R(TWCR) = control & (uint8_t)~(TWSTO | TWINT);
		R(TWSR) = (uint8_t)((R(TWSR) & 3) | 0xf8);
		return;
	}
	if (control & TWSTA)
		status = status == 0xf8 || status == 0 ? 0x08 : 0x10;
	else if (status == 0x08 || status == 0x10)
		status = R(TWDR) & 1 ? 0x48 : 0x20;
	else
		status = 0x30;
	R(TWSR) = (uint8_t)((R(TWSR) & 3) | status);
	if (avr_enabled(TWI))
		avr_request(TWI, 0);
}

void avr_bus_write(unsigned a, uint8_t before)
{
	switch (a) {
	case SPDR:
		if (!(R(SPCR) & SPE))
			break;
		R(SPDR) = shift ? shift(shift_argument, R(SPDR)) : 0xff;
		R(SPSR) |= SPIF;
		if (avr_enabled(SPI_STC))
			avr_request(SPI_STC, 0);
		break;
	case SPSR:
		R(SPSR) = (uint8_t)((before & 0xc0) | (R(SPSR) & 1));
		break;
	case ADCSRA:
		/* Writing a one clears the flag. */
		if (R(a) & ADIF)
			R(a) &= (uint8_t)~ADIF;
		else
			R(a) |= before & ADIF;
		if ((R(a) & (ADSC | ADEN)) == (ADSC | ADEN))
			convert();
		break;
	case TWCR:
		wire();
		break;
	default:
		break;
	}
}
