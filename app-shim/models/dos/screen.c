/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* screen.c: functions of conio.h, on an ANSI terminal. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app_shim.h"
#include "compat/dos/conio.h"

static int column = 1, row = 1, attribute = 7;

void app_shim_dos_put(const char *text, size_t length)
{
	int saved = errno, escape = 0;
	size_t i;
	ssize_t n;

	/* What the program has printed came first. In a routine it may not look. */
	if (!app_shim_in_isr())
		fflush(stdout);
	for (i = 0; i < length; i++) {
		if (text[i] == 27)
			escape = 1;
		else if (escape)
			escape = !((text[i] >= '@' && text[i] <= 'Z') ||
				   (text[i] >= 'a' && text[i] <= 'z')) ||
				 text[i] == '[';
		else if (text[i] == '\r')
			column = 1;
		else if (text[i] == '\n')
			row += row < 25;
		else if (text[i] == '\b')
			column -= column > 1;
		else if (column < 80)
			column++;
	}
	while (length) {
		n = write(1, text, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		text += n;
		length -= (size_t)n;
	}
	errno = saved;
}

static void say(const char *text)
{
	app_shim_dos_put(text, strlen(text));
}

int kbhit(void)
{
	return app_shim_dos_key(0, 0, 0) >= 0;
}

int getch(void)
{
	return app_shim_dos_key(1, 1, 0);
}

int getche(void)
{
	return putch(getch());
}

int ungetch(int character)
{
	app_shim_dos_unget(character);
	return character;
}

int putch(int character)
{
	char c = (char)character;

	app_shim_dos_put(&c, 1);
	return character;
}

int cputs(const char *text)
{
	say(text);
	return 0;
}

int cprintf(const char *format, ...)
{
	char text[2048];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (n > 0)
		app_shim_dos_put(text, n < (int)sizeof(text) ? (size_t)n :
							       sizeof(text) - 1);
	return n;
}

/* text[0] says how much there is room for, text[1] becomes the length. */
char *cgets(char *text)
{
	unsigned room = (unsigned char)text[0], n = 0;
	int c;

	while ((c = getch()) != '\r' && c >= 0) {
		if (c == '\b' && n > 0) {
			n--;
			say("\b \b");
		} else if (c != '\b' && n + 1 < room) {
			text[2 + n++] = (char)c;
			putch(c);
		}
	}
	text[1] = (char)n;
	text[2 + n] = 0;
	return text + 2;
}

void clrscr(void)
{
	say("\x1b[2J\x1b[H");
	column = row = 1;
}

void clreol(void)
{
	say("\x1b[K");
}

void delline(void)
{
	say("\x1b[M");
}

void insline(void)
{
	say("\x1b[L");
}

void gotoxy(int x, int y)
{
	char text[32];

	snprintf(text, sizeof(text), "\x1b[%d;%dH", y, x);
	say(text);
	column = x;
	row = y;
}

int wherex(void)
{
	return column;
}

int wherey(void)
{
	return row;
}

void textattr(int value)
{
	/* Red and blue have each other's places. */
	static const char order[] = "04261537";
	char text[32];

	attribute = value;
	snprintf(text, sizeof(text), "\x1b[0;%s3%c;4%cm", value & 8 ? "1;" : "",
		 order[value & 7], order[value >> 4 & 7]);
	say(text);
}

void textcolor(int color)
{
	textattr((attribute & 0x70) | (color & 0x0f));
}

void textbackground(int color)
{
	textattr((attribute & 0x0f) | (color & 7) << 4);
}

void highvideo(void)
{
	textattr(attribute | 8);
}

void lowvideo(void)
{
	textattr(attribute & ~8);
}

void normvideo(void)
{
	textattr(7);
}

void textmode(int mode)
{
	(void)mode;
	clrscr();
}

void window(int left, int top, int right, int bottom)
{
	(void)right;
	(void)bottom;
	gotoxy(left, top);
}

void _setcursortype(int type)
{
	say(type == _NOCURSOR ? "\x1b[?25l" : "\x1b[?25h");
}

void gettextinfo(struct text_info *info)
{
	memset(info, 0, sizeof(*info));
	info->winleft = info->wintop = 1;
	info->winright = info->screenwidth = 80;
	info->winbottom = info->screenheight = 25;
	info->attribute = (unsigned char)attribute;
	info->normattr = 7;
	info->currmode = 3;
	info->curx = (unsigned char)column;
	info->cury = (unsigned char)row;
}
