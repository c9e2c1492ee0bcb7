/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wiringSerial.h: serial lines, which are the system's own. */
#ifndef __WIRING_SERIAL_H__
#define __WIRING_SERIAL_H__

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define APP_SHIM_WPI_SERIAL __attribute__((__weak__))

#ifdef __cplusplus
extern "C" {
#endif

/* The speed's name in termios; 0: there is none. */
APP_SHIM_WPI_SERIAL speed_t app_shim_wpi_speed(int baud)
{
	static const struct {
		int baud;
		speed_t speed;
	} all[] = {
		{ 50, B50 },	     { 75, B75 },	  { 110, B110 },
		{ 134, B134 },	     { 150, B150 },	  { 200, B200 },
		{ 300, B300 },	     { 600, B600 },	  { 1200, B1200 },
		{ 1800, B1800 },     { 2400, B2400 },	  { 4800, B4800 },
		{ 9600, B9600 },     { 19200, B19200 },	  { 38400, B38400 },
#ifdef B57600
		{ 57600, B57600 },   { 115200, B115200 }, { 230400, B230400 },
		{ 460800, B460800 }, { 921600, B921600 },
#endif
	};
	size_t n;

	for (n = 0; n < sizeof(all) / sizeof(all[0]); n++)
		if (all[n].baud == baud)
			return all[n].speed;
	return B0;
}

/* A descriptor; -1: see errno; -2: no such speed. */
APP_SHIM_WPI_SERIAL int serialOpen(const char *device, const int baud)
{
	speed_t speed = app_shim_wpi_speed(baud);
	struct termios options;
	int fd;

	if (speed == B0)
		return -2;
	fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, O_RDWR);
	if (tcgetattr(fd, &options) == 0) {
		options.c_iflag = 0;
		options.c_oflag = 0;
		options.c_lflag = 0;
		options.c_cflag &= ~(tcflag_t)(PARENB | CSTOPB | CSIZE);
		options.c_cflag |= CLOCAL | CREAD | CS8;
		cfsetispeed(&options, speed);
		cfsetospeed(&options, speed);
		/* serialGetchar() waits ten seconds. */
		options.c_cc[VMIN] = 0;
		options.c_cc[VTIME] = 100;
		tcsetattr(fd, TCSANOW, &options);
	}
	return fd;
}

APP_SHIM_WPI_SERIAL void serialClose(const int fd)
{
	close(fd);
}

APP_SHIM_WPI_SERIAL void serialFlush(const int fd)
{
	tcflush(fd, TCIOFLUSH);
}

APP_SHIM_WPI_SERIAL void app_shim_wpi_send(int fd, const char *text,
					   size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

APP_SHIM_WPI_SERIAL void serialPutchar(const int fd, const unsigned char c)
{
	app_shim_wpi_send(fd, (const char *)&c, 1);
}

APP_SHIM_WPI_SERIAL void serialPuts(const int fd, const char *text)
{
	app_shim_wpi_send(fd, text, strlen(text));
}

APP_SHIM_WPI_SERIAL void serialPrintf(const int fd, const char *message, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, message);
	vsnprintf(text, sizeof(text), message, arguments);
	va_end(arguments);
	serialPuts(fd, text);
}

APP_SHIM_WPI_SERIAL int serialDataAvail(const int fd)
{
	int n;

	return ioctl(fd, FIONREAD, &n) == -1 ? -1 : n;
}

APP_SHIM_WPI_SERIAL int serialGetchar(const int fd)
{
	unsigned char c;

	return read(fd, &c, 1) == 1 ? c : -1;
}

#ifdef __cplusplus
}
#endif

#endif /* __WIRING_SERIAL_H__ */
