/* sio.h - the serial line, as the board support package has it */

#ifndef __INCsioh
#define __INCsioh

#include <stdlib.h>

#define SIO_VECTOR 32

/* bits of sioStatus() */
#define SIO_RX_READY 0x01
#define SIO_RX_ERROR 0x70 /* parity, framing, break */

extern int sioStatus(void);
extern int sioRead(void);
extern void sioWrite(int c);
extern void sioEnable(void);

#endif /* __INCsioh */
