/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/interrupt.h: interrupt routines. A routine is a function named after its
 * vector, which the model finds when the program is linked.
 */
#ifndef _AVR_INTERRUPT_H_
#define _AVR_INTERRUPT_H_ 1

#include <avr/io.h>

#define sei() app_shim_avr_sei()
#define cli() app_shim_avr_cli()

/* The end of a routine puts bit I back; what reti() adds is the return. */
#define reti() return

#ifdef __cplusplus
#define APP_SHIM_AVR_C extern "C"
#else
#define APP_SHIM_AVR_C
#endif

#define ISR(vector, ...)                                                       \
	APP_SHIM_AVR_C void vector(void)                                           \
		__attribute__((__used__)) __VA_ARGS__;                                 \
	APP_SHIM_AVR_C void vector(void)
#define SIGNAL(vector) ISR(vector, ISR_BLOCK)
#define INTERRUPT(vector) ISR(vector, ISR_NOBLOCK)

#define ISR_BLOCK
/* The model runs what is in that section with interrupts enabled. */
#define ISR_NOBLOCK __attribute__((__section__("app_shim_avr_noblock")))
/* Registers are saved by themselves, so nothing is naked. */
#define ISR_NAKED
#define ISR_FLATTEN __attribute__((__flatten__))
#define ISR_NOICF
#define ISR_NOGCCISR
/* GCC wants an alias to promise as much as its target. */
#ifdef __clang__
#define APP_SHIM_AVR_NOTHROW
#else
#define APP_SHIM_AVR_NOTHROW , __nothrow__
#endif
#define APP_SHIM_AVR_TEXT_(x) #x
#define APP_SHIM_AVR_TEXT(x) APP_SHIM_AVR_TEXT_(x)
#define ISR_ALIASOF(target)                                                    \
	__attribute__((__alias__(APP_SHIM_AVR_TEXT(target)) APP_SHIM_AVR_NOTHROW))
#define ISR_ALIAS(vector, target)                                              \
	APP_SHIM_AVR_C void vector(void)                                           \
		__attribute__((__used__)) ISR_ALIASOF(target);

#define EMPTY_INTERRUPT(vector)                                                \
	APP_SHIM_AVR_C void vector(void) __attribute__((__used__));                \
	APP_SHIM_AVR_C void vector(void)                                           \
	{                                                                          \
	}

/* Called for enabled interrupts that have no routine of their own. */
#define BADISR_vect __vector_default

#endif /* _AVR_INTERRUPT_H_ */
