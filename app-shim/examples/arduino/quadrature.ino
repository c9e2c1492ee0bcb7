/*
  Rotary encoder with a push button: the volume knob of the amplifier.

  A on pin 2, B on pin 3 (both interrupts of an Uno), button on pin 4 to ground.
  Four steps are one click. Turning changes the volume, pushing shows it and
  remembers it in the EEPROM.
*/
#include <EEPROM.h>

#define PIN_A 2
#define PIN_B 3
#define PIN_BUTTON 4
#define ADDRESS 0

static const int8_t steps[16] PROGMEM = {
  0, -1, 1, 0, 1, 0, 0, -1, -1, 0, 0, 1, 0, 1, -1, 0
};

volatile long position = 0;
volatile unsigned int errors = 0;
volatile uint8_t state;

volatile uint8_t *portA, *portB;
uint8_t maskA, maskB;

volatile long pushedAt;
volatile bool pushed = false;
volatile unsigned long lastPush = 0;

static inline uint8_t readKnob() {
  return (*portA & maskA ? 2 : 0) | (*portB & maskB ? 1 : 0);
}

void IRAM_ATTR knobTurned() {
  uint8_t now = readKnob();
  int8_t step = (int8_t)pgm_read_byte(&steps[state << 2 | now]);

  if (step == 0 && now != state)
    errors++;
  position += step;
  state = now;
}

void IRAM_ATTR buttonPushed() {
  unsigned long now = millis();

  if (now - lastPush < 20)   // bounces
    return;
  lastPush = now;
  pushedAt = position;
  pushed = true;
}

void setup() {
  Serial.begin(115200);
  pinMode(PIN_A, INPUT_PULLUP);
  pinMode(PIN_B, INPUT_PULLUP);
  pinMode(PIN_BUTTON, INPUT_PULLUP);
  portA = portInputRegister(digitalPinToPort(PIN_A));
  maskA = digitalPinToBitMask(PIN_A);
  portB = portInputRegister(digitalPinToPort(PIN_B));
  maskB = digitalPinToBitMask(PIN_B);
  state = readKnob();

  int remembered = 50;
  if (EEPROM.read(ADDRESS) != 0xFF)
    remembered = EEPROM.read(ADDRESS);
  position = remembered * 4L;
  Serial.print("volume ");
  Serial.println(remembered);

  attachInterrupt(digitalPinToInterrupt(PIN_A), knobTurned, CHANGE);
  attachInterrupt(digitalPinToInterrupt(PIN_B), knobTurned, CHANGE);
  attachInterrupt(digitalPinToInterrupt(PIN_BUTTON), buttonPushed, FALLING);
}

void loop() {
  if (!pushed)
    return;
  uint8_t oldSREG = SREG;
  cli();
  long at = pushedAt;
  unsigned int wrong = errors;
  pushed = false;
  SREG = oldSREG;

  int volume = constrain(at / 4, 0L, 100L);
  EEPROM.update(ADDRESS, (uint8_t)volume);
  Serial.println("volume " + String(volume) + ", position " + at + ", " +
                 String(wrong) + " errors");
}
