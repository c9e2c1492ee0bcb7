/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Print.h: printing numbers and text. Each call is one call of write(), so that
 * what service routines print does not get into the middle of it.
 */
#ifndef Print_h
#define Print_h
#ifdef __cplusplus

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "Printable.h"
#include "WString.h"

#define DEC 10
#define HEX 16
#define OCT 8
#ifndef BIN
#define BIN 2
#endif

class Print {
public:
	constexpr Print() : write_error(0)
	{
	}

	int getWriteError()
	{
		return write_error;
	}
	void clearWriteError()
	{
		setWriteError(0);
	}

	virtual size_t write(uint8_t byte) = 0;
	virtual size_t write(const uint8_t *buffer, size_t size)
	{
		size_t n = 0;
		while (n < size && write(buffer[n]) != 0)
			n++;
		return n;
	}
	size_t write(const char *text)
	{
		return text == NULL ? 0 : write(text, strlen(text));
	}
	size_t write(const char *text, size_t size)
	{
		return write(reinterpret_cast<const uint8_t *>(text), size);
	}
	virtual int availableForWrite()
	{
		return 0;
	}
	virtual void flush()
	{
	}

	size_t print(const __FlashStringHelper *text)
	{
		return write(reinterpret_cast<const char *>(text));
	}
	size_t print(const String &text)
	{
		return write(text.c_str(), text.length());
	}
	size_t print(const char *text)
	{
		return write(text);
	}
	size_t print(char c)
	{
		return write((uint8_t)c);
	}
	size_t print(unsigned char n, int base = DEC)
	{
		return number(n, false, base);
	}
	size_t print(int n, int base = DEC)
	{
		return integer(n, base);
	}
	size_t print(unsigned int n, int base = DEC)
	{
		return number(n, false, base);
	}
	size_t print(long n, int base = DEC)
	{
		return integer(n, base);
	}
	size_t print(unsigned long n, int base = DEC)
	{
		return number(n, false, base);
	}
	size_t print(long long n, int base = DEC)
	{
		return integer(n, base);
	}
	size_t print(unsigned long long n, int base = DEC)
	{
		return number(n, false, base);
	}
	size_t print(double n, int places = 2)
	{
		return real(n, places);
	}
	size_t print(const Printable &thing)
	{
		return thing.printTo(*this);
	}

	size_t println()
	{
		return write("\r\n", 2);
	}
	/* By value, so that constants without a definition can be printed. */
	size_t println(const __FlashStringHelper *thing)
	{
		size_t n = print(thing);
		return n + println();
	}
	size_t println(const String &thing)
	{
		size_t n = print(thing);
		return n + println();
	}
	size_t println(const char *thing)
	{
		size_t n = print(thing);
		return n + println();
	}
	size_t println(char thing)
	{
		size_t n = print(thing);
		return n + println();
	}
	size_t println(const Printable &thing)
	{
		size_t n = print(thing);
		return n + println();
	}
	size_t println(unsigned char n, int base = DEC)
	{
		size_t written = print(n, base);
		return written + println();
	}
	size_t println(int n, int base = DEC)
	{
		size_t written = print(n, base);
		return written + println();
	}
	size_t println(unsigned int n, int base = DEC)
	{
		size_t written = print(n, base);
		return written + println();
	}
	size_t println(long n, int base = DEC)
	{
		size_t written = print(n, base);
		return written + println();
	}
	size_t println(unsigned long n, int base = DEC)
	{
		size_t written = print(n, base);
		return written + println();
	}
	size_t println(long long n, int base = DEC)
	{
		size_t written = print(n, base);
		return written + println();
	}
	size_t println(unsigned long long n, int base = DEC)
	{
		size_t written = print(n, base);
		return written + println();
	}
	size_t println(double n, int places = 2)
	{
		size_t written = print(n, places);
		return written + println();
	}

	size_t printf(const char *format, ...)
		__attribute__((__format__(__printf__, 2, 3)))
	{
		char buffer[512];
		va_list arguments;
		va_start(arguments, format);
		int n = vsnprintf(buffer, sizeof(buffer), format, arguments);
		va_end(arguments);
		if (n < 0)
			return 0;
		if ((size_t)n >= sizeof(buffer))
			n = sizeof(buffer) - 1;
		return write(buffer, (size_t)n);
	}
	size_t printf(const __FlashStringHelper *format, ...)
	{
		char buffer[512];
		va_list arguments;
		va_start(arguments, format);
		int n = vsnprintf(buffer, sizeof(buffer),
				  reinterpret_cast<const char *>(format),
				  arguments);
		va_end(arguments);
		if (n < 0)
			return 0;
		if ((size_t)n >= sizeof(buffer))
			n = sizeof(buffer) - 1;
		return write(buffer, (size_t)n);
	}

protected:
	void setWriteError(int error = 1)
	{
		write_error = error;
	}

private:
	size_t number(unsigned long long n, bool minus, int base)
	{
		char buffer[72];
		if (base == 0)
			return write((uint8_t)n);
		return write(app_shim_arduino_digits(n, (unsigned)base, minus,
						     buffer, sizeof(buffer)));
	}
	size_t integer(long long n, int base)
	{
		if (base == DEC && n < 0)
			return number(0ull - (unsigned long long)n, true, base);
		return number(app_shim_arduino_bits(n), false, base);
	}
	/* Without the C library's, which may allocate. */
	size_t real(double n, int places)
	{
		char buffer[96];
		size_t at = 0;
		double half = 0.5;

		if (isnan(n))
			return write("nan");
		if (isinf(n))
			return write("inf");
		if (n > 4294967040.0 || n < -4294967040.0)
			return write("ovf");
		if (n < 0) {
			buffer[at++] = '-';
			n = -n;
		}
		if (places < 0)
			places = 2;
		if (places > 60)
			places = 60;
		for (int place = 0; place < places; place++)
			half /= 10;
		n += half;
		unsigned long long whole = (unsigned long long)n;
		char digits[24];
		const char *first = app_shim_arduino_digits(
			whole, 10, false, digits, sizeof(digits));
		size_t length = strlen(first);
		memcpy(buffer + at, first, length);
		at += length;
		double rest = n - (double)whole;
		if (places > 0)
			buffer[at++] = '.';
		while (places-- > 0) {
			rest *= 10;
			unsigned digit = (unsigned)rest;
			buffer[at++] = (char)('0' + digit);
			rest -= digit;
		}
		return write(buffer, at);
	}

	int write_error;
};

#endif /* __cplusplus */
#endif /* Print_h */
