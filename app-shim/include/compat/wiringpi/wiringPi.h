/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wiringPi.h: the calls of wiringPi, over app_shim.h. See
 * README-arduino-wiringpi.md beside this folder for what is covered.
 */
#ifndef __WIRING_PI_H__
#define __WIRING_PI_H__

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app_shim_wpi.h"

#ifndef TRUE
#define TRUE (1 == 1)
#define FALSE (!TRUE)
#endif

#ifndef UNU
#define UNU __attribute__((__unused__))
#endif

#define PI_GPIO_MASK (0xFFFFFFC0)
#define NUM_PINS 17

#define WPI_MODE_PINS 0
#define WPI_MODE_GPIO 1
#define WPI_MODE_GPIO_SYS 2
#define WPI_MODE_PHYS 3
#define WPI_MODE_PIFACE 4
#define WPI_MODE_UNINITIALISED -1

#define INPUT 0
#define OUTPUT 1
#define PWM_OUTPUT 2
#define PWM_MS_OUTPUT 8
#define PWM_BAL_OUTPUT 9
#define GPIO_CLOCK 3
#define SOFT_PWM_OUTPUT 4
#define SOFT_TONE_OUTPUT 5
#define PWM_TONE_OUTPUT 6
#define PM_OFF 7

#define LOW 0
#define HIGH 1

#define PUD_OFF 0
#define PUD_DOWN 1
#define PUD_UP 2

#define PWM_MODE_MS 0
#define PWM_MODE_BAL 1

#define INT_EDGE_SETUP 0
#define INT_EDGE_FALLING 1
#define INT_EDGE_RISING 2
#define INT_EDGE_BOTH 3

#define PI_MODEL_A 0
#define PI_MODEL_B 1
#define PI_MODEL_AP 2
#define PI_MODEL_BP 3
#define PI_MODEL_2 4
#define PI_ALPHA 5
#define PI_MODEL_CM 6
#define PI_MODEL_3B 8
#define PI_MODEL_ZERO 9
#define PI_MODEL_CM3 10
#define PI_MODEL_ZERO_W 12
#define PI_MODEL_3BP 13
#define PI_MODEL_3AP 14
#define PI_MODEL_4B 17
#define PI_MODEL_5 23

#define PI_VERSION_1 0
#define PI_VERSION_1_1 1
#define PI_VERSION_1_2 2
#define PI_VERSION_2 3

#define PI_MAKER_SONY 0

#define PI_THREAD(name) void *name(UNU void *dummy)

#define WPI_FATAL (1 == 1)
#define WPI_ALMOST (1 == 2)

enum WPIPinType { WPI_PIN_BCM = 1, WPI_PIN_WPI, WPI_PIN_PHYS };

#ifdef __cplusplus
extern "C" {
#else
/* Where a strict dialect keeps unistd.h from declaring it. */
long syscall(long number, ...);
#endif

/* Pins of other chips, which programs may add. */
struct wiringPiNodeStruct {
	int pinBase;
	int pinMax;
	int fd;
	unsigned int data0;
	unsigned int data1;
	unsigned int data2;
	unsigned int data3;
	void (*pinMode)(struct wiringPiNodeStruct *node, int pin, int mode);
	void (*pullUpDnControl)(struct wiringPiNodeStruct *node, int pin,
				int mode);
	int (*digitalRead)(struct wiringPiNodeStruct *node, int pin);
	void (*digitalWrite)(struct wiringPiNodeStruct *node, int pin,
			     int value);
	void (*pwmWrite)(struct wiringPiNodeStruct *node, int pin, int value);
	int (*analogRead)(struct wiringPiNodeStruct *node, int pin);
	void (*analogWrite)(struct wiringPiNodeStruct *node, int pin,
			    int value);
	struct wiringPiNodeStruct *next;
};

APP_SHIM_WPI_WEAK struct wiringPiNodeStruct *wiringPiNodes;

/* Prints why, and ends the program where that is fatal; else gives -1. */
APP_SHIM_WPI_WEAK int wiringPiFailure(int fatal, const char *message, ...)
{
	va_list arguments;

	va_start(arguments, message);
	vfprintf(stderr, message, arguments);
	va_end(arguments);
	if (fatal)
		exit(EXIT_FAILURE);
	return -1;
}

APP_SHIM_WPI_WEAK struct wiringPiNodeStruct *wiringPiFindNode(int pin)
{
	struct wiringPiNodeStruct *node;

	for (node = wiringPiNodes; node != NULL; node = node->next)
		if (pin >= node->pinBase && pin <= node->pinMax)
			break;
	return node;
}

APP_SHIM_WPI_WEAK struct wiringPiNodeStruct *wiringPiNewNode(int pinBase,
							     int numPins)
{
	struct wiringPiNodeStruct *node;
	int pin;

	if (pinBase < 64)
		wiringPiFailure(WPI_FATAL, "wiringPiNewNode: %d is below 64\n",
				pinBase);
	for (pin = pinBase; pin < pinBase + numPins; pin++)
		if (wiringPiFindNode(pin) != NULL)
			wiringPiFailure(WPI_FATAL,
					"wiringPiNewNode: pin %d is taken\n",
					pin);
	node = (struct wiringPiNodeStruct *)calloc(1, sizeof(*node));
	if (node == NULL)
		wiringPiFailure(WPI_FATAL, "wiringPiNewNode: no memory\n");
	node->pinBase = pinBase;
	node->pinMax = pinBase + numPins - 1;
	node->next = wiringPiNodes;
	wiringPiNodes = node;
	return node;
}

/* ---- Setup ------------------------------------------------------------ */

/* Each starts the clock of millis(); they end the program if it cannot be. */
APP_SHIM_WPI_WEAK int wiringPiSetup(void)
{
	return app_shim_wpi_begin(WPI_MODE_PINS);
}

APP_SHIM_WPI_WEAK int wiringPiSetupGpio(void)
{
	return app_shim_wpi_begin(WPI_MODE_GPIO);
}

APP_SHIM_WPI_WEAK int wiringPiSetupPhys(void)
{
	return app_shim_wpi_begin(WPI_MODE_PHYS);
}

APP_SHIM_WPI_WEAK int wiringPiSetupSys(void)
{
	return app_shim_wpi_begin(WPI_MODE_GPIO_SYS);
}

APP_SHIM_WPI_WEAK int wiringPiSetupPinType(enum WPIPinType pinType)
{
	switch (pinType) {
	case WPI_PIN_BCM:
		return wiringPiSetupGpio();
	case WPI_PIN_WPI:
		return wiringPiSetup();
	case WPI_PIN_PHYS:
		return wiringPiSetupPhys();
	default:
		return -1;
	}
}

APP_SHIM_WPI_WEAK int wiringPiSetupGpioDevice(enum WPIPinType pinType)
{
	return wiringPiSetupPinType(pinType);
}

/* That of the interface that is covered. */
APP_SHIM_WPI_WEAK void wiringPiVersion(int *major, int *minor)
{
	*major = 3;
	*minor = 16;
}

APP_SHIM_WPI_WEAK int wiringPiUserLevelAccess(void)
{
	return 1;
}

APP_SHIM_WPI_WEAK int piGpioLayout(void)
{
	return 2;
}

APP_SHIM_WPI_WEAK int piBoardRev(void)
{
	return piGpioLayout();
}

/* A model 4B, version 1.2, 2 GiB. */
APP_SHIM_WPI_WEAK void piBoardId(int *model, int *rev, int *mem, int *maker,
				 int *overVolted)
{
	*model = PI_MODEL_4B;
	*rev = PI_VERSION_1_2;
	*mem = 3;
	*maker = PI_MAKER_SONY;
	*overVolted = 0;
}

APP_SHIM_WPI_WEAK int wpiPinToGpio(int wpiPin)
{
	return app_shim_wpi_of_wiring(wpiPin);
}

APP_SHIM_WPI_WEAK int physPinToGpio(int physPin)
{
	return app_shim_wpi_of_header(physPin);
}

/* ---- Pins ------------------------------------------------------------- */

APP_SHIM_WPI_WEAK void digitalWrite(int pin, int value)
{
	struct wiringPiNodeStruct *node = wiringPiFindNode(pin);
	int bcm;

	if (node != NULL) {
		if (node->digitalWrite != NULL)
			node->digitalWrite(node, pin, value);
		return;
	}
	bcm = app_shim_wpi_bcm(pin);
	app_shim_wpi_pass(0);
	if (bcm >= 0)
		app_shim_wpi_put(bcm, value != LOW);
}

APP_SHIM_WPI_WEAK int digitalRead(int pin)
{
	struct wiringPiNodeStruct *node = wiringPiFindNode(pin);
	int bcm;

	if (node != NULL)
		return node->digitalRead == NULL ? LOW :
						   node->digitalRead(node, pin);
	bcm = app_shim_wpi_bcm(pin);
	app_shim_wpi_pass(1000);
	if (bcm < 0)
		return LOW;
	return app_shim_pin_read((uint32_t)bcm) == 1 ? HIGH : LOW;
}

/* Pulse width modulation is an output: see pwmWrite(). */
APP_SHIM_WPI_WEAK void pinMode(int pin, int mode)
{
	struct wiringPiNodeStruct *node = wiringPiFindNode(pin);
	int bcm, now;

	if (node != NULL) {
		if (node->pinMode != NULL)
			node->pinMode(node, pin, mode);
		return;
	}
	bcm = app_shim_wpi_bcm(pin);
	app_shim_wpi_pass(0);
	if (bcm < 0)
		return;
	app_shim_wpi.pin[bcm].mode = mode;
	now = app_shim_pin_get_mode((uint32_t)bcm);
	if (mode != INPUT && mode != PM_OFF) {
		app_shim_pin_mode((uint32_t)bcm, APP_SHIM_PIN_OUTPUT);
		if (app_shim_pin_read((uint32_t)bcm) !=
		    app_shim_wpi.pin[bcm].latch)
			app_shim_pin_write((uint32_t)bcm,
					   (uint32_t)app_shim_wpi.pin[bcm].latch);
	} else if (now == APP_SHIM_PIN_OUTPUT)
		app_shim_pin_mode((uint32_t)bcm, APP_SHIM_PIN_INPUT);
}

/* An input's level where nothing drives it. */
APP_SHIM_WPI_WEAK void pullUpDnControl(int pin, int pud)
{
	struct wiringPiNodeStruct *node = wiringPiFindNode(pin);
	int bcm;

	if (node != NULL) {
		if (node->pullUpDnControl != NULL)
			node->pullUpDnControl(node, pin, pud);
		return;
	}
	bcm = app_shim_wpi_bcm(pin);
	app_shim_wpi_pass(0);
	if (bcm < 0 ||
	    app_shim_pin_get_mode((uint32_t)bcm) == APP_SHIM_PIN_OUTPUT)
		return;
	app_shim_pin_mode((uint32_t)bcm, pud == PUD_UP	 ? APP_SHIM_PIN_PULLUP :
					 pud == PUD_DOWN ? APP_SHIM_PIN_PULLDOWN :
							   APP_SHIM_PIN_INPUT);
}

/* 0: input, 1: output; there are no others here. */
APP_SHIM_WPI_WEAK int getAlt(int pin)
{
	int bcm = app_shim_wpi_bcm(pin);

	if (bcm < 0)
		return 0;
	return app_shim_pin_get_mode((uint32_t)bcm) == APP_SHIM_PIN_OUTPUT;
}

APP_SHIM_WPI_WEAK void pinModeAlt(int pin, int mode)
{
	if (mode == 0 || mode == 1)
		pinMode(pin, mode);
	else
		wiringPiFailure(WPI_ALMOST,
				"pinModeAlt: pin %d: no function %d here\n",
				pin, mode);
}

APP_SHIM_WPI_WEAK int analogRead(int pin)
{
	struct wiringPiNodeStruct *node = wiringPiFindNode(pin);

	if (node == NULL || node->analogRead == NULL)
		return 0;
	return node->analogRead(node, pin);
}

APP_SHIM_WPI_WEAK void analogWrite(int pin, int value)
{
	struct wiringPiNodeStruct *node = wiringPiFindNode(pin);

	if (node != NULL && node->analogWrite != NULL)
		node->analogWrite(node, pin, value);
}

/* The pins 0 to 7 of wiringPi's numbering. */
APP_SHIM_WPI_WEAK void digitalWriteByte(int value)
{
	int n;

	app_shim_wpi_pass(0);
	for (n = 0; n < 8; n++)
		app_shim_wpi_put(app_shim_wpi_of_wiring(n), value >> n & 1);
}

APP_SHIM_WPI_WEAK unsigned int digitalReadByte(void)
{
	unsigned int value = 0;
	int n;

	app_shim_wpi_pass(1000);
	for (n = 0; n < 8; n++)
		if (app_shim_pin_read((uint32_t)app_shim_wpi_of_wiring(n)) == 1)
			value |= 1u << n;
	return value;
}

/* BCM 20 to 27. */
APP_SHIM_WPI_WEAK void digitalWriteByte2(int value)
{
	int n;

	app_shim_wpi_pass(0);
	for (n = 0; n < 8; n++)
		app_shim_wpi_put(20 + n, value >> n & 1);
}

APP_SHIM_WPI_WEAK unsigned int digitalReadByte2(void)
{
	unsigned int value = 0;
	uint32_t n;

	app_shim_wpi_pass(1000);
	for (n = 0; n < 8; n++)
		if (app_shim_pin_read(20 + n) == 1)
			value |= 1u << n;
	return value;
}

/* ---- Pulse width modulation ------------------------------------------- */

/* The pin is as its signal is at the middle of each period. */
APP_SHIM_WPI_WEAK void pwmWrite(int pin, int value)
{
	struct wiringPiNodeStruct *node = wiringPiFindNode(pin);
	int bcm;

	if (node != NULL) {
		if (node->pwmWrite != NULL)
			node->pwmWrite(node, pin, value);
		return;
	}
	bcm = app_shim_wpi_bcm(pin);
	app_shim_wpi_pass(0);
	if (bcm < 0)
		return;
	app_shim_wpi.pin[bcm].pwm = value + 1;
	app_shim_pin_write((uint32_t)bcm,
			   value > 0 && value * 2 >= app_shim_wpi.pwm_range);
}

/* The value that pwmWrite() has set; -1: none. */
APP_SHIM_WPI_WEAK int app_shim_wpi_get_pwm(int bcm)
{
	return bcm < 0 || bcm >= APP_SHIM_WPI_PINS ?
		       -1 :
		       app_shim_wpi.pin[bcm].pwm - 1;
}

APP_SHIM_WPI_WEAK void pwmSetRange(unsigned int range)
{
	app_shim_wpi.pwm_range = (int)range;
}

/* There are no periods, so these do not matter. */
APP_SHIM_WPI_WEAK void pwmSetMode(int mode)
{
	(void)mode;
}

APP_SHIM_WPI_WEAK void pwmSetClock(int divisor)
{
	(void)divisor;
}

/* Strength of outputs, which does not matter either. */
APP_SHIM_WPI_WEAK void setPadDrive(int group, int value)
{
	(void)group;
	(void)value;
}

/* ---- Time ------------------------------------------------------------- */

/* Since the setup; in an interrupt's function, when it happened. */
APP_SHIM_WPI_WEAK unsigned long long piNanos64(void)
{
	app_shim_wpi_pass(1000);
	return app_shim_wpi_uptime();
}

APP_SHIM_WPI_WEAK unsigned long long piMicros64(void)
{
	return piNanos64() / 1000u;
}

APP_SHIM_WPI_WEAK unsigned int nanos(void)
{
	return (unsigned int)piNanos64();
}

APP_SHIM_WPI_WEAK unsigned int micros(void)
{
	return (unsigned int)piMicros64();
}

APP_SHIM_WPI_WEAK unsigned int millis(void)
{
	return (unsigned int)(piNanos64() / 1000000u);
}

APP_SHIM_WPI_WEAK void delay(unsigned int ms)
{
	app_shim_wpi_wait((uint64_t)ms * 1000000u);
}

APP_SHIM_WPI_WEAK void delayMicroseconds(unsigned int us)
{
	app_shim_wpi_wait((uint64_t)us * 1000u);
}

APP_SHIM_WPI_WEAK void delayNanoseconds(unsigned int ns)
{
	app_shim_wpi_wait(ns);
}

/* ---- Interrupts ------------------------------------------------------- */

/* INT_EDGE_SETUP: both, since nobody has chosen any before. */
APP_SHIM_WPI_WEAK int app_shim_wpi_edge(int mode)
{
	return mode == INT_EDGE_FALLING || mode == INT_EDGE_RISING ?
		       mode :
		       INT_EDGE_BOTH;
}

/* Calls a function at a pin's edges. Again: that one from now on. */
APP_SHIM_WPI_WEAK int wiringPiISR(int pin, int mode, void (*function)(void))
{
	int bcm = app_shim_wpi_bcm(pin);

	if (bcm < 0 || mode < INT_EDGE_SETUP || mode > INT_EDGE_BOTH)
		return wiringPiFailure(WPI_ALMOST,
				       "wiringPiISR: no pin %d or edge %d\n",
				       pin, mode);
	app_shim_wpi.pin[bcm].function2 = NULL;
	app_shim_wpi.pin[bcm].function = function;
	return app_shim_wpi_listen(bcm, app_shim_wpi_edge(mode), 0);
}

/* The same, telling more; a level counts once it has been for so long. */
APP_SHIM_WPI_WEAK int
wiringPiISR2(int pin, int edgeMode,
	     void (*function)(struct WPIWfiStatus wfiStatus, void *userdata),
	     unsigned long debounce_period_us, void *userdata)
{
	int bcm = app_shim_wpi_bcm(pin);

	if (bcm < 0 || edgeMode <= INT_EDGE_SETUP || edgeMode > INT_EDGE_BOTH)
		return wiringPiFailure(WPI_ALMOST,
				       "wiringPiISR2: no pin %d or edge %d\n",
				       pin, edgeMode);
	app_shim_wpi.pin[bcm].function = NULL;
	app_shim_wpi.pin[bcm].data = userdata;
	app_shim_wpi.pin[bcm].function2 = function;
	return app_shim_wpi_listen(bcm, edgeMode,
				   (uint64_t)debounce_period_us * 1000u);
}

/* Ends that; no call begins any more. */
APP_SHIM_WPI_WEAK int wiringPiISRStop(int pin)
{
	int bcm = app_shim_wpi_bcm(pin);
	int32_t key;

	if (bcm < 0)
		return -1;
	key = app_shim_int_lock();
	app_shim_pin_detach((uint32_t)bcm);
	app_shim_timer_cancel(APP_SHIM_WPI_DEBOUNCE_VECTOR + (uint32_t)bcm);
	app_shim_wpi.pin[bcm].edge = 0;
	app_shim_wpi.pin[bcm].function = NULL;
	app_shim_wpi.pin[bcm].function2 = NULL;
	app_shim_int_unlock(key);
	return 0;
}

APP_SHIM_WPI_WEAK int waitForInterruptClose(int pin)
{
	return wiringPiISRStop(pin);
}

/*
 * Waits for a pin's next interrupt, or takes one that has been since the last call: 1;
 * 0: none in time; -1: error. ms: -1 for ever. Both edges, where nothing else has
 * been asked for.
 */
APP_SHIM_WPI_WEAK int waitForInterrupt(int pin, int ms)
{
	int bcm = app_shim_wpi_bcm(pin);

	if (bcm < 0 || app_shim_in_isr())
		return -1;
	if (app_shim_wpi.pin[bcm].edge == 0 &&
	    app_shim_wpi_listen(bcm, INT_EDGE_BOTH, 0) != 0)
		return -1;
	return app_shim_wpi_await(bcm, ms);
}

/* Waits for an edge that happens from now on. */
APP_SHIM_WPI_WEAK struct WPIWfiStatus
waitForInterrupt2(int pin, int edgeMode, int ms,
		  unsigned long debounce_period_us)
{
	int bcm = app_shim_wpi_bcm(pin);
	struct WPIWfiStatus status;

	memset(&status, 0, sizeof(status));
	status.statusOK = -1;
	if (bcm < 0 || app_shim_in_isr() || edgeMode <= INT_EDGE_SETUP ||
	    edgeMode > INT_EDGE_BOTH)
		return status;
	status.pinBCM = (unsigned int)bcm;
	if (app_shim_wpi_listen(bcm, edgeMode,
				(uint64_t)debounce_period_us * 1000u) != 0)
		return status;
	while (app_shim_sem_take(app_shim_wpi.pin[bcm].event,
				 APP_SHIM_NO_WAIT) == APP_SHIM_OK)
		;
	status.statusOK = app_shim_wpi_await(bcm, ms);
	if (status.statusOK == 1) {
		status.edge = app_shim_wpi.pin[bcm].last_edge;
		status.timeStamp_us = app_shim_wpi.pin[bcm].last_us;
	}
	return status;
}

/* ---- Threads ---------------------------------------------------------- */

/* Starts a thread; 0, or an error number. */
APP_SHIM_WPI_WEAK int piThreadCreate(void *(*function)(void *))
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, function, NULL);

	if (error == 0)
		pthread_detach(thread);
	return error;
}

/*
 * Keys 0 to 3. Who holds one has interrupts locked: a routine that wants it as well
 * may be about to run on the very thread that has it.
 */
APP_SHIM_WPI_WEAK int app_shim_wpi_locks[4];
APP_SHIM_WPI_WEAK __thread int app_shim_wpi_held;
APP_SHIM_WPI_WEAK __thread int32_t app_shim_wpi_held_key;

/* 0: free, 1: taken, 2: and somebody waits. Routines may lock, so no pthread_mutex_t. */
APP_SHIM_WPI_WEAK void piLock(int key)
{
	int *lock = &app_shim_wpi_locks[key & 3];
	int was = 0;

	if (app_shim_wpi_held++ == 0 && app_shim_wpi.begun)
		app_shim_wpi_held_key = app_shim_int_lock();
	if (__atomic_compare_exchange_n(lock, &was, 1, 0, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return;
	while (__atomic_exchange_n(lock, 2, __ATOMIC_SEQ_CST) != 0)
		syscall(SYS_futex, lock, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

APP_SHIM_WPI_WEAK void piUnlock(int key)
{
	int *lock = &app_shim_wpi_locks[key & 3];

	if (__atomic_exchange_n(lock, 0, __ATOMIC_SEQ_CST) == 2)
		syscall(SYS_futex, lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	/* One that was not locked leaves interrupts alone. */
	if (app_shim_wpi_held > 0 && --app_shim_wpi_held == 0 &&
	    app_shim_wpi.begun)
		app_shim_int_unlock(app_shim_wpi_held_key);
}

/*
 * Round-robin real-time priority for the calling thread; -1 where that is refused.
 * At most 49, so that interrupts still come first.
 */
APP_SHIM_WPI_WEAK int piHiPri(const int pri)
{
	struct sched_param wanted;

	memset(&wanted, 0, sizeof(wanted));
	wanted.sched_priority = pri < 1 ? 1 : pri > 49 ? 49 : pri;
	return sched_setscheduler(0, SCHED_RR, &wanted);
}

#ifdef __cplusplus
}
#endif

#endif /* __WIRING_PI_H__ */
