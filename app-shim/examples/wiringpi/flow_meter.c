/*
 * flow_meter.c - counts what the tanker delivers
 *
 * usage: flow_meter DELIVERIES
 *
 * GPIO 17 (wiringPi 0): reed contact of the flow meter, 10 litres per pulse,
 *                       closes to ground, bounces
 * GPIO 18 (wiringPi 1): contact of the valve, high while it is open
 * GPIO 27 (wiringPi 2): lamp
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <wiringPi.h>

#define PIN_FLOW  0
#define PIN_VALVE 1
#define PIN_LAMP  2

#define KEY_DELIVERY 0
#define LITRES_PER_PULSE 10
#define BOUNCE_US 12000

struct delivery {
    int pulses;
    int bounces;
};

static struct delivery deliveries[16];
static volatile int finished = 0;

static volatile int pulses = 0;
static volatile int bounces = 0;
static volatile int open_now = 0;
static volatile unsigned int last = 0;

void flow(void)
{
    unsigned int now = micros();

    if (now - last < BOUNCE_US) {
        bounces++;
        return;
    }
    last = now;
    if (open_now)
        pulses++;
}

void valve(void)
{
    if (digitalRead(PIN_VALVE) == HIGH) {
        open_now = 1;
        pulses = 0;
        bounces = 0;
        digitalWrite(PIN_LAMP, HIGH);
    } else if (open_now) {
        open_now = 0;
        digitalWrite(PIN_LAMP, LOW);
        piLock(KEY_DELIVERY);
        deliveries[finished % 16].pulses = pulses;
        deliveries[finished % 16].bounces = bounces;
        finished++;
        piUnlock(KEY_DELIVERY);
    }
}

int main(int argc, char *argv[])
{
    int wanted = argc > 1 ? atoi(argv[1]) : 1;
    int shown = 0, total = 0;

    if (wiringPiSetup() < 0) {
        fprintf(stderr, "Unable to setup wiringPi: %s\n", strerror(errno));
        return 1;
    }
    pinMode(PIN_LAMP, OUTPUT);
    digitalWrite(PIN_LAMP, LOW);
    pinMode(PIN_FLOW, INPUT);
    pullUpDnControl(PIN_FLOW, PUD_UP);
    pinMode(PIN_VALVE, INPUT);
    pullUpDnControl(PIN_VALVE, PUD_DOWN);

    if (wiringPiISR(PIN_FLOW, INT_EDGE_FALLING, &flow) < 0 ||
        wiringPiISR(PIN_VALVE, INT_EDGE_BOTH, &valve) < 0) {
        fprintf(stderr, "Unable to setup ISR: %s\n", strerror(errno));
        return 1;
    }
    printf("waiting for %d deliveries\n", wanted);
    fflush(stdout);

    while (shown < wanted) {
        if (shown < finished) {
            struct delivery d = deliveries[shown % 16];

            shown++;
            total += d.pulses * LITRES_PER_PULSE;
            printf("delivery %d: %d litres, %d bounces\n", shown,
                   d.pulses * LITRES_PER_PULSE, d.bounces);
            fflush(stdout);
        }
        delay(10);
    }
    printf("total %d litres\n", total);
    return 0;
}
