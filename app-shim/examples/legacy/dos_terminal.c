/*
 * TERM.C - a serial terminal on COM1, 9600 baud, interrupt driven.
 *
 * F1 shows statistics, Esc leaves. The timer interrupt is chained: the old
 * routine still gets every tick.
 */
#include <stdio.h>
#include <conio.h>
#include <dos.h>
#include <bios.h>

#define PORT1 0x3F8
#define INTVECT 0x0C            /* COM1: IRQ4 */
#define PIC_EOI 0x20
#define IRQ4_MASK 0xEF

#define RBR (PORT1 + 0)
#define THR (PORT1 + 0)
#define IER (PORT1 + 1)
#define IIR (PORT1 + 2)
#define FCR (PORT1 + 2)
#define LCR (PORT1 + 3)
#define MCR (PORT1 + 4)
#define LSR (PORT1 + 5)
#define MSR (PORT1 + 6)

#define BUFSIZE 1024
#define ESC 27

static char buffer[BUFSIZE];
static volatile int bufferin = 0, bufferout = 0;
static volatile unsigned received = 0, carrier_changes = 0, ticks = 0;
static volatile int carrier = 1;

static void interrupt (*oldport)(void);
static void interrupt (*oldtimer)(void);

static void interrupt port_isr(void)
{
    int cause;

    while (((cause = inportb(IIR)) & 1) == 0) {
        switch (cause & 0x06) {
        case 0x04:
            while (inportb(LSR) & 1) {
                buffer[bufferin] = inportb(RBR);
                bufferin = (bufferin + 1) % BUFSIZE;
                received++;
            }
            break;
        case 0x00:
            if (inportb(MSR) & 0x08) {
                carrier = !carrier;
                carrier_changes++;
            }
            break;
        case 0x06:
            inportb(LSR);
            break;
        }
    }
    outportb(0x20, PIC_EOI);
}

static void interrupt timer_isr(void)
{
    ticks++;
    oldtimer();
}

static void send(int c)
{
    while ((inportb(LSR) & 0x20) == 0)
        ;
    outportb(THR, c);
}

static void open_port(void)
{
    oldport = getvect(INTVECT);
    oldtimer = getvect(0x1C);
    disable();
    setvect(INTVECT, port_isr);
    setvect(0x1C, timer_isr);
    outportb(LCR, 0x80);
    outport(PORT1, 12);         /* 9600 */
    outportb(LCR, 0x03);
    outportb(FCR, 0xC7);
    outportb(MCR, 0x0B);
    outportb(IER, 0x09);
    outportb(0x21, inportb(0x21) & IRQ4_MASK);
    enable();
}

static void close_port(void)
{
    disable();
    outportb(0x21, inportb(0x21) | ~IRQ4_MASK);
    outportb(IER, 0);
    outportb(MCR, 0);
    setvect(INTVECT, oldport);
    setvect(0x1C, oldtimer);
    enable();
}

int main(void)
{
    int c, done = 0;
    int was = 1;
    union REGS r;
    unsigned far *equipment = (unsigned far *)MK_FP(0x40, 0x00);

    printf("port %04x\n", *equipment & 0xffff);
    r.h.ah = 0x0F;
    int86(0x10, &r, &r);
    cprintf("%d columns\r\n", r.h.ah);
    open_port();

    while (!done) {
        if (kbhit()) {
            c = getch();
            if (c == 0) {
                if (getch() == 0x3B)
                    cprintf("[%u in, %u carrier]\r\n", received, carrier_changes);
            } else if (c == ESC)
                done = 1;
            else
                send(c);
        }
        if (carrier != was) {
            was = carrier;
            cputs(was ? "[carrier]\r\n" : "[no carrier]\r\n");
        }
        while (bufferout != bufferin) {
            c = buffer[bufferout];
            bufferout = (bufferout + 1) % BUFSIZE;
            putch(c);
            if (c == '\r')
                putch('\n');
        }
    }

    close_port();
    if (inportb(0x21) & 0x10)
        cputs("closed\r\n");
    cprintf("%u ticks, BIOS %ld\r\n", ticks, biostime(0, 0L));
    return 0;
}
