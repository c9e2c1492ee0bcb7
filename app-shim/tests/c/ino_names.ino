// SPDX-License-Identifier: MIT OR Apache-2.0
// What a sketch may call its own on a board, and this C library calls like that, too.

unsigned long time;
volatile int index = 0, last[] = { 1, 2 };
int y0, y1;
static const char *link = "time and index";
int read[3] = { 1, 2, 3 };
byte remove;

struct clock_reading { int hours; };

void setup()
{
  clock_reading now = { 7 };
  String text("abc");

  time = millis();
  text.remove(0, 1);
  while (Serial.available())
    index += Serial.read();
  pause(3);
  Serial.println(link); // it's "time"
  Serial.println(text + index + read[1] + y0 + y1 + remove + last[1] + now.hours + (time < 1000 ? " time" : " late"));
}

void pause(int n)
{
  y1 = n + clock();
}

int clock() { return 40; }

void loop()
{
  Serial.flush();
  exit(0);
}
