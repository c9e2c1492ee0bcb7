/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* MsTimer2.h: the calls of that library, by a timer of the controller on vector 232. */
#ifndef MsTimer2_h
#define MsTimer2_h

#include "Arduino.h"

#ifdef __cplusplus

#define APP_SHIM_ARDUINO_TIMER2_VECTOR 232

struct app_shim_arduino_timer2 {
	unsigned long ms;
	void (*function)();
};

__attribute__((__weak__)) app_shim_arduino_timer2 app_shim_arduino_the_timer2;

inline void app_shim_arduino_timer2_served(void *)
{
	void (*function)() = app_shim_arduino_the_timer2.function;

	if (function != NULL)
		function();
	app_shim_arduino_sync();
}

namespace MsTimer2
{
inline void set(unsigned long ms, void (*function)())
{
	app_shim_arduino_pass(0);
	app_shim_arduino_the_timer2.ms = ms > 0 ? ms : 1;
	app_shim_arduino_the_timer2.function = function;
}
inline void start()
{
	uint64_t ns = (uint64_t)app_shim_arduino_the_timer2.ms * 1000000;

	app_shim_arduino_pass(0);
	app_shim_connect(APP_SHIM_ARDUINO_TIMER2_VECTOR,
			 app_shim_arduino_timer2_served, NULL);
	app_shim_timer_set(APP_SHIM_ARDUINO_TIMER2_VECTOR, ns, ns);
}
inline void stop()
{
	app_shim_timer_cancel(APP_SHIM_ARDUINO_TIMER2_VECTOR);
}
} // namespace MsTimer2

#endif /* __cplusplus */
#endif /* MsTimer2_h */
