/* sioDrv.c - driver for the serial line of the furnace controller */

/*
modification history
--------------------
01c,14mar96,hk   statistics; line errors are counted in the isr
01b,02feb96,hk   watchdog between characters
01a,20jan96,hk   written
*/

/*
DESCRIPTION
The interrupt routine empties the receiver into a ring buffer and gives a
semaphore. The driver task (tSio) assembles lines and puts them on a message
queue; what comes in pieces that are too far apart is thrown away. The command
task (tCmd) does what the lines say:

	SET n value	sets a register		OK
	GET n		asks for one		n=value
	SUM		adds all		sum=value
	QUIT		ends			BYE

INCLUDE FILES: sio.h
*/

#include "vxWorks.h"
#include "intLib.h"
#include "iv.h"
#include "logLib.h"
#include "msgQLib.h"
#include "rngLib.h"
#include "semLib.h"
#include "stdio.h"
#include "string.h"
#include "sysLib.h"
#include "taskLib.h"
#include "tickLib.h"
#include "wdLib.h"
#include "sio.h"

#define LINE_LEN 40
#define RING_LEN 64
#define N_REGS 8
#define CHAR_GAP 30 /* ticks */

typedef struct /* SIO_DEV */
{
	RING_ID ring;
	SEM_ID rxSem;
	MSG_Q_ID lineQ;
	WDOG_ID gapDog;
	volatile BOOL gap;
	volatile unsigned long ints;
	volatile unsigned long chars;
	volatile unsigned long errors;
	volatile unsigned long overruns;
	unsigned long lines;
	unsigned long discarded;
} SIO_DEV;

LOCAL SIO_DEV sio;
LOCAL int regs[N_REGS];
LOCAL SEM_ID regSem;
LOCAL SEM_ID quitSem;

/*******************************************************************************
*
* sioInt - interrupt routine: empties the receiver
*/

LOCAL void sioInt(SIO_DEV *pDev)
{
	int status;
	char c;

	pDev->ints++;
	while ((status = sioStatus()) & SIO_RX_READY) {
		c = (char)sioRead();
		if (status & SIO_RX_ERROR) {
			pDev->errors++;
			continue;
		}
		pDev->chars++;
		if (rngBufPut(pDev->ring, &c, 1) == 0)
			pDev->overruns++;
	}
	semGive(pDev->rxSem);
}

/* sioGap - nothing has come for too long (watchdog routine) */

LOCAL void sioGap(SIO_DEV *pDev)
{
	pDev->gap = TRUE;
	semGive(pDev->rxSem);
}

/*******************************************************************************
*
* sioTask - makes lines of characters
*/

LOCAL void sioTask(SIO_DEV *pDev)
{
	char line[LINE_LEN];
	int len = 0;
	int key;
	BOOL gap;
	char c;

	FOREVER {
		semTake(pDev->rxSem, WAIT_FOREVER);

		key = intLock();
		gap = pDev->gap;
		pDev->gap = FALSE;
		intUnlock(key);

		while (rngBufGet(pDev->ring, &c, 1) == 1) {
			gap = FALSE;
			if (c == '\r' || c == '\n') {
				wdCancel(pDev->gapDog);
				if (len == 0)
					continue;
				line[len] = EOS;
				pDev->lines++;
				msgQSend(pDev->lineQ, line, len + 1,
					 WAIT_FOREVER, MSG_PRI_NORMAL);
				len = 0;
			} else if (len < LINE_LEN - 1) {
				line[len++] = c;
				wdStart(pDev->gapDog, CHAR_GAP, (FUNCPTR)sioGap,
					(int)(long)pDev);
			}
		}
		if (gap && len > 0) {
			logMsg("sio: %d characters discarded\n", len, 0, 0, 0, 0,
			       0);
			pDev->discarded += len;
			len = 0;
		}
	}
}

/* sioPuts - answers */

LOCAL void sioPuts(const char *s)
{
	while (*s)
		sioWrite(*s++);
	sioWrite('\r');
	sioWrite('\n');
}

/*******************************************************************************
*
* cmdTask - does what lines say
*/

LOCAL void cmdTask(SIO_DEV *pDev)
{
	char line[LINE_LEN];
	char answer[LINE_LEN];
	int n, value, i;

	FOREVER {
		if (msgQReceive(pDev->lineQ, line, sizeof(line), WAIT_FOREVER) ==
		    ERROR)
			break;
		strcpy(answer, "?");
		semTake(regSem, WAIT_FOREVER);
		if (sscanf(line, "SET %d %d", &n, &value) == 2) {
			if (n >= 0 && n < N_REGS) {
				regs[n] = value;
				strcpy(answer, "OK");
			}
		} else if (sscanf(line, "GET %d", &n) == 1) {
			if (n >= 0 && n < N_REGS)
				sprintf(answer, "%d=%d", n, regs[n]);
		} else if (strcmp(line, "SUM") == 0) {
			for (i = value = 0; i < (int)NELEMENTS(regs); i++)
				value += regs[i];
			sprintf(answer, "sum=%d", value);
		} else if (strcmp(line, "QUIT") == 0) {
			strcpy(answer, "BYE");
		}
		semGive(regSem);
		sioPuts(answer);
		if (strcmp(answer, "BYE") == 0)
			break;
	}
	semGive(quitSem);
}

/*******************************************************************************
*
* sioDrv - starts the driver
*
* RETURNS: OK, or ERROR if something could not be made or connected
*/

STATUS sioDrv(void)
{
	if ((sio.ring = rngCreate(RING_LEN)) == NULL ||
	    (sio.rxSem = semBCreate(SEM_Q_FIFO, SEM_EMPTY)) == NULL ||
	    (sio.lineQ = msgQCreate(8, LINE_LEN, MSG_Q_FIFO)) == NULL ||
	    (sio.gapDog = wdCreate()) == NULL ||
	    (regSem = semMCreate(SEM_Q_PRIORITY | SEM_INVERSION_SAFE)) == NULL ||
	    (quitSem = semBCreate(SEM_Q_FIFO, SEM_EMPTY)) == NULL)
		return ERROR;
	if (intConnect(INUM_TO_IVEC(SIO_VECTOR), (VOIDFUNCPTR)sioInt,
		       (_Vx_usr_arg_t)&sio) == ERROR)
		return ERROR;
	if (taskSpawn("tSio", 50, 0, 4000, (FUNCPTR)sioTask, (_Vx_usr_arg_t)&sio, 0,
		      0, 0, 0, 0, 0, 0, 0, 0) == ERROR ||
	    taskSpawn("tCmd", 60, VX_FP_TASK, 4000, (FUNCPTR)cmdTask,
		      (_Vx_usr_arg_t)&sio, 0, 0, 0, 0, 0, 0, 0, 0, 0) == ERROR)
		return ERROR;
	sioEnable();
	return OK;
}

/* sioShow - prints statistics */

void sioShow(void)
{
	printf("%lu characters, %lu errors, %lu overruns, %lu lines, %lu discarded\n",
	       sio.chars, sio.errors, sio.overruns, sio.lines, sio.discarded);
}

void usrAppInit(void)
{
	sysClkRateSet(100);
	if (sioDrv() == ERROR) {
		printf("sioDrv failed\n");
		return;
	}
	semTake(quitSem, WAIT_FOREVER);
	sioShow();
	exit(0);
}
