/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * FunctionalInterrupt.h: interrupts with anything that can be called. Not for
 * service routines themselves: it allocates.
 */
#ifndef FUNCTIONALINTERRUPT_H
#define FUNCTIONALINTERRUPT_H

#include "Arduino.h"

#ifdef __cplusplus

#include <functional>
#include <type_traits>

inline std::function<void()> &app_shim_arduino_function(unsigned pin)
{
	static std::function<void()> all[APP_SHIM_ARDUINO_PINS];

	return all[pin % APP_SHIM_ARDUINO_PINS];
}

inline void app_shim_arduino_call(void *argument)
{
	(*static_cast<std::function<void()> *>(argument))();
}

/* What a plain function pointer can be had of is attached as one. */
template <class Callable,
	  typename std::enable_if<
		  !std::is_convertible<Callable, voidFuncPtr>::value, int>::type = 0>
void attachInterrupt(uint8_t interrupt, Callable callable, int mode)
{
	std::function<void()> &place =
		app_shim_arduino_function(APP_SHIM_ARDUINO_INTERRUPT(interrupt));
	int32_t key = app_shim_int_lock();

	place = std::move(callable);
	app_shim_int_unlock(key);
	attachInterruptArg(interrupt, app_shim_arduino_call, &place, mode);
}

#endif
#endif /* FUNCTIONALINTERRUPT_H */
