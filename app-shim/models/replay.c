/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_shim.h"
#include "replay.h"

enum { VECTOR = 255, EVENTS = 1024 };

struct item {
	uint64_t time_ns, value;
	uint32_t pin, vector, len;
	uint8_t is_pin;
	char text[64];
};

static struct item items[EVENTS];
static unsigned number, next;
static uint64_t origin;

static void happen(const struct item *item)
{
	app_shim_raise_args event = { .size = sizeof(event) };

	if (item->is_pin) {
		app_shim_pin_raise(item->pin, (uint32_t)item->value,
				   origin + item->time_ns);
		return;
	}
	event.vector = item->vector;
	event.flags = APP_SHIM_EVENT_VALUE;
	event.value = item->value;
	event.payload = item->len ? item->text : NULL;
	event.payload_len = item->len;
	event.time_ns = origin + item->time_ns;
	app_shim_raise_event(&event);
}

/* Everything of one moment; then the next moment is awaited. */
static void expired(void *argument)
{
	uint64_t time = items[next].time_ns;

	(void)argument;
	while (next < number && items[next].time_ns == time)
		happen(&items[next++]);
	if (next < number)
		app_shim_timer_set(VECTOR, items[next].time_ns - time, 0);
}

static uint32_t unescape(const char *from, char *to, uint32_t room)
{
	uint32_t n = 0;
	unsigned code;

	for (; *from && *from != '"' && n < room; from++) {
		if (*from != '\\') {
			to[n++] = *from;
			continue;
		}
		switch (*++from) {
		case 'r': to[n++] = '\r'; break;
		case 'n': to[n++] = '\n'; break;
		case 'e': to[n++] = 27; break;
		case 'x':
			if (sscanf(from + 1, "%2x", &code) != 1)
				return n;
			to[n++] = (char)code;
			from += 2;
			break;
		default: to[n++] = *from; break;
		}
	}
	return n;
}

static int parse(const char *line, struct item *item, uint32_t serial_vector,
		 uint32_t key_vector)
{
	unsigned long long time, value = 0;
	unsigned n;
	int at = 0;

	memset(item, 0, sizeof(*item));
	if (sscanf(line, "%llu %n", &time, &at) < 1)
		return 0;
	line += at;
	item->time_ns = time * 1000;
	if (sscanf(line, "pin %u %llu", &n, &value) == 2) {
		item->is_pin = 1;
		item->pin = n;
		item->value = value;
		return 1;
	}
	if (sscanf(line, "vector %u %llu", &n, &value) >= 1) {
		item->vector = n;
		item->value = value;
		return 1;
	}
	item->vector = strncmp(line, "serial \"", 8) == 0 ? serial_vector :
		       strncmp(line, "key \"", 5) == 0    ? key_vector :
							    0;
	if (item->vector)
		item->len = unescape(strchr(line, '"') + 1, item->text,
				     sizeof(item->text));
	return item->len != 0;
}

void replay_start(uint32_t priority, uint32_t serial_vector,
		  uint32_t key_vector)
{
	const char *path = getenv("APP_SHIM_REPLAY");
	FILE *file;
	char text[256];
	unsigned line = 0;

	if (!path || !*path)
		return;
	file = fopen(path, "r");
	while (file && fgets(text, sizeof(text), file)) {
		const char *begin = text + strspn(text, " \t\n");

		line++;
		if (!*begin || *begin == '#')
			continue;
		if (number == EVENTS || !parse(begin, &items[number],
					       serial_vector, key_vector) ||
		    (number && items[number].time_ns <
				       items[number - 1].time_ns)) {
			fprintf(stderr, "%s:%u: not an event\n", path, line);
			exit(2);
		}
		number++;
	}
	if (!file) {
		perror(path);
		exit(2);
	}
	fclose(file);
	if (!number)
		return;
	app_shim_connect(VECTOR, expired, NULL);
	app_shim_set_priority(VECTOR, priority);
	origin = app_shim_now_ns();
	app_shim_timer_set(VECTOR, items[0].time_ns, 0);
}
