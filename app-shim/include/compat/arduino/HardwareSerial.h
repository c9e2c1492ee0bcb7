/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * HardwareSerial.h: Serial, which is standard input and output, and Serial1 to
 * Serial3, which are nothing, unless APP_SHIM_ARDUINO_SERIAL, ..._SERIAL1 and so on
 * say otherwise: stdio, out, none, pty, fd:N, file:READ,WRITTEN.
 *
 * What is written is written at once, in any context; speed and format do not
 * matter. Serial also receives what the vector APP_SHIM_ARDUINO_SERIAL_VECTOR gets.
 */
#ifndef HardwareSerial_h
#define HardwareSerial_h
#ifdef __cplusplus

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "Stream.h"

#define SERIAL_5N1 0x00
#define SERIAL_6N1 0x02
#define SERIAL_7N1 0x04
#define SERIAL_8N1 0x06
#define SERIAL_5N2 0x08
#define SERIAL_6N2 0x0A
#define SERIAL_7N2 0x0C
#define SERIAL_8N2 0x0E
#define SERIAL_5E1 0x20
#define SERIAL_6E1 0x22
#define SERIAL_7E1 0x24
#define SERIAL_8E1 0x26
#define SERIAL_8E2 0x2E
#define SERIAL_5O1 0x30
#define SERIAL_6O1 0x32
#define SERIAL_7O1 0x34
#define SERIAL_8O1 0x36
#define SERIAL_8O2 0x3E

/* In the library: names of the header for that are those of binary numbers here. */
extern "C" int app_shim_pty(void);

class HardwareSerial : public Stream {
public:
	explicit constexpr HardwareSerial(int number)
		: number(number), is_open(false), in(-1), out(-1), put(0),
		  got(0), bytes()
	{
	}

	void begin(unsigned long baud)
	{
		begin(baud, SERIAL_8N1);
	}
	void begin(unsigned long baud, int format)
	{
		(void)baud;
		(void)format;
		open();
	}
	void end()
	{
	}
	operator bool()
	{
		return true;
	}

	int available() override
	{
		app_shim_arduino_pass(0);
		fill();
		return (int)(put - got + (number == 0 ? by_events() : 0));
	}
	int peek() override
	{
		return next(false);
	}
	int read() override
	{
		return next(true);
	}
	int availableForWrite() override
	{
		return 63;
	}
	void flush() override
	{
		app_shim_arduino_pass(0);
	}
	size_t write(uint8_t byte) override
	{
		return write(&byte, 1);
	}
	size_t write(const uint8_t *buffer, size_t size) override
	{
		int saved = errno;
		size_t done = 0;

		open();
		while (out >= 0 && done < size) {
			ssize_t n = ::write(out, buffer + done, size - done);
			if (n > 0) {
				done += (size_t)n;
			} else if (n < 0 && errno == EAGAIN) {
				struct pollfd room = { out, POLLOUT, 0 };
				poll(&room, 1, -1);
			} else if (n == 0 || errno != EINTR) {
				break;
			}
		}
		errno = saved;
		return size;
	}
	size_t write(unsigned long n)
	{
		return write((uint8_t)n);
	}
	size_t write(long n)
	{
		return write((uint8_t)n);
	}
	size_t write(unsigned int n)
	{
		return write((uint8_t)n);
	}
	size_t write(int n)
	{
		return write((uint8_t)n);
	}
	using Print::write;

private:
	static uint32_t by_events()
	{
		return app_shim_arduino.serial_put - app_shim_arduino.serial_got;
	}
	int next(bool take)
	{
		struct app_shim_arduino *shim = &app_shim_arduino;
		int byte;

		if (available() == 0)
			return -1;
		if (put != got) {
			byte = bytes[got % sizeof(bytes)];
			got += take;
		} else {
			byte = shim->serial[shim->serial_got %
					    sizeof(shim->serial)];
			if (take)
				shim->serial_got = shim->serial_got + 1;
		}
		return byte;
	}
	/* Takes what is there to be read without waiting. */
	void fill()
	{
		open();
		if (in < 0 || put != got)
			return;
		struct pollfd ready = { in, POLLIN, 0 };
		if (poll(&ready, 1, 0) <= 0)
			return;
		ssize_t n = ::read(in, bytes, sizeof(bytes));
		if (n > 0) {
			got = 0;
			put = (uint32_t)n;
		} else if (n == 0) {
			in = -1;
		}
	}
	void open()
	{
		if (is_open)
			return;
		is_open = true;
		char name[32] = "APP_SHIM_ARDUINO_SERIAL";
		size_t end = strlen(name);
		if (number > 0) {
			name[end] = (char)('0' + number);
			name[end + 1] = '\0';
		}
		const char *what = getenv(name);
		if (what == NULL || *what == '\0')
			what = number == 0 ? "stdio" : "none";
		if (strcmp(what, "stdio") == 0) {
			in = 0;
			out = 1;
		} else if (strcmp(what, "out") == 0) {
			out = 1;
		} else if (strcmp(what, "pty") == 0) {
			in = out = app_shim_pty();
			if (in < 0) {
				perror("pseudo-terminal");
				exit(2);
			}
		} else if (strncmp(what, "fd:", 3) == 0) {
			in = out = atoi(what + 3);
		} else if (strncmp(what, "file:", 5) == 0) {
			open_files(what + 5);
		} else if (strcmp(what, "none") != 0) {
			fprintf(stderr, "%s: %s?\n", name, what);
			exit(2);
		}
	}
	void open_files(const char *names)
	{
		const char *comma = strchr(names, ',');
		std::string from(names, comma == NULL ? strlen(names) :
							(size_t)(comma - names));
		std::string to(comma == NULL ? "" : comma + 1);
		if (!from.empty())
			in = ::open(from.c_str(),
				    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (!to.empty())
			out = ::open(to.c_str(),
				     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
				     0666);
		if ((!from.empty() && in < 0) || (!to.empty() && out < 0)) {
			perror(names);
			exit(2);
		}
	}
	int number;
	bool is_open;
	int in, out;
	uint32_t put, got;
	uint8_t bytes[256];
};

/* Initialised without code, so that all constructors can print. */
APP_SHIM_ARDUINO_WEAK HardwareSerial Serial(0);
APP_SHIM_ARDUINO_WEAK HardwareSerial Serial1(1);
APP_SHIM_ARDUINO_WEAK HardwareSerial Serial2(2);
APP_SHIM_ARDUINO_WEAK HardwareSerial Serial3(3);

#endif /* __cplusplus */
#endif /* HardwareSerial_h */
