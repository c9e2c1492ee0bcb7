// SPDX-License-Identifier: MIT OR Apache-2.0
// main() of a sketch: setup(), then loop() until APP_SHIM_ARDUINO_END, if any.
//
// Where models/replay.c is linked, it feeds the sketch the events that APP_SHIM_REPLAY names.

#include <Arduino.h>

// Its B110 is a speed; from here on.
#include <termios.h>

extern "C" __attribute__((__weak__)) void replay_start(uint32_t priority,
						       uint32_t serial_vector,
						       uint32_t key_vector);

void serialEvent() __attribute__((__weak__));
void serialEvent1() __attribute__((__weak__));
void serialEvent2() __attribute__((__weak__));
void serialEvent3() __attribute__((__weak__));

int app_shim_arduino_open_pty()
{
	struct termios raw;
	char name[64];
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0 ||
	    ptsname_r(fd, name, sizeof(name)) != 0) {
		perror("pseudo-terminal");
		exit(2);
	}
	if (tcgetattr(fd, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	fprintf(stderr, "serial line: %s\n", name);
	return fd;
}

// What an Uno takes for a loop() that does next to nothing.
static const uint64_t LOOP_NS = 5000;

// A sketch may have its own, which calls init().
__attribute__((__weak__)) int main()
{
	app_shim_arduino_begin();
	if (replay_start != NULL)
		replay_start(APP_SHIM_PRIORITY_MAX,
			     APP_SHIM_ARDUINO_SERIAL_VECTOR, 0);
	setup();
	for (;;) {
		loop();
		app_shim_arduino_pass(LOOP_NS);
		if (serialEvent != NULL && Serial.available() > 0)
			serialEvent();
		if (serialEvent1 != NULL && Serial1.available() > 0)
			serialEvent1();
		if (serialEvent2 != NULL && Serial2.available() > 0)
			serialEvent2();
		if (serialEvent3 != NULL && Serial3.available() > 0)
			serialEvent3();
	}
}
