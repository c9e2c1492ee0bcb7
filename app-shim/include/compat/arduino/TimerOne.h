/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * TimerOne.h: the calls of that library, by a timer of the controller on vector
 * 231. Its pins are as their signal is at the middle of each period.
 */
#ifndef TimerOne_h
#define TimerOne_h

#include "Arduino.h"

#ifdef __cplusplus

#define APP_SHIM_ARDUINO_TIMER1_VECTOR 231
#define TIMER1_A_PIN 9
#define TIMER1_B_PIN 10

class TimerOne {
public:
	constexpr TimerOne() : function(NULL), period(1000000), runs(false)
	{
	}

	/* In microseconds. */
	void initialize(unsigned long microseconds = 1000000)
	{
		setPeriod(microseconds);
	}
	void setPeriod(unsigned long microseconds)
	{
		period = microseconds > 0 ? microseconds : 1;
		start();
	}
	void start()
	{
		runs = true;
		arm();
	}
	void stop()
	{
		runs = false;
		app_shim_timer_cancel(APP_SHIM_ARDUINO_TIMER1_VECTOR);
	}
	void restart()
	{
		start();
	}
	void resume()
	{
		start();
	}
	void attachInterrupt(void (*routine)(), unsigned long microseconds = 0)
	{
		function = routine;
		if (microseconds > 0)
			setPeriod(microseconds);
		else
			arm();
	}
	void detachInterrupt()
	{
		function = NULL;
		app_shim_timer_cancel(APP_SHIM_ARDUINO_TIMER1_VECTOR);
	}
	/* Duty 0 to 1023. */
	void pwm(char pin, unsigned int duty, unsigned long microseconds = 0)
	{
		if (microseconds > 0)
			setPeriod(microseconds);
		setPwmDuty(pin, duty);
	}
	void setPwmDuty(char pin, unsigned int duty)
	{
		analogWrite((uint8_t)pin, (int)(duty / 4));
	}
	void disablePwm(char pin)
	{
		digitalWrite((uint8_t)pin, LOW);
	}

private:
	static void served(void *me)
	{
		void (*routine)() = static_cast<TimerOne *>(me)->function;
		if (routine != NULL)
			routine();
		app_shim_arduino_sync();
	}
	void arm()
	{
		app_shim_arduino_pass(0);
		if (function == NULL || !runs)
			return;
		app_shim_connect(APP_SHIM_ARDUINO_TIMER1_VECTOR, served, this);
		app_shim_timer_set(APP_SHIM_ARDUINO_TIMER1_VECTOR,
				   (uint64_t)period * 1000, (uint64_t)period * 1000);
	}

	void (*volatile function)();
	unsigned long period;
	bool runs;
};

__attribute__((__weak__)) TimerOne Timer1;

#endif /* __cplusplus */
#endif /* TimerOne_h */
