/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tries the calls of wiringPi, in virtual time. It raises pins itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <softPwm.h>
#include <softTone.h>
#include <wiringPi.h>
#include <wiringPiI2C.h>
#include <wiringPiSPI.h>
#include <wiringShift.h>

#include "must.h"

static char written[1024];

static void heard(void *argument, uint32_t pin, uint32_t level, uint64_t time)
{
	size_t at = strlen(written);

	(void)argument;
	(void)time;
	if (at < sizeof(written) - 8)
		sprintf(written + at, "%u%c", pin, level ? '+' : '-');
}

static int heard_since(const char *expected)
{
	int same = strcmp(written, expected) == 0;

	if (!same)
		fprintf(stderr, "heard %s, not %s\n", written, expected);
	written[0] = '\0';
	return same;
}

/* A level in so many microseconds, by a vector of the test's own. */
static struct {
	uint32_t pin, level;
} later;

static void happens(void *argument)
{
	(void)argument;
	app_shim_pin_raise(later.pin, later.level, 0);
}

static void in(uint64_t us, uint32_t bcm, uint32_t level)
{
	later.pin = bcm;
	later.level = level;
	app_shim_connect(250, happens, NULL);
	app_shim_timer_set(250, us * 1000, 0);
}

static void numbers(void)
{
	CHECK(wpiPinToGpio(0) == 17 && wpiPinToGpio(7) == 4);
	CHECK(wpiPinToGpio(31) == 1 && wpiPinToGpio(32) == -1);
	CHECK(physPinToGpio(11) == 17 && physPinToGpio(40) == 21);
	CHECK(physPinToGpio(1) == -1 && physPinToGpio(99) == -1);
	CHECK(piBoardRev() == 2 && piGpioLayout() == 2);

	CHECK(wiringPiSetup() == 0);
	app_shim_pin_on_write(heard, NULL);
	pinMode(2, OUTPUT);
	digitalWrite(2, HIGH);
	CHECK(heard_since("27+"));
	CHECK(wiringPiSetupPhys() == 0);
	digitalWrite(13, LOW);
	CHECK(heard_since("27-"));
	CHECK(wiringPiSetupPinType(WPI_PIN_WPI) == 0);
	digitalWrite(2, HIGH);
	CHECK(heard_since("27+") && wiringPiSetupPinType((enum WPIPinType)9) == -1);
	CHECK(wiringPiSetupSys() == 0 && wiringPiSetupGpio() == 0);
	digitalWrite(27, LOW);
	CHECK(heard_since("27-"));
}

static void pins(void)
{
	CHECK(digitalRead(5) == LOW);
	pullUpDnControl(5, PUD_UP);
	CHECK(digitalRead(5) == HIGH);
	pullUpDnControl(5, PUD_DOWN);
	CHECK(digitalRead(5) == LOW);
	pullUpDnControl(5, PUD_OFF);
	/* There, this is not a pull-up. */
	digitalWrite(5, HIGH);
	CHECK(digitalRead(5) == LOW && heard_since(""));
	/* But it is the level that the output begins with. */
	pinMode(5, OUTPUT);
	CHECK(getAlt(5) == 1 && heard_since("5+"));
	digitalWrite(5, 0);
	digitalWrite(5, 7);
	CHECK(digitalRead(5) == HIGH && heard_since("5-5+"));
	pinMode(5, INPUT);
	CHECK(getAlt(5) == 0 && digitalRead(99) == LOW);
	app_shim_pin_raise(17, 1, 0);
	app_shim_pin_raise(4, 1, 0);
	CHECK(digitalReadByte() == 0x81);
	pinMode(22, OUTPUT);
	digitalWriteByte(0x08);
	CHECK(heard_since("27-22+"));
	pinMode(18, PWM_OUTPUT);
	pwmSetRange(100);
	pwmWrite(18, 75);
	CHECK(app_shim_wpi_get_pwm(18) == 75 && digitalRead(18) == HIGH);
	written[0] = '\0';
	pinMode(20, OUTPUT);
	pinMode(21, OUTPUT);
	shiftOut(20, 21, LSBFIRST, 0x05);
	CHECK(heard_since("20+21+21-20-21+21-20+21+21-20-21+21-20-21+21-20-21+21-"
			  "20-21+21-20-21+21-"));
	CHECK(shiftIn(17, 21, MSBFIRST) == 0xff);
	written[0] = '\0';
}

static int node_read(struct wiringPiNodeStruct *node, int pin)
{
	return pin - node->pinBase + (int)node->data0;
}

static void nodes(void)
{
	struct wiringPiNodeStruct *node = wiringPiNewNode(100, 8);

	node->data0 = 40;
	node->analogRead = node_read;
	node->digitalRead = node_read;
	CHECK(analogRead(102) == 42 && digitalRead(101) == 41);
	CHECK(analogRead(99) == 0 && wiringPiFindNode(107) == node);
	CHECK(wiringPiI2CSetup(0x20) == -1 && wiringPiSPISetup(0, 500000) == -1);
}

static void times(void)
{
	unsigned int us = micros(), ms = millis();
	unsigned long long before = piMicros64();

	delay(30);
	CHECK(micros() - us >= 30000 && micros() - us < 30020);
	CHECK(millis() - ms == 30);
	delayMicroseconds(200);
	CHECK(piMicros64() - before >= 30200 && piMicros64() - before < 30220);
	us = micros();
	sleep(1);
	usleep(500);
	CHECK(micros() - us >= 1000500 && micros() - us < 1000510);
	in(500, 6, 1);
	us = micros();
	while (digitalRead(6) == LOW)
		;
	CHECK(micros() - us >= 500 && micros() - us < 510);
}

static volatile int calls, other_calls;
static volatile unsigned int when;
static volatile int level;

static void isr(void)
{
	calls++;
	when = micros();
	level = digitalRead(23);
}

static void other(void)
{
	other_calls++;
	/* Arms the first one's other edge. */
	wiringPiISR(23, INT_EDGE_RISING, isr);
}

static void interrupts(void)
{
	unsigned int us;

	CHECK(wiringPiISR(23, INT_EDGE_FALLING, isr) == 0);
	app_shim_pin_raise(23, 1, 0);
	CHECK(calls == 0);
	us = micros();
	in(400, 23, 0);
	delay(1);
	CHECK(calls == 1 && when - us >= 399 && when - us <= 401 && level == LOW);
	CHECK(wiringPiISR(24, INT_EDGE_BOTH, other) == 0);
	app_shim_pin_raise(24, 1, 0);
	CHECK(other_calls == 1);
	app_shim_pin_raise(23, 1, 0);
	CHECK(calls == 2 && level == HIGH);
	app_shim_pin_raise(23, 0, 0);
	CHECK(calls == 2);
	CHECK(wiringPiISR(23, INT_EDGE_SETUP, isr) == 0);
	app_shim_pin_raise(23, 1, 0);
	app_shim_pin_raise(23, 0, 0);
	CHECK(calls == 4);
	CHECK(wiringPiISRStop(23) == 0 && wiringPiISRStop(24) == 0);
	app_shim_pin_raise(23, 1, 0);
	app_shim_pin_raise(24, 0, 0);
	CHECK(calls == 4 && other_calls == 1 && digitalRead(23) == HIGH);
	CHECK(wiringPiISR(99, INT_EDGE_BOTH, isr) == -1);
	CHECK(wiringPiISR(23, 9, isr) == -1);
}

static struct WPIWfiStatus told;
static int tellings;

static void isr2(struct WPIWfiStatus status, void *data)
{
	told = status;
	tellings += *(int *)data;
}

static void newer(void)
{
	struct WPIWfiStatus status;
	static int step = 10;
	long long now;

	CHECK(wiringPiISR2(25, INT_EDGE_BOTH, isr2, 0, &step) == 0);
	now = (long long)(app_shim_now_ns() / 1000);
	app_shim_pin_raise(25, 1, 0);
	CHECK(tellings == 10 && told.statusOK == 1 && told.pinBCM == 25);
	CHECK(told.edge == INT_EDGE_RISING && told.timeStamp_us == now);
	/* Debounced: only a level that lasts. */
	CHECK(wiringPiISR2(25, INT_EDGE_FALLING, isr2, 3000, &step) == 0);
	app_shim_pin_raise(25, 0, 0);
	delay(1);
	app_shim_pin_raise(25, 1, 0);
	delay(1);
	app_shim_pin_raise(25, 0, 0);
	delay(2);
	CHECK(tellings == 10);
	delay(2);
	CHECK(tellings == 20 && told.edge == INT_EDGE_FALLING);
	app_shim_pin_raise(25, 1, 0);
	delay(5);
	CHECK(tellings == 20);
	CHECK(wiringPiISRStop(25) == 0);
	app_shim_pin_raise(25, 0, 0);
	delay(5);
	CHECK(tellings == 20);

	in(2000, 25, 1);
	status = waitForInterrupt2(25, INT_EDGE_RISING, 100, 0);
	CHECK(status.statusOK == 1 && status.edge == INT_EDGE_RISING);
	CHECK(status.timeStamp_us == (long long)(app_shim_now_ns() / 1000));
	status = waitForInterrupt2(25, INT_EDGE_RISING, 100, 0);
	CHECK(status.statusOK == 0);
	CHECK(waitForInterrupt2(99, INT_EDGE_BOTH, 1, 0).statusOK == -1);
	CHECK(waitForInterruptClose(25) == 0);
}

static void waiting(void)
{
	unsigned int ms = millis();

	CHECK(waitForInterrupt(26, 20) == 0);
	CHECK(millis() - ms == 20);
	in(5000, 26, 1);
	CHECK(waitForInterrupt(26, -1) == 1);
	CHECK(millis() - ms == 25);
	app_shim_pin_raise(26, 0, 0);
	app_shim_pin_raise(26, 1, 0);
	/* One for each. */
	CHECK(waitForInterrupt(26, 0) == 1 && waitForInterrupt(26, 0) == 1);
	CHECK(waitForInterrupt(26, 0) == 0);
}

static void software(void)
{
	int n, plus = 0;

	pinMode(12, OUTPUT);
	written[0] = '\0';
	CHECK(softPwmCreate(12, 20, 100) == 0);
	delay(100);
	for (n = 0; written[n] != '\0'; n++)
		plus += written[n] == '+';
	CHECK(plus == 10);
	softPwmWrite(12, 0);
	delay(20);
	CHECK(digitalRead(12) == LOW);
	softPwmWrite(12, 100);
	delay(20);
	CHECK(digitalRead(12) == HIGH);
	softPwmStop(12);
	CHECK(softToneCreate(13) == 0);
	written[0] = '\0';
	softToneWrite(13, 1000);
	delay(10);
	softToneWrite(13, 0);
	for (n = plus = 0; written[n] != '\0'; n++)
		plus += written[n] == '+';
	CHECK(plus == 10);
	softToneStop(13);
}

int main(void)
{
	numbers();
	pins();
	nodes();
	times();
	interrupts();
	newer();
	waiting();
	software();
	puts("done");
	return 0;
}
