/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/iom328p.h: registers, bits and vectors of the ATmega328P.
 *
 * Facts of the manufacturer's data sheet (DS40002061), registers in the order
 * of their addresses. Included by avr/io.h.
 */
#ifndef _AVR_IOM328P_H_
#define _AVR_IOM328P_H_ 1

#include <avr/io.h>

#include "../../avr_pins.h"

/* ---- Ports ------------------------------------------------------------- */

#define PINB _SFR_IO8(0x03)

#define DDRB _SFR_IO8(0x04)

#define PORTB _SFR_IO8(0x05)

#define PINC _SFR_IO8(0x06)

#define DDRC _SFR_IO8(0x07)

#define PORTC _SFR_IO8(0x08)

#define PIND _SFR_IO8(0x09)

#define DDRD _SFR_IO8(0x0A)

#define PORTD _SFR_IO8(0x0B)

/* ---- Flags and masks of interrupts ------------------------------------- */

#define TIFR0 _SFR_IO8(0x15)
#define TOV0 0
#define OCF0A 1
#define OCF0B 2

#define TIFR1 _SFR_IO8(0x16)
#define TOV1 0
#define OCF1A 1
#define OCF1B 2
#define ICF1 5

#define TIFR2 _SFR_IO8(0x17)
#define TOV2 0
#define OCF2A 1
#define OCF2B 2

#define PCIFR _SFR_IO8(0x1B)

#define EIFR _SFR_IO8(0x1C)

#define EIMSK _SFR_IO8(0x1D)

/* ---- General purpose, EEPROM ------------------------------------------- */

#define GPIOR0 _SFR_IO8(0x1E)
#define GPIOR00 0
#define GPIOR01 1
#define GPIOR02 2
#define GPIOR03 3
#define GPIOR04 4
#define GPIOR05 5
#define GPIOR06 6
#define GPIOR07 7

#define EECR _SFR_IO8(0x1F)
#define EERE 0
#define EEPE 1
#define EEMPE 2
#define EERIE 3
#define EEPM0 4
#define EEPM1 5

#define EEDR _SFR_IO8(0x20)
#define EEDR0 0
#define EEDR1 1
#define EEDR2 2
#define EEDR3 3
#define EEDR4 4
#define EEDR5 5
#define EEDR6 6
#define EEDR7 7

#define EEAR _SFR_IO16(0x21)

#define EEARL _SFR_IO8(0x21)
#define EEAR0 0
#define EEAR1 1
#define EEAR2 2
#define EEAR3 3
#define EEAR4 4
#define EEAR5 5
#define EEAR6 6
#define EEAR7 7

#define EEARH _SFR_IO8(0x22)
#define EEAR8 0
#define EEAR9 1

/* ---- Timer 0 ----------------------------------------------------------- */

#define GTCCR _SFR_IO8(0x23)
#define PSRSYNC 0
#define PSRASY 1
#define TSM 7

#define TCCR0A _SFR_IO8(0x24)
#define WGM00 0
#define WGM01 1
#define COM0B0 4
#define COM0B1 5
#define COM0A0 6
#define COM0A1 7

#define TCCR0B _SFR_IO8(0x25)
#define CS00 0
#define CS01 1
#define CS02 2
#define WGM02 3
#define FOC0B 6
#define FOC0A 7

#define TCNT0 _SFR_IO8(0x26)
#define TCNT0_0 0
#define TCNT0_1 1
#define TCNT0_2 2
#define TCNT0_3 3
#define TCNT0_4 4
#define TCNT0_5 5
#define TCNT0_6 6
#define TCNT0_7 7

#define OCR0A _SFR_IO8(0x27)
#define OCR0A_0 0
#define OCR0A_1 1
#define OCR0A_2 2
#define OCR0A_3 3
#define OCR0A_4 4
#define OCR0A_5 5
#define OCR0A_6 6
#define OCR0A_7 7

#define OCR0B _SFR_IO8(0x28)
#define OCR0B_0 0
#define OCR0B_1 1
#define OCR0B_2 2
#define OCR0B_3 3
#define OCR0B_4 4
#define OCR0B_5 5
#define OCR0B_6 6
#define OCR0B_7 7

/* ---- General purpose, SPI, comparator ---------------------------------- */

#define GPIOR1 _SFR_IO8(0x2A)
#define GPIOR10 0
#define GPIOR11 1
#define GPIOR12 2
#define GPIOR13 3
#define GPIOR14 4
#define GPIOR15 5
#define GPIOR16 6
#define GPIOR17 7

#define GPIOR2 _SFR_IO8(0x2B)
#define GPIOR20 0
#define GPIOR21 1
#define GPIOR22 2
#define GPIOR23 3
#define GPIOR24 4
#define GPIOR25 5
#define GPIOR26 6
#define GPIOR27 7

#define SPCR _SFR_IO8(0x2C)
#define SPR0 0
#define SPR1 1
#define CPHA 2
#define CPOL 3
#define MSTR 4
#define DORD 5
#define SPE 6
#define SPIE 7

#define SPSR _SFR_IO8(0x2D)
#define SPI2X 0
#define WCOL 6
#define SPIF 7

#define SPDR _SFR_IO8(0x2E)
#define SPDR0 0
#define SPDR1 1
#define SPDR2 2
#define SPDR3 3
#define SPDR4 4
#define SPDR5 5
#define SPDR6 6
#define SPDR7 7

#define ACSR _SFR_IO8(0x30)
#define ACIS0 0
#define ACIS1 1
#define ACIC 2
#define ACIE 3
#define ACI 4
#define ACO 5
#define ACBG 6
#define ACD 7

/* ---- Sleep, reset, clock, program memory ------------------------------- */

#define SMCR _SFR_IO8(0x33)
#define SE 0
#define SM0 1
#define SM1 2
#define SM2 3

#define MCUSR _SFR_IO8(0x34)
#define PORF 0
#define EXTRF 1
#define BORF 2
#define WDRF 3

#define MCUCR _SFR_IO8(0x35)
#define IVCE 0
#define IVSEL 1
#define PUD 4
#define BODSE 5
#define BODS 6

#define SPMCSR _SFR_IO8(0x37)
#define SPMEN 0
#define PGERS 1
#define PGWRT 2
#define BLBSET 3
#define RWWSRE 4
#define SIGRD 5
#define RWWSB 6
#define SPMIE 7

#define WDTCSR _SFR_MEM8(0x60)
#define WDP0 0
#define WDP1 1
#define WDP2 2
#define WDE 3
#define WDCE 4
#define WDP3 5
#define WDIE 6
#define WDIF 7

#define CLKPR _SFR_MEM8(0x61)
#define CLKPS0 0
#define CLKPS1 1
#define CLKPS2 2
#define CLKPS3 3
#define CLKPCE 7

#define PRR _SFR_MEM8(0x64)
#define PRADC 0
#define PRUSART0 1
#define PRSPI 2
#define PRTIM1 3
#define PRTIM0 5
#define PRTIM2 6
#define PRTWI 7

#define OSCCAL _SFR_MEM8(0x66)
#define CAL0 0
#define CAL1 1
#define CAL2 2
#define CAL3 3
#define CAL4 4
#define CAL5 5
#define CAL6 6
#define CAL7 7

/* ---- Masks of interrupts ----------------------------------------------- */

#define PCICR _SFR_MEM8(0x68)

#define EICRA _SFR_MEM8(0x69)

#define PCMSK0 _SFR_MEM8(0x6B)

#define PCMSK1 _SFR_MEM8(0x6C)

#define PCMSK2 _SFR_MEM8(0x6D)

#define TIMSK0 _SFR_MEM8(0x6E)
#define TOIE0 0
#define OCIE0A 1
#define OCIE0B 2

#define TIMSK1 _SFR_MEM8(0x6F)
#define TOIE1 0
#define OCIE1A 1
#define OCIE1B 2
#define ICIE1 5

#define TIMSK2 _SFR_MEM8(0x70)
#define TOIE2 0
#define OCIE2A 1
#define OCIE2B 2

/* ---- Analog to digital ------------------------------------------------- */

#define ADC _SFR_MEM16(0x78)

#define ADCW _SFR_MEM16(0x78)

#define ADCL _SFR_MEM8(0x78)
#define ADCL0 0
#define ADCL1 1
#define ADCL2 2
#define ADCL3 3
#define ADCL4 4
#define ADCL5 5
#define ADCL6 6
#define ADCL7 7

#define ADCH _SFR_MEM8(0x79)
#define ADCH0 0
#define ADCH1 1
#define ADCH2 2
#define ADCH3 3
#define ADCH4 4
#define ADCH5 5
#define ADCH6 6
#define ADCH7 7

#define ADCSRA _SFR_MEM8(0x7A)
#define ADPS0 0
#define ADPS1 1
#define ADPS2 2
#define ADIE 3
#define ADIF 4
#define ADATE 5
#define ADSC 6
#define ADEN 7

#define ADCSRB _SFR_MEM8(0x7B)
#define ADTS0 0
#define ADTS1 1
#define ADTS2 2
#define ACME 6

#define ADMUX _SFR_MEM8(0x7C)
#define MUX0 0
#define MUX1 1
#define MUX2 2
#define MUX3 3
#define ADLAR 5
#define REFS0 6
#define REFS1 7

#define DIDR0 _SFR_MEM8(0x7E)
#define ADC0D 0
#define ADC1D 1
#define ADC2D 2
#define ADC3D 3
#define ADC4D 4
#define ADC5D 5

#define DIDR1 _SFR_MEM8(0x7F)
#define AIN0D 0
#define AIN1D 1

/* ---- Timer 1 ----------------------------------------------------------- */

#define TCCR1A _SFR_MEM8(0x80)
#define WGM10 0
#define WGM11 1
#define COM1B0 4
#define COM1B1 5
#define COM1A0 6
#define COM1A1 7

#define TCCR1B _SFR_MEM8(0x81)
#define CS10 0
#define CS11 1
#define CS12 2
#define WGM12 3
#define WGM13 4
#define ICES1 6
#define ICNC1 7

#define TCCR1C _SFR_MEM8(0x82)
#define FOC1B 6
#define FOC1A 7

#define TCNT1 _SFR_MEM16(0x84)

#define TCNT1L _SFR_MEM8(0x84)
#define TCNT1L0 0
#define TCNT1L1 1
#define TCNT1L2 2
#define TCNT1L3 3
#define TCNT1L4 4
#define TCNT1L5 5
#define TCNT1L6 6
#define TCNT1L7 7

#define TCNT1H _SFR_MEM8(0x85)
#define TCNT1H0 0
#define TCNT1H1 1
#define TCNT1H2 2
#define TCNT1H3 3
#define TCNT1H4 4
#define TCNT1H5 5
#define TCNT1H6 6
#define TCNT1H7 7

#define ICR1 _SFR_MEM16(0x86)

#define ICR1L _SFR_MEM8(0x86)
#define ICR1L0 0
#define ICR1L1 1
#define ICR1L2 2
#define ICR1L3 3
#define ICR1L4 4
#define ICR1L5 5
#define ICR1L6 6
#define ICR1L7 7

#define ICR1H _SFR_MEM8(0x87)
#define ICR1H0 0
#define ICR1H1 1
#define ICR1H2 2
#define ICR1H3 3
#define ICR1H4 4
#define ICR1H5 5
#define ICR1H6 6
#define ICR1H7 7

#define OCR1A _SFR_MEM16(0x88)

#define OCR1AL _SFR_MEM8(0x88)
#define OCR1AL0 0
#define OCR1AL1 1
#define OCR1AL2 2
#define OCR1AL3 3
#define OCR1AL4 4
#define OCR1AL5 5
#define OCR1AL6 6
#define OCR1AL7 7

#define OCR1AH _SFR_MEM8(0x89)
#define OCR1AH0 0
#define OCR1AH1 1
#define OCR1AH2 2
#define OCR1AH3 3
#define OCR1AH4 4
#define OCR1AH5 5
#define OCR1AH6 6
#define OCR1AH7 7

#define OCR1B _SFR_MEM16(0x8A)

#define OCR1BL _SFR_MEM8(0x8A)
#define OCR1BL0 0
#define OCR1BL1 1
#define OCR1BL2 2
#define OCR1BL3 3
#define OCR1BL4 4
#define OCR1BL5 5
#define OCR1BL6 6
#define OCR1BL7 7

#define OCR1BH _SFR_MEM8(0x8B)
#define OCR1BH0 0
#define OCR1BH1 1
#define OCR1BH2 2
#define OCR1BH3 3
#define OCR1BH4 4
#define OCR1BH5 5
#define OCR1BH6 6
#define OCR1BH7 7

/* ---- Timer 2 ----------------------------------------------------------- */

#define TCCR2A _SFR_MEM8(0xB0)
#define WGM20 0
#define WGM21 1
#define COM2B0 4
#define COM2B1 5
#define COM2A0 6
#define COM2A1 7

#define TCCR2B _SFR_MEM8(0xB1)
#define CS20 0
#define CS21 1
#define CS22 2
#define WGM22 3
#define FOC2B 6
#define FOC2A 7

#define TCNT2 _SFR_MEM8(0xB2)
#define TCNT2_0 0
#define TCNT2_1 1
#define TCNT2_2 2
#define TCNT2_3 3
#define TCNT2_4 4
#define TCNT2_5 5
#define TCNT2_6 6
#define TCNT2_7 7

#define OCR2A _SFR_MEM8(0xB3)
#define OCR2_0 0
#define OCR2_1 1
#define OCR2_2 2
#define OCR2_3 3
#define OCR2_4 4
#define OCR2_5 5
#define OCR2_6 6
#define OCR2_7 7

#define OCR2B _SFR_MEM8(0xB4)

#define ASSR _SFR_MEM8(0xB6)
#define TCR2BUB 0
#define TCR2AUB 1
#define OCR2BUB 2
#define OCR2AUB 3
#define TCN2UB 4
#define AS2 5
#define EXCLK 6

/* ---- Two-wire interface ------------------------------------------------ */

#define TWBR _SFR_MEM8(0xB8)
#define TWBR0 0
#define TWBR1 1
#define TWBR2 2
#define TWBR3 3
#define TWBR4 4
#define TWBR5 5
#define TWBR6 6
#define TWBR7 7

#define TWSR _SFR_MEM8(0xB9)
#define TWPS0 0
#define TWPS1 1
#define TWS3 3
#define TWS4 4
#define TWS5 5
#define TWS6 6
#define TWS7 7

#define TWAR _SFR_MEM8(0xBA)
#define TWGCE 0
#define TWA0 1
#define TWA1 2
#define TWA2 3
#define TWA3 4
#define TWA4 5
#define TWA5 6
#define TWA6 7

#define TWDR _SFR_MEM8(0xBB)
#define TWD0 0
#define TWD1 1
#define TWD2 2
#define TWD3 3
#define TWD4 4
#define TWD5 5
#define TWD6 6
#define TWD7 7

#define TWCR _SFR_MEM8(0xBC)
#define TWIE 0
#define TWEN 2
#define TWWC 3
#define TWSTO 4
#define TWSTA 5
#define TWEA 6
#define TWINT 7

#define TWAMR _SFR_MEM8(0xBD)
#define TWAM0 0
#define TWAM1 1
#define TWAM2 2
#define TWAM3 3
#define TWAM4 4
#define TWAM5 5
#define TWAM6 6

/* ---- USART ------------------------------------------------------------- */

#define UCSR0A _SFR_MEM8(0xC0)
#define MPCM0 0
#define U2X0 1
#define UPE0 2
#define DOR0 3
#define FE0 4
#define UDRE0 5
#define TXC0 6
#define RXC0 7

#define UCSR0B _SFR_MEM8(0xC1)
#define TXB80 0
#define RXB80 1
#define UCSZ02 2
#define TXEN0 3
#define RXEN0 4
#define UDRIE0 5
#define TXCIE0 6
#define RXCIE0 7

#define UCSR0C _SFR_MEM8(0xC2)
#define UCPOL0 0
#define UCSZ00 1
#define UCPHA0 1
#define UCSZ01 2
#define UDORD0 2
#define USBS0 3
#define UPM00 4
#define UPM01 5
#define UMSEL00 6
#define UMSEL01 7

#define UBRR0 _SFR_MEM16(0xC4)

#define UBRR0L _SFR_MEM8(0xC4)
#define UBRR0_0 0
#define UBRR0_1 1
#define UBRR0_2 2
#define UBRR0_3 3
#define UBRR0_4 4
#define UBRR0_5 5
#define UBRR0_6 6
#define UBRR0_7 7

#define UBRR0H _SFR_MEM8(0xC5)
#define UBRR0_8 0
#define UBRR0_9 1
#define UBRR0_10 2
#define UBRR0_11 3

#define UDR0 _SFR_MEM8(0xC6)
#define UDR0_0 0
#define UDR0_1 1
#define UDR0_2 2
#define UDR0_3 3
#define UDR0_4 4
#define UDR0_5 5
#define UDR0_6 6
#define UDR0_7 7

/* ---- Pins -------------------------------------------------------------- */

/* ---- Vectors, with older names ----------------------------------------- */

#define INT0_vect_num 1
#define INT0_vect _VECTOR(1)
#define SIG_INTERRUPT0 _VECTOR(1)
#define INT1_vect_num 2
#define INT1_vect _VECTOR(2)
#define SIG_INTERRUPT1 _VECTOR(2)
#define PCINT0_vect_num 3
#define PCINT0_vect _VECTOR(3)
#define SIG_PIN_CHANGE0 _VECTOR(3)
#define PCINT1_vect_num 4
#define PCINT1_vect _VECTOR(4)
#define SIG_PIN_CHANGE1 _VECTOR(4)
#define PCINT2_vect_num 5
#define PCINT2_vect _VECTOR(5)
#define SIG_PIN_CHANGE2 _VECTOR(5)
#define WDT_vect_num 6
#define WDT_vect _VECTOR(6)
#define SIG_WATCHDOG_TIMEOUT _VECTOR(6)
#define TIMER2_COMPA_vect_num 7
#define TIMER2_COMPA_vect _VECTOR(7)
#define SIG_OUTPUT_COMPARE2A _VECTOR(7)
#define SIG_OUTPUT_COMPARE2 _VECTOR(7)
#define TIMER2_COMPB_vect_num 8
#define TIMER2_COMPB_vect _VECTOR(8)
#define SIG_OUTPUT_COMPARE2B _VECTOR(8)
#define TIMER2_OVF_vect_num 9
#define TIMER2_OVF_vect _VECTOR(9)
#define SIG_OVERFLOW2 _VECTOR(9)
#define TIMER1_CAPT_vect_num 10
#define TIMER1_CAPT_vect _VECTOR(10)
#define SIG_INPUT_CAPTURE1 _VECTOR(10)
#define TIMER1_COMPA_vect_num 11
#define TIMER1_COMPA_vect _VECTOR(11)
#define SIG_OUTPUT_COMPARE1A _VECTOR(11)
#define TIMER1_COMPB_vect_num 12
#define TIMER1_COMPB_vect _VECTOR(12)
#define SIG_OUTPUT_COMPARE1B _VECTOR(12)
#define TIMER1_OVF_vect_num 13
#define TIMER1_OVF_vect _VECTOR(13)
#define SIG_OVERFLOW1 _VECTOR(13)
#define TIMER0_COMPA_vect_num 14
#define TIMER0_COMPA_vect _VECTOR(14)
#define SIG_OUTPUT_COMPARE0A _VECTOR(14)
#define SIG_OUTPUT_COMPARE0 _VECTOR(14)
#define TIMER0_COMPB_vect_num 15
#define TIMER0_COMPB_vect _VECTOR(15)
#define SIG_OUTPUT_COMPARE0B _VECTOR(15)
#define TIMER0_OVF_vect_num 16
#define TIMER0_OVF_vect _VECTOR(16)
#define SIG_OVERFLOW0 _VECTOR(16)
#define SPI_STC_vect_num 17
#define SPI_STC_vect _VECTOR(17)
#define SIG_SPI _VECTOR(17)
#define USART_RX_vect_num 18
#define USART_RX_vect _VECTOR(18)
#define SIG_USART_RECV _VECTOR(18)
#define SIG_USART0_RECV _VECTOR(18)
#define SIG_UART_RECV _VECTOR(18)
#define SIG_UART0_RECV _VECTOR(18)
#define USART0_RX_vect _VECTOR(18)
#define USART_UDRE_vect_num 19
#define USART_UDRE_vect _VECTOR(19)
#define SIG_USART_DATA _VECTOR(19)
#define SIG_USART0_DATA _VECTOR(19)
#define SIG_UART_DATA _VECTOR(19)
#define SIG_UART0_DATA _VECTOR(19)
#define USART0_UDRE_vect _VECTOR(19)
#define USART_TX_vect_num 20
#define USART_TX_vect _VECTOR(20)
#define SIG_USART_TRANS _VECTOR(20)
#define SIG_USART0_TRANS _VECTOR(20)
#define SIG_UART_TRANS _VECTOR(20)
#define SIG_UART0_TRANS _VECTOR(20)
#define USART0_TX_vect _VECTOR(20)
#define ADC_vect_num 21
#define ADC_vect _VECTOR(21)
#define SIG_ADC _VECTOR(21)
#define EE_READY_vect_num 22
#define EE_READY_vect _VECTOR(22)
#define SIG_EEPROM_READY _VECTOR(22)
#define ANALOG_COMP_vect_num 23
#define ANALOG_COMP_vect _VECTOR(23)
#define SIG_COMPARATOR _VECTOR(23)
#define TWI_vect_num 24
#define TWI_vect _VECTOR(24)
#define SIG_TWI _VECTOR(24)
#define SIG_2WIRE_SERIAL _VECTOR(24)
#define SPM_READY_vect_num 25
#define SPM_READY_vect _VECTOR(25)
#define SIG_SPM_READY _VECTOR(25)
#define _VECTORS_SIZE (26 * 4)

/* ---- Names of older parts ---------------------------------------------- */

/*
 * Only on request: programs for several parts tell them apart by which names
 * are there.
 */
#ifdef APP_SHIM_AVR_OLD_NAMES

#define UDR UDR0
#define UCSRA UCSR0A
#define UCSRB UCSR0B
#define UCSRC UCSR0C
#define UBRRL UBRR0L
#define UBRRH UBRR0H
#define RXC RXC0
#define TXC TXC0
#define UDRE UDRE0
#define FE FE0
#define DOR DOR0
#define U2X U2X0
#define RXCIE RXCIE0
#define TXCIE TXCIE0
#define UDRIE UDRIE0
#define RXEN RXEN0
#define TXEN TXEN0
#define UCSZ0 UCSZ00
#define UCSZ1 UCSZ01
#define UCSZ2 UCSZ02
#define USBS USBS0
#define UPM0 UPM00
#define UPM1 UPM01
#define WDTCR WDTCSR
#define WDTOE WDCE
#define EEMWE EEMPE
#define EEWE EEPE
#define WDT_OVERFLOW_vect WDT_vect
#define TIMER2_COMP_vect TIMER2_COMPA_vect
#define TIMER1_COMP1_vect TIMER1_COMPA_vect
#define TIMER1_OVF1_vect TIMER1_OVF_vect
#define TIMER0_COMP_vect TIMER0_COMPA_vect
#define TIM0_COMPA_vect TIMER0_COMPA_vect
#define TIM0_COMPB_vect TIMER0_COMPB_vect
#define TIMER0_OVF0_vect TIMER0_OVF_vect
#define TIM0_OVF_vect TIMER0_OVF_vect
#define USART_RXC_vect USART_RX_vect
#define UART_RX_vect USART_RX_vect
#define UART_UDRE_vect USART_UDRE_vect
#define USART_TXC_vect USART_TX_vect
#define UART_TX_vect USART_TX_vect
#define EE_RDY_vect EE_READY_vect
#define ANA_COMP_vect ANALOG_COMP_vect
#define SPM_RDY_vect SPM_READY_vect
#endif /* APP_SHIM_AVR_OLD_NAMES */

/* ---- Sizes ------------------------------------------------------------ */

#define SPM_PAGESIZE 128
#define RAMSTART 0x100
#define RAMEND 0x8FF
#define XRAMSIZE 0
#define XRAMEND RAMEND
#define E2END 0x3FF
#define E2PAGESIZE 4
#define FLASHEND 0x7FFF

/* ---- Fuses, signature ------------------------------------------------- */

#define FUSE_MEMORY_SIZE 3
#define LFUSE_DEFAULT 0x62
#define HFUSE_DEFAULT 0xD9
#define EFUSE_DEFAULT 0xFF
#define SIGNATURE_0 0x1E
#define SIGNATURE_1 0x95
#define SIGNATURE_2 0x0F

/* ---- Sleep modes, as SMCR has them ------------------------------------ */

#define SLEEP_MODE_IDLE (0x00 << 1)
#define SLEEP_MODE_ADC (0x01 << 1)
#define SLEEP_MODE_PWR_DOWN (0x02 << 1)
#define SLEEP_MODE_PWR_SAVE (0x03 << 1)
#define SLEEP_MODE_STANDBY (0x06 << 1)
#define SLEEP_MODE_EXT_STANDBY (0x07 << 1)

#endif /* _AVR_IOM328P_H_ */
