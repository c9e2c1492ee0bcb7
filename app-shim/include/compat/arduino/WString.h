/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* WString.h: the class String, over std::string. */
#ifndef String_class_h
#define String_class_h
#ifdef __cplusplus

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>

#include "avr/pgmspace.h"

class __FlashStringHelper;
#define F(text) (reinterpret_cast<const __FlashStringHelper *>(PSTR(text)))
#define FPSTR(text) (reinterpret_cast<const __FlashStringHelper *>(text))

/* A number in any base from 2 to 36, without allocating; NULL: no room. */
inline char *app_shim_arduino_digits(unsigned long long number, unsigned base,
				     bool minus, char *buffer, size_t room)
{
	char *at = buffer + room;

	if (base < 2)
		base = 10;
	*--at = '\0';
	do {
		unsigned digit = (unsigned)(number % base);
		*--at = (char)(digit < 10 ? '0' + digit : 'A' + digit - 10);
		number /= base;
	} while (number > 0 && at > buffer + 1);
	if (minus)
		*--at = '-';
	return at;
}

/* In bases other than 10 a negative number is what 32 bits make of it. */
inline unsigned long long app_shim_arduino_bits(long long number)
{
	if (number < 0 && number >= INT32_MIN)
		return (uint32_t)number;
	return (unsigned long long)number;
}

class String {
	typedef void (String::*Truth)() const;
	void isTrue() const
	{
	}

public:
	String(const char *text = "") : valid(text != NULL)
	{
		if (text != NULL)
			value = text;
	}
	String(const char *text, unsigned int length) : valid(text != NULL)
	{
		if (text != NULL)
			value.assign(text, length);
	}
	String(const uint8_t *text, unsigned int length)
		: String(reinterpret_cast<const char *>(text), length)
	{
	}
	String(const __FlashStringHelper *text)
		: String(reinterpret_cast<const char *>(text))
	{
	}
	String(const String &) = default;
	String(String &&other) : value(std::move(other.value)), valid(other.valid)
	{
	}
	String(const std::string &text) : value(text), valid(true)
	{
	}
	explicit String(char c) : value(1, c), valid(true)
	{
	}
	explicit String(unsigned char n, unsigned char base = 10)
	{
		setUnsigned(n, base);
	}
	explicit String(int n, unsigned char base = 10)
	{
		setSigned(n, base);
	}
	explicit String(unsigned int n, unsigned char base = 10)
	{
		setUnsigned(n, base);
	}
	explicit String(long n, unsigned char base = 10)
	{
		setSigned(n, base);
	}
	explicit String(unsigned long n, unsigned char base = 10)
	{
		setUnsigned(n, base);
	}
	explicit String(long long n, unsigned char base = 10)
	{
		setSigned(n, base);
	}
	explicit String(unsigned long long n, unsigned char base = 10)
	{
		setUnsigned(n, base);
	}
	explicit String(float n, unsigned char places = 2)
	{
		setFloat(n, places);
	}
	explicit String(double n, unsigned char places = 2)
	{
		setFloat(n, places);
	}

	bool reserve(unsigned int size)
	{
		value.reserve(size);
		return true;
	}
	unsigned int length() const
	{
		return (unsigned int)value.length();
	}
	bool isEmpty() const
	{
		return value.empty();
	}
	void clear()
	{
		value.clear();
	}
	operator Truth() const
	{
		return valid ? &String::isTrue : NULL;
	}

	String &operator=(const String &) = default;
	String &operator=(String &&other)
	{
		value = std::move(other.value);
		valid = other.valid;
		return *this;
	}
	String &operator=(const char *text)
	{
		return *this = String(text);
	}
	String &operator=(const __FlashStringHelper *text)
	{
		return *this = String(text);
	}
	String &operator=(char c)
	{
		return *this = String(c);
	}

	bool concat(const String &other)
	{
		value += other.value;
		return other.valid;
	}
	bool concat(const char *text)
	{
		if (text == NULL)
			return false;
		value += text;
		return true;
	}
	bool concat(const char *text, unsigned int length)
	{
		if (text == NULL)
			return false;
		value.append(text, length);
		return true;
	}
	bool concat(const __FlashStringHelper *text)
	{
		return concat(reinterpret_cast<const char *>(text));
	}
	bool concat(char c)
	{
		value += c;
		return true;
	}
	template <class T> bool concat(T number)
	{
		return concat(String(number));
	}
	template <class T> String &operator+=(const T &other)
	{
		concat(other);
		return *this;
	}

	int compareTo(const String &other) const
	{
		return strcmp(value.c_str(), other.value.c_str());
	}
	bool equals(const String &other) const
	{
		return value == other.value;
	}
	bool equals(const char *text) const
	{
		return value == (text == NULL ? "" : text);
	}
	bool equalsIgnoreCase(const String &other) const
	{
		return value.length() == other.value.length() &&
		       strcasecmp(value.c_str(), other.value.c_str()) == 0;
	}
	bool equalsConstantTime(const String &other) const
	{
		unsigned char differs = value.length() != other.value.length();
		for (size_t n = 0; !differs && n < value.length(); n++)
			differs |= (unsigned char)(value[n] ^ other.value[n]);
		return !differs;
	}
	bool operator==(const String &other) const
	{
		return equals(other);
	}
	bool operator==(const char *text) const
	{
		return equals(text);
	}
	bool operator==(const __FlashStringHelper *text) const
	{
		return equals(reinterpret_cast<const char *>(text));
	}
	bool operator!=(const String &other) const
	{
		return !equals(other);
	}
	bool operator!=(const char *text) const
	{
		return !equals(text);
	}
	bool operator<(const String &other) const
	{
		return compareTo(other) < 0;
	}
	bool operator>(const String &other) const
	{
		return compareTo(other) > 0;
	}
	bool operator<=(const String &other) const
	{
		return compareTo(other) <= 0;
	}
	bool operator>=(const String &other) const
	{
		return compareTo(other) >= 0;
	}

	bool startsWith(const String &prefix, unsigned int from = 0) const
	{
		return from <= value.length() &&
		       value.compare(from, prefix.value.length(),
				     prefix.value) == 0;
	}
	bool endsWith(const String &suffix) const
	{
		return value.length() >= suffix.value.length() &&
		       value.compare(value.length() - suffix.value.length(),
				     std::string::npos, suffix.value) == 0;
	}

	char charAt(unsigned int at) const
	{
		return (*this)[at];
	}
	void setCharAt(unsigned int at, char c)
	{
		if (at < value.length())
			value[at] = c;
	}
	char operator[](unsigned int at) const
	{
		return at < value.length() ? value[at] : '\0';
	}
	char &operator[](unsigned int at)
	{
		static char nowhere;
		nowhere = '\0';
		return at < value.length() ? value[at] : nowhere;
	}
	void getBytes(unsigned char *buffer, unsigned int size,
		      unsigned int from = 0) const
	{
		if (buffer == NULL || size == 0)
			return;
		size_t n = 0;
		if (from < value.length())
			n = value.copy(reinterpret_cast<char *>(buffer),
				       size - 1, from);
		buffer[n] = '\0';
	}
	void toCharArray(char *buffer, unsigned int size,
			 unsigned int from = 0) const
	{
		getBytes(reinterpret_cast<unsigned char *>(buffer), size, from);
	}
	const char *c_str() const
	{
		return value.c_str();
	}
	char *begin()
	{
		return &value[0];
	}
	char *end()
	{
		return begin() + value.length();
	}
	const char *begin() const
	{
		return c_str();
	}
	const char *end() const
	{
		return c_str() + value.length();
	}

	int indexOf(char c, unsigned int from = 0) const
	{
		return found(value.find(c, from));
	}
	int indexOf(const String &text, unsigned int from = 0) const
	{
		return found(value.find(text.value, from));
	}
	int lastIndexOf(char c) const
	{
		return found(value.rfind(c));
	}
	int lastIndexOf(char c, unsigned int from) const
	{
		return from >= value.length() ? -1 : found(value.rfind(c, from));
	}
	int lastIndexOf(const String &text) const
	{
		return text.value.empty() ? -1 : found(value.rfind(text.value));
	}
	int lastIndexOf(const String &text, unsigned int from) const
	{
		return text.value.empty() ? -1 :
					    found(value.rfind(text.value, from));
	}
	String substring(unsigned int from) const
	{
		return substring(from, length());
	}
	String substring(unsigned int from, unsigned int to) const
	{
		if (from > to)
			std::swap(from, to);
		if (from >= value.length())
			return String();
		return String(value.substr(from, to - from));
	}

	void replace(char what, char with)
	{
		for (char &c : value)
			if (c == what)
				c = with;
	}
	void replace(const String &what, const String &with)
	{
		if (what.value.empty())
			return;
		size_t at = 0;
		while ((at = value.find(what.value, at)) != std::string::npos) {
			value.replace(at, what.value.length(), with.value);
			at += with.value.length();
		}
	}
	void remove(unsigned int from)
	{
		if (from < value.length())
			value.erase(from);
	}
	void remove(unsigned int from, unsigned int count)
	{
		if (from < value.length())
			value.erase(from, count);
	}
	void toLowerCase()
	{
		for (char &c : value)
			c = (char)tolower((unsigned char)c);
	}
	void toUpperCase()
	{
		for (char &c : value)
			c = (char)toupper((unsigned char)c);
	}
	void trim()
	{
		size_t begin = 0, end = value.length();
		while (begin < end && isspace((unsigned char)value[begin]))
			begin++;
		while (end > begin && isspace((unsigned char)value[end - 1]))
			end--;
		value = value.substr(begin, end - begin);
	}

	long toInt() const
	{
		return atol(value.c_str());
	}
	float toFloat() const
	{
		return (float)toDouble();
	}
	double toDouble() const
	{
		return atof(value.c_str());
	}

private:
	static int found(size_t at)
	{
		return at == std::string::npos ? -1 : (int)at;
	}
	void setUnsigned(unsigned long long n, unsigned base)
	{
		char buffer[72];
		value = app_shim_arduino_digits(n, base, false, buffer,
						sizeof(buffer));
		lower();
	}
	void setSigned(long long n, unsigned base)
	{
		char buffer[72];
		bool minus = n < 0 && base == 10;
		unsigned long long bits = minus ?
						  0ull - (unsigned long long)n :
						  app_shim_arduino_bits(n);
		value = app_shim_arduino_digits(bits, base, minus, buffer,
						sizeof(buffer));
		lower();
	}
	void setFloat(double n, unsigned places)
	{
		char buffer[400];
		snprintf(buffer, sizeof(buffer), "%.*f",
			 (int)(places < 60 ? places : 60), n);
		value = buffer;
	}
	/* Digits are small letters here, and great ones where Print has them. */
	void lower()
	{
		toLowerCase();
	}

	std::string value;
	bool valid = true;
};

/* What a sum of strings is, by a name that older code has. */
typedef String StringSumHelper;

inline String operator+(const String &a, const String &b)
{
	String sum(a);
	sum.concat(b);
	return sum;
}
template <class T> inline String operator+(const String &a, const T &b)
{
	String sum(a);
	sum.concat(b);
	return sum;
}
inline String operator+(const char *a, const String &b)
{
	String sum(a);
	sum.concat(b);
	return sum;
}
inline String operator+(const __FlashStringHelper *a, const String &b)
{
	String sum(a);
	sum.concat(b);
	return sum;
}
inline String operator+(char a, const String &b)
{
	String sum(a);
	sum.concat(b);
	return sum;
}
inline bool operator==(const char *a, const String &b)
{
	return b.equals(a);
}
inline bool operator!=(const char *a, const String &b)
{
	return !b.equals(a);
}

#endif /* __cplusplus */
#endif /* String_class_h */
