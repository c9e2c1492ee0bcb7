/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* conio.h: keyboard and screen. The screen is standard output, an ANSI terminal. */
#ifndef APP_SHIM_DOS_CONIO_H
#define APP_SHIM_DOS_CONIO_H

#include "conio_ports.h"

enum COLORS {
	BLACK, BLUE, GREEN, CYAN, RED, MAGENTA, BROWN, LIGHTGRAY, DARKGRAY,
	LIGHTBLUE, LIGHTGREEN, LIGHTCYAN, LIGHTRED, LIGHTMAGENTA, YELLOW, WHITE
};
#define BLINK 128
#define _NOCURSOR 0
#define _SOLIDCURSOR 1
#define _NORMALCURSOR 2

struct text_info {
	unsigned char winleft, wintop, winright, winbottom;
	unsigned char attribute, normattr, currmode;
	unsigned char screenheight, screenwidth, curx, cury;
};

#ifdef __cplusplus
extern "C" {
#endif

int kbhit(void);
int getch(void);
int getche(void);
int ungetch(int character);
int putch(int character);
int cputs(const char *text);
int cprintf(const char *format, ...) __attribute__((__format__(printf, 1, 2)));
char *cgets(char *text);
void clrscr(void);
void clreol(void);
void gotoxy(int x, int y);
int wherex(void);
int wherey(void);
void textcolor(int color);
void textbackground(int color);
void textattr(int attribute);
void textmode(int mode);
void highvideo(void);
void lowvideo(void);
void normvideo(void);
void window(int left, int top, int right, int bottom);
void _setcursortype(int type);
void gettextinfo(struct text_info *info);
void delline(void);
void insline(void);

#ifdef __cplusplus
}
#endif

#define _kbhit kbhit
#define _getch getch
#define _getche getche
#define _ungetch ungetch
#define _putch putch
#define _cputs cputs
#define _cprintf cprintf

#endif /* APP_SHIM_DOS_CONIO_H */
