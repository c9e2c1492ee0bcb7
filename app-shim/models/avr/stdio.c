/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stdio.c: the streams of compat/avr/stdio.h, over functions of the program.
 * Formatting is the system's, but %S is text in program memory: %s.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stream {
	int (*put)(char, struct stream *);
	int (*get)(struct stream *);
	uint8_t flags;
	int unget;
	void *udata;
};
enum { READ = 1, WRITE = 2, ERROR = 0x10, END = 0x20, UNGET = 0x40,
       ALLOCATED = 0x80 };

struct stream *app_shim_avr_iob[3];

#define NAME(name) app_shim_avr_##name

int NAME(fputc)(int c, struct stream *f)
{
	if (!f || !(f->flags & WRITE) || !f->put || f->put((char)c, f) != 0) {
		if (f)
			f->flags |= ERROR;
		return -1;
	}
	return (unsigned char)c;
}

int NAME(fgetc)(struct stream *f)
{
	int c;

	if (!f || !(f->flags & READ) || !f->get)
		return -1;
	if (f->flags & UNGET) {
		f->flags &= (uint8_t)~UNGET;
		return f->unget;
	}
	c = f->get(f);
	if (c >= 0)
		return c & 0xff;
	f->flags |= c == -2 ? END : ERROR;
	return -1;
}

int NAME(ungetc)(int c, struct stream *f)
{
	if (!f || c < 0 || (f->flags & UNGET))
		return -1;
	f->unget = c & 0xff;
	f->flags = (uint8_t)((f->flags & ~END) | UNGET);
	return f->unget;
}

int NAME(fputs)(const char *s, struct stream *f)
{
	while (*s)
		if (NAME(fputc)(*s++, f) < 0)
			return -1;
	return 0;
}

int NAME(puts)(const char *s)
{
	if (NAME(fputs)(s, app_shim_avr_iob[1]) < 0)
		return -1;
	return NAME(fputc)('\n', app_shim_avr_iob[1]);
}

char *NAME(fgets)(char *s, int size, struct stream *f)
{
	int n = 0, c = 0;

	while (n < size - 1 && c != '\n' && (c = NAME(fgetc)(f)) >= 0)
		s[n++] = (char)c;
	if (n == 0)
		return NULL;
	s[n] = 0;
	return s;
}

size_t NAME(fwrite)(const void *p, size_t size, size_t n, struct stream *f)
{
	size_t i;

	for (i = 0; i < size * n; i++)
		if (NAME(fputc)(((const unsigned char *)p)[i], f) < 0)
			break;
	return size ? i / size : 0;
}

size_t NAME(fread)(void *p, size_t size, size_t n, struct stream *f)
{
	size_t i;
	int c;

	for (i = 0; i < size * n && (c = NAME(fgetc)(f)) >= 0; i++)
		((unsigned char *)p)[i] = (unsigned char)c;
	return size ? i / size : 0;
}

int NAME(vsnprintf)(char *s, size_t size, const char *format, va_list list)
{
	char changed[256];
	size_t i, n = strlen(format);
	int in = 0;

	if (n >= sizeof(changed))
		return vsnprintf(s, size, format, list);
	for (i = 0; i <= n; i++) {
		char c = format[i];

		changed[i] = in && c == 'S' ? 's' : c;
		in = c == '%' ? !in : in && strchr("0123456789+-# .*lhzjt", c);
	}
	return vsnprintf(s, size, changed, list);
}

int NAME(snprintf)(char *s, size_t size, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = NAME(vsnprintf)(s, size, format, list);
	va_end(list);
	return n;
}

int NAME(vsprintf)(char *s, const char *format, va_list list)
{
	return NAME(vsnprintf)(s, INT32_MAX, format, list);
}

int NAME(sprintf)(char *s, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = NAME(vsprintf)(s, format, list);
	va_end(list);
	return n;
}

int NAME(vfprintf)(struct stream *f, const char *format, va_list list)
{
	char text[1024];
	int n = NAME(vsnprintf)(text, sizeof(text), format, list);

	return n < 0 || NAME(fputs)(text, f) < 0 ? -1 : n;
}

int NAME(fprintf)(struct stream *f, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = NAME(vfprintf)(f, format, list);
	va_end(list);
	return n;
}

int NAME(vprintf)(const char *format, va_list list)
{
	return NAME(vfprintf)(app_shim_avr_iob[1], format, list);
}

int NAME(printf)(const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = NAME(vfprintf)(app_shim_avr_iob[1], format, list);
	va_end(list);
	return n;
}

struct stream *fdevopen(int (*put)(char, struct stream *),
			int (*get)(struct stream *))
{
	struct stream *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->put = put;
	f->get = get;
	f->flags = (uint8_t)((put ? WRITE : 0) | (get ? READ : 0) | ALLOCATED);
	if (get && !app_shim_avr_iob[0])
		app_shim_avr_iob[0] = f;
	if (put && !app_shim_avr_iob[1])
		app_shim_avr_iob[1] = f;
	if (put && !app_shim_avr_iob[2])
		app_shim_avr_iob[2] = f;
	return f;
}

int NAME(fclose)(struct stream *f)
{
	if (f && (f->flags & ALLOCATED))
		free(f);
	return 0;
}
