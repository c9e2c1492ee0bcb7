/*
  Receiver for the wireless thermometers on the balcony and in the shed.

  A message is a long pulse (60 ms) and then 24 pulses, 10 ms for a 0 and 30 ms
  for a 1, with 10 ms of silence after each:

    8 bits  number of the thermometer
    12 bits temperature in tenths of a degree, two's complement
    4 bits  sum of all the other nibbles

  Data pin of the receiver module: 2 (interrupt 0). The LED lights up while a
  message comes in.
*/

const int receiverPin = 2;
const int ledPin = 13;

const unsigned long startPulse = 45000;  // microseconds
const unsigned long onePulse = 20000;
const byte messageBits = 24;

volatile unsigned long riseTime;
volatile unsigned long shift;
volatile byte bitsReceived;
volatile bool receiving = false;

// messages wait here for loop()
const byte queueSize = 8;
volatile unsigned long queue[queueSize];
volatile byte queueHead = 0;
volatile byte queueTail = 0;
volatile unsigned int pulses = 0;

void setup() {
  Serial.begin(9600);
  pinMode(ledPin, OUTPUT);
  pinMode(receiverPin, INPUT);
  attachInterrupt(digitalPinToInterrupt(receiverPin), pulseBegins, RISING);
  Serial.println(F("waiting for thermometers"));
}

void loop() {
  static int good = 0, bad = 0;

  if (queueTail == queueHead)
    return;
  unsigned long message = queue[queueTail];
  queueTail = (queueTail + 1) % queueSize;

  if (!checkMessage(message)) {
    bad++;
    Serial.println(F("damaged message"));
    return;
  }
  good++;
  int tenths = (message >> 4) & 0x0FFF;
  if (tenths & 0x0800)
    tenths -= 0x1000;
  Serial.print(F("thermometer "));
  Serial.print(message >> 16, DEC);
  Serial.print(F(": "));
  Serial.print(tenths / 10.0, 1);
  Serial.print(F(" C ("));
  noInterrupts();
  unsigned int n = pulses;
  pulses = 0;
  interrupts();
  Serial.print(n);
  Serial.println(F(" pulses)"));
  if (bad > 0) {
    Serial.print(F("lost so far: "));
    Serial.print(map(bad, 0, good + bad, 0, 100));
    Serial.println('%');
  }
}

boolean checkMessage(unsigned long message) {
  byte sum = 0;
  for (byte nibble = 1; nibble < 6; nibble++)
    sum += (message >> (4 * nibble)) & 0x0F;
  return (sum & 0x0F) == (message & 0x0F);
}

void pulseBegins() {
  riseTime = micros();
  attachInterrupt(digitalPinToInterrupt(receiverPin), pulseEnds, FALLING);
}

void pulseEnds() {
  unsigned long width = micros() - riseTime;

  attachInterrupt(digitalPinToInterrupt(receiverPin), pulseBegins, RISING);
  pulses++;
  if (width >= startPulse) {
    receiving = true;
    shift = 0;
    bitsReceived = 0;
    digitalWrite(ledPin, HIGH);
    return;
  }
  if (!receiving)
    return;
  shift = (shift << 1) | (width >= onePulse ? 1 : 0);
  if (++bitsReceived < messageBits)
    return;
  receiving = false;
  digitalWrite(ledPin, LOW);
  byte next = (queueHead + 1) % queueSize;
  if (next != queueTail) {
    queue[queueHead] = shift;
    queueHead = next;
  }
}
