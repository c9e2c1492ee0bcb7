/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stream.h: reading text and numbers, waiting for them. */
#ifndef Stream_h
#define Stream_h
#ifdef __cplusplus

#include "Print.h"
#include "app_shim_arduino.h"

enum LookaheadMode { SKIP_ALL, SKIP_NONE, SKIP_WHITESPACE };

#define NO_IGNORE_CHAR '\x01'

class Stream : public Print {
public:
	constexpr Stream() : _timeout(1000), _startMillis(0)
	{
	}

	virtual int available() = 0;
	virtual int read() = 0;
	virtual int peek() = 0;

	/* In milliseconds. */
	void setTimeout(unsigned long timeout)
	{
		_timeout = timeout;
	}
	unsigned long getTimeout()
	{
		return _timeout;
	}

	bool find(const char *target)
	{
		return findUntil(target, strlen(target), NULL, 0);
	}
	bool find(const uint8_t *target)
	{
		return find(reinterpret_cast<const char *>(target));
	}
	bool find(const char *target, size_t length)
	{
		return findUntil(target, length, NULL, 0);
	}
	bool find(const uint8_t *target, size_t length)
	{
		return find(reinterpret_cast<const char *>(target), length);
	}
	bool find(char target)
	{
		return find(&target, 1);
	}
	bool findUntil(const char *target, const char *terminator)
	{
		return findUntil(target, strlen(target), terminator,
				 terminator == NULL ? 0 : strlen(terminator));
	}
	bool findUntil(const uint8_t *target, const char *terminator)
	{
		return findUntil(reinterpret_cast<const char *>(target),
				 terminator);
	}
	bool findUntil(const char *target, size_t length,
		       const char *terminator, size_t terminatorLength)
	{
		std::string seen;
		std::string wanted(target, length);
		std::string end(terminator == NULL ? "" : terminator,
				terminator == NULL ? 0 : terminatorLength);
		if (wanted.empty())
			return true;
		for (;;) {
			int c = timedRead();
			if (c < 0)
				return false;
			seen += (char)c;
			if (endsWith(seen, wanted))
				return true;
			if (!end.empty() && endsWith(seen, end))
				return false;
			size_t keep = wanted.length() + end.length();
			if (seen.length() > 2 * keep)
				seen.erase(0, seen.length() - keep);
		}
	}

	long parseInt(LookaheadMode lookahead = SKIP_ALL,
		      char ignore = NO_IGNORE_CHAR)
	{
		bool negative = false;
		long value = 0;
		int c = peekNextDigit(lookahead, false);
		if (c < 0)
			return 0;
		do {
			if (c == '-')
				negative = true;
			else if (c >= '0' && c <= '9')
				value = value * 10 + c - '0';
			read();
			c = timedPeek();
		} while ((c >= '0' && c <= '9') || (c >= 0 && c == ignore));
		return negative ? -value : value;
	}
	float parseFloat(LookaheadMode lookahead = SKIP_ALL,
			 char ignore = NO_IGNORE_CHAR)
	{
		bool negative = false, fraction = false;
		double value = 0, place = 1;
		int c = peekNextDigit(lookahead, true);
		if (c < 0)
			return 0;
		do {
			if (c == '-') {
				negative = true;
			} else if (c == '.') {
				fraction = true;
			} else if (c >= '0' && c <= '9') {
				if (fraction) {
					place /= 10;
					value += place * (c - '0');
				} else {
					value = value * 10 + c - '0';
				}
			}
			read();
			c = timedPeek();
		} while ((c >= '0' && c <= '9') || (c == '.' && !fraction) ||
			 (c >= 0 && c == ignore));
		return (float)(negative ? -value : value);
	}

	virtual size_t readBytes(char *buffer, size_t size)
	{
		size_t n = 0;
		while (n < size) {
			int c = timedRead();
			if (c < 0)
				break;
			buffer[n++] = (char)c;
		}
		return n;
	}
	size_t readBytes(uint8_t *buffer, size_t size)
	{
		return readBytes(reinterpret_cast<char *>(buffer), size);
	}
	size_t readBytesUntil(char end, char *buffer, size_t size)
	{
		size_t n = 0;
		while (n < size) {
			int c = timedRead();
			if (c < 0 || (char)c == end)
				break;
			buffer[n++] = (char)c;
		}
		return n;
	}
	size_t readBytesUntil(char end, uint8_t *buffer, size_t size)
	{
		return readBytesUntil(end, reinterpret_cast<char *>(buffer),
				      size);
	}
	String readString()
	{
		String text;
		for (int c = timedRead(); c >= 0; c = timedRead())
			text += (char)c;
		return text;
	}
	String readStringUntil(char end)
	{
		String text;
		for (int c = timedRead(); c >= 0 && (char)c != end;
		     c = timedRead())
			text += (char)c;
		return text;
	}

protected:
	int timedRead()
	{
		return await() ? read() : -1;
	}
	int timedPeek()
	{
		return await() ? peek() : -1;
	}
	int peekNextDigit(LookaheadMode lookahead, bool point)
	{
		for (;;) {
			int c = timedPeek();
			if (c < 0 || c == '-' || (c >= '0' && c <= '9') ||
			    (point && c == '.'))
				return c;
			switch (lookahead) {
			case SKIP_NONE:
				return -1;
			case SKIP_WHITESPACE:
				if (c != ' ' && c != '\t' && c != '\r' &&
				    c != '\n')
					return -1;
				break;
			case SKIP_ALL:
				break;
			}
			read();
		}
	}

	unsigned long _timeout;
	unsigned long _startMillis;

private:
	static bool endsWith(const std::string &text, const std::string &end)
	{
		return text.length() >= end.length() &&
		       text.compare(text.length() - end.length(),
				    std::string::npos, end) == 0;
	}
	/* Waits until there is something to read. */
	bool await()
	{
		if (available() > 0)
			return true;
		_startMillis = millis();
		do {
			app_shim_arduino_idle(100000);
			if (available() > 0)
				return true;
		} while (millis() - _startMillis < _timeout);
		return false;
	}
};

#endif /* __cplusplus */
#endif /* Stream_h */
