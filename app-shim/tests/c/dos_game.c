/* Keys by their scan codes, as games have them, and some of the compilers' own. */
#include <alloc.h>
#include <conio.h>
#include <dos.h>
#include <mem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile unsigned char down[128];
static volatile int codes;
static void (interrupt far *old)();

static void interrupt far keyboard()
{
    unsigned char code = inp(0x60);

    down[code & 0x7f] = !(code & 0x80);
    codes++;
    outp(0x20, 0x20);
}

int main(void)
{
    union REGS r;
    char text[16];
    char far *block = farmalloc(16);
    int steps = 0, was = 0;

    setmem(block, 16, 'x');
    if (block[15] != 'x' || _argc != 1 || !strstr(_argv[0], "game"))
        return 1;
    farfree(block);
    if (strcmp(strupr(strcpy(text, "abc")), "ABC") || stricmp(text, "aBc") ||
        strcmp(strrev(text), "CBA") || strcmp(itoa(-12, text, 10), "-12") ||
        strcmp(ltoa(255L, text, 16), "ff") || random(1) != 0)
        return 2;
    /* Not a machine that says what it has; not a file either. */
    r.h.ah = 0xc0;
    int86(0x15, &r, &r);
    if (!r.x.cflag)
        return 3;

    old = _dos_getvect(9);
    _dos_setvect(9, keyboard);
    while (!down[1]) {
        if (down[0x11] && !was)
            steps++;
        was = down[0x11];
        delay(5);
    }
    while (down[1])
        delay(1);
    _dos_setvect(9, old);
    printf("%d steps, %d codes\n", steps, codes);
    return 0;
}
