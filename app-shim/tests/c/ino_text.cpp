// SPDX-License-Identifier: MIT OR Apache-2.0
// A sketch that tries strings, its serial line and the EEPROM.

#include <Arduino.h>
#include <EEPROM.h>
#include <avr/eeprom.h>

#include <thread>

#include "must.h"

// Before setup(), as libraries' objects are.
static struct Early {
	Early()
	{
		pinMode(2, INPUT_PULLUP);
		attachInterrupt(0, [] { Serial.print(F("[isr]")); }, FALLING);
		Serial.print("early ");
	}
} early;

static void strings()
{
	String s("abc");
	CHECK(s.length() == 3 && s == "abc" && s != "abd" && "abc" == s);
	CHECK(String(255, HEX) == "ff" && String(-5) == "-5" &&
	      String(-1, HEX) == "ffffffff" && String(5, BIN) == "101");
	CHECK(String(3.14159) == "3.14" && String(2.5f, 1) == "2.5");
	CHECK(String('x') == "x" && String(7u) + 'y' + 1L + F("z") == "7y1z");
	s += 1;
	s += 'd';
	s += " e";
	s.concat(2.5);
	CHECK(s == "abc1d e2.50");
	CHECK(s.indexOf('d') == 4 && s.indexOf("e2") == 6 &&
	      s.indexOf('q') == -1 && s.lastIndexOf('c') == 2);
	CHECK(s.substring(3) == "1d e2.50" && s.substring(1, 3) == "bc" &&
	      s.substring(3, 1) == "bc" && s.substring(99) == "");
	CHECK(s.startsWith("abc") && s.endsWith("50") && !s.startsWith("b") &&
	      s.startsWith("b", 1));
	s.replace("c1", "-");
	s.toUpperCase();
	CHECK(s == "AB-D E2.50");
	s.remove(2, 1);
	s.setCharAt(0, 'x');
	s[1] = 'y';
	CHECK(s == "xyD E2.50" && s.charAt(2) == 'D' && s[99] == '\0');
	s = "  12 monkeys\t";
	s.trim();
	CHECK(s == "12 monkeys" && s.toInt() == 12);
	CHECK(String("2.75x").toFloat() == 2.75f && String("no").toInt() == 0);
	char buffer[5];
	s.toCharArray(buffer, sizeof(buffer));
	CHECK(strcmp(buffer, "12 m") == 0);
	CHECK(String("a") < String("b") && String("Ab").equalsIgnoreCase("aB"));
	String none((const char *)NULL);
	CHECK(!none && none == "" && s);
}

static const char greeting[] PROGMEM = "flash";
static const char *const table[] PROGMEM = { greeting };
static const uint16_t numbers[] PROGMEM = { 1, 513 };

static void flash()
{
	char buffer[10];
	CHECK(pgm_read_byte(greeting + 1) == 'l');
	CHECK(pgm_read_byte_near(&greeting[2]) == 'a');
	CHECK(pgm_read_word(&numbers[1]) == 513);
	strcpy_P(buffer, (const char *)pgm_read_ptr(&table[0]));
	CHECK(strcmp(buffer, "flash") == 0 && strlen_P(PSTR("abc")) == 3);
	strcpy_P(buffer, (const char *)pgm_read_word(&(table[0])));
	CHECK(strcmp(buffer, "flash") == 0);
}

struct Point : Printable {
	size_t printTo(Print &p) const override
	{
		return p.print("(1,2)");
	}
};

static void printing()
{
	Serial.begin(115200);
	while (!Serial)
		;
	Serial.println();
	Serial.println(42);
	Serial.println(-42L);
	Serial.println(255, HEX);
	Serial.println((byte)5, BIN);
	Serial.println(-1, HEX);
	Serial.println('c');
	Serial.println((unsigned long)4294967295ul);
	Serial.println(3.14159);
	Serial.println(-2.0005, 3);
	Serial.println(1.999);
	Serial.println(NAN);
	Serial.println(5e9);
	Serial.println(1.5, 0);
	Serial.println(true);
	Serial.println(F("flash"));
	Serial.println(String("string ") + 1);
	Serial.println(Point());
	Serial.println(EEPROM[1000]);
	Serial.write('w');
	Serial.write((const uint8_t *)"xyz", 2);
	CHECK(Serial.print("123") == 3);
	CHECK(Serial.printf(" %s-%d\n", "format", 7) == 10);
}

static void reading()
{
	while (Serial.available() == 0)
		;
	CHECK(Serial.peek() == 'g');
	CHECK(Serial.read() == 'g' && Serial.read() == 'o');
	CHECK(Serial.parseInt() == -17);
	CHECK(Serial.parseFloat() == 2.5f);
	CHECK(Serial.find("key"));
	CHECK(Serial.readStringUntil('\n') == "=value");
	char buffer[8];
	CHECK(Serial.readBytesUntil(',', buffer, sizeof(buffer)) == 3);
	CHECK(memcmp(buffer, "one", 3) == 0);
	CHECK(Serial.readBytes(buffer, 3) == 3);
	CHECK(!Serial.findUntil("never", "stop"));
	// A time that passes with nothing there.
	Serial.setTimeout(20);
	CHECK(Serial.getTimeout() == 20);
	CHECK(Serial.readString() == "\n");
	unsigned long ms = millis();
	CHECK(Serial.read() == -1 && Serial.parseInt() == 0);
	CHECK(millis() - ms >= 20);
	// And by events.
	app_shim_raise_args event = {};
	event.size = sizeof(event);
	event.vector = APP_SHIM_ARDUINO_SERIAL_VECTOR;
	event.payload = "late";
	event.payload_len = 4;
	CHECK(app_shim_raise_event(&event) == APP_SHIM_OK);
	CHECK(Serial.available() == 4 && Serial.readString() == "late");
	CHECK(Serial1.available() == 0 && Serial1.print("nowhere") == 7);
}

struct Settings {
	int a;
	float b;
	char text[6];
};

static void eeprom()
{
	Settings settings = { 7, 2.5f, "hello" }, read;

	if (EEPROM.read(0) == 0xff) {
		EEPROM.write(0, 1);
		EEPROM.put(10, settings);
		Serial.println("new");
	} else {
		EEPROM[0]++;
		EEPROM.update(1, EEPROM[0]);
		Serial.println(EEPROM.read(0));
	}
	EEPROM.get(10, read);
	CHECK(read.a == 7 && read.b == 2.5f && strcmp(read.text, "hello") == 0);
	CHECK(EEPROM.length() == 1024 && EEPROM.begin() != EEPROM.end());
	EEPROM[40] = EEPROM[0];
	EEPROM[40] += 2;
	CHECK(EEPROM[40] == EEPROM[0] + 2);
	eeprom_write_word((uint16_t *)50, 0x1234);
	CHECK(eeprom_read_byte((uint8_t *)50) == 0x34 &&
	      eeprom_read_word((const uint16_t *)50) == 0x1234);
	CHECK(EEPROM.begin(4096) && EEPROM.length() == 4096 && EEPROM.commit());
}

static volatile long edges, highs;

static void edge()
{
	if (digitalRead(12))
		highs++;
	edges++;
}

// Another thread moves a pin while the sketch allocates and prints.
static void flood()
{
	const long all = 20000;
	pinMode(12, INPUT);
	attachInterrupt(digitalPinToInterrupt(12), edge, CHANGE);
	std::thread world([] {
		for (long n = 1; n <= all; n++) {
			// No more than there is room for.
			while (n - __atomic_load_n(&edges, __ATOMIC_SEQ_CST) > 500)
				std::this_thread::yield();
			app_shim_pin_raise(12, n % 2, 0);
		}
	});
	String text;
	while (edges < all) {
		text += String(millis()) + ' ';
		if (text.length() > 1000) {
			Serial.print(text.substring(0, 0));
			text = "";
		}
		noInterrupts();
		long seen = edges, high = highs;
		interrupts();
		CHECK(high == (seen + 1) / 2);
	}
	world.join();
	CHECK(edges == all && highs == all / 2);
	detachInterrupt(digitalPinToInterrupt(12));
}

void setup()
{
	strings();
	flash();
	printing();
	reading();
	eeprom();
	flood();
	app_shim_pin_raise(2, 0, 0);
	Serial.println();
	Serial.println("done");
	exit(0);
}

void loop()
{
}
