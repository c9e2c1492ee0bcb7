/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What programs for VxWorks do with interrupts: connecting, levels, locks, what
 * service routines may call. Vectors are raised by hand, as sysBusIntGen() does.
 */
#include <stdio.h>
#include <string.h>

#include "vxWorks.h"
#include "intLib.h"
#include "iv.h"
#include "logLib.h"
#include "msgQLib.h"
#include "rngLib.h"
#include "semLib.h"
#include "sysLib.h"
#include "taskLib.h"
#include "tickLib.h"
#include "wdLib.h"
#include "errnoLib.h"

static int failures;

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("line %d: %s (errno 0x%x)\n", __LINE__,         \
			       #condition, (unsigned int)errnoGet());          \
			failures++;                                            \
		}                                                              \
	} while (0)

#define LOW 16
#define HIGH 17

static char order[64];
static volatile int at;
static volatile int depth, deepest, context;
static SEM_ID sem, mutex, counting;
static MSG_Q_ID queue;
static RING_ID ring;
static WDOG_ID dog;
static volatile int taken_in_isr, taken_errno, delayed_in_isr, created;
static volatile int timed_send, timed_send_errno;

static void note(char c)
{
	order[at++] = c;
}

static void low(int argument)
{
	note('l');
	CHECK(argument == 7);
	CHECK(intContext());
	depth = intCount();
	/* Of a higher priority: it interrupts in preempt mode, and waits here otherwise. */
	sysBusIntGen(0, HIGH);
	if (intCount() > deepest)
		deepest = intCount();
	note('L');
}

static void high(int argument)
{
	(void)argument;
	if (intCount() > deepest)
		deepest = intCount();
	note('h');
}

static void everything(int argument)
{
	(void)argument;
	context = intContext();
	taken_in_isr = semTake(sem, NO_WAIT);
	taken_errno = errnoGet();
	delayed_in_isr = taskDelay(1);
	created = semBCreate(SEM_Q_FIFO, SEM_EMPTY) != NULL;
	timed_send = msgQSend(queue, (char *)"x", 1, 5, MSG_PRI_NORMAL);
	timed_send_errno = errnoGet();
	semGive(sem);
	semGive(counting);
	semGive(counting);
	msgQSend(queue, (char *)"second", 7, NO_WAIT, MSG_PRI_NORMAL);
	msgQSend(queue, (char *)"first", 6, NO_WAIT, MSG_PRI_URGENT);
	rngBufPut(ring, (char *)"bytes", 5);
	wdStart(dog, 1, (FUNCPTR)high, 0);
	logMsg("from %d with %s\n", 16, (_Vx_usr_arg_t) "text", 0, 0, 0, 0);
}

static void interrupts(void)
{
	int key, inner, was;
	char buffer[16];

	CHECK(!intContext());
	CHECK(intCount() == 0);
	CHECK(intConnect(INUM_TO_IVEC(LOW), (VOIDFUNCPTR)low, 7) == OK);
	CHECK(intConnect(INUM_TO_IVEC(HIGH), (VOIDFUNCPTR)high, 0) == OK);
	CHECK(intConnect(INUM_TO_IVEC(HIGH), NULL, 0) == ERROR);
	CHECK(intConnect(INUM_TO_IVEC(256), (VOIDFUNCPTR)high, 0) == ERROR);
	CHECK(IVEC_TO_INUM(INUM_TO_IVEC(LOW)) == LOW);

	/* Locks nest and are released by key. */
	key = intLock();
	inner = intLock();
	sysBusIntGen(0, LOW);
	sysBusIntGen(0, HIGH);
	intUnlock(inner);
	CHECK(at == 0);
	intUnlock(key);
	/* The higher priority first; that of the second raise after or inside of low. */
	CHECK(at == 4);
	order[at] = '\0';
	CHECK(strcmp(order, "hlhL") == 0);
	CHECK(depth == 1);
	CHECK(deepest == 2);
	at = 0;

	/* A level masks vectors up to it. */
	was = intLevelSet(2);
	sysBusIntGen(0, LOW);
	CHECK(at == 0);
	sysBusIntGen(0, HIGH);
	CHECK(at == 1 && order[0] == 'h');
	CHECK(intLevelSet(was) == 2);
	CHECK(at == 4);
	at = 0;

	/* A disabled vector keeps what waits. */
	CHECK(intDisable(HIGH) == OK);
	sysBusIntGen(0, HIGH);
	sysBusIntGen(0, HIGH);
	CHECK(at == 0);
	CHECK(intEnable(HIGH) == OK);
	CHECK(at == 2);
	CHECK(sysIntDisable(5) == OK);
	sysBusIntGen(0, HIGH);
	CHECK(at == 2);
	CHECK(sysIntEnable(5) == OK);
	CHECK(at == 3);
	CHECK(intEnable(300) == ERROR);
	at = 0;

	CHECK(intVecGet((FUNCPTR *)INUM_TO_IVEC(HIGH)) == (FUNCPTR)high);
	CHECK(intDisconnect(INUM_TO_IVEC(HIGH), (VOIDFUNCPTR)low, 0) == ERROR);
	CHECK(intDisconnect(INUM_TO_IVEC(HIGH), (VOIDFUNCPTR)high, 0) == OK);
	sysBusIntGen(0, HIGH);
	CHECK(at == 0);

	/* What service routines may call, and what not. */
	sem = semBCreate(SEM_Q_FIFO, SEM_EMPTY);
	counting = semCCreate(SEM_Q_PRIORITY, 0);
	mutex = semMCreate(SEM_Q_PRIORITY | SEM_INVERSION_SAFE | SEM_DELETE_SAFE);
	queue = msgQCreate(4, 16, MSG_Q_FIFO);
	ring = rngCreate(32);
	dog = wdCreate();
	CHECK(sem && counting && mutex && queue && ring && dog);
	CHECK(intConnect(INUM_TO_IVEC(HIGH), (VOIDFUNCPTR)everything, 0) == OK);
	errnoSet(12345);
	sysBusIntGen(0, HIGH);
	CHECK(errnoGet() == 12345);
	CHECK(context == TRUE);
	CHECK(taken_in_isr == ERROR && taken_errno == S_intLib_NOT_ISR_CALLABLE);
	CHECK(delayed_in_isr == ERROR && !created);
	CHECK(timed_send == ERROR);
	CHECK(timed_send_errno == S_msgQLib_NON_ZERO_TIMEOUT_AT_INT_LEVEL);
	CHECK(semTake(sem, WAIT_FOREVER) == OK);
	CHECK(semTake(counting, NO_WAIT) == OK);
	CHECK(semTake(counting, NO_WAIT) == OK);
	CHECK(semTake(counting, NO_WAIT) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_UNAVAILABLE);
	CHECK(msgQNumMsgs(queue) == 2);
	CHECK(msgQReceive(queue, buffer, sizeof(buffer), NO_WAIT) == 6);
	CHECK(strcmp(buffer, "first") == 0);
	CHECK(msgQReceive(queue, buffer, sizeof(buffer), WAIT_FOREVER) == 7);
	CHECK(strcmp(buffer, "second") == 0);
	CHECK(rngNBytes(ring) == 5);
	CHECK(rngBufGet(ring, buffer, sizeof(buffer)) == 5);
	CHECK(memcmp(buffer, "bytes", 5) == 0);
	CHECK(rngIsEmpty(ring));
	/* The watchdog has been started by the routine. */
	while (at == 0)
		taskDelay(1);
	CHECK(order[0] == 'h');
}

/* ---- Clocks ------------------------------------------------------------ */

static volatile int clock_calls, aux_calls;

static void on_clock(int argument)
{
	CHECK(intContext());
	clock_calls += argument;
}

static void on_aux(int argument)
{
	aux_calls += argument;
}

static void clocks(void)
{
	ULONG before;

	CHECK(sysClkRateGet() == 60);
	CHECK(sysClkRateSet(0) == ERROR);
	CHECK(sysClkRateSet(200) == OK);
	CHECK(sysClkRateGet() == 200);
	tickSet(1000);
	before = tickGet();
	CHECK(before >= 1000);
	CHECK(taskDelay(4) == OK);
	CHECK(tickGet() - before >= 4);
	CHECK(sysClkConnect((FUNCPTR)on_clock, 2) == OK);
	sysClkEnable();
	while (clock_calls < 6)
		taskDelay(1);
	sysClkDisable();
	CHECK(clock_calls % 2 == 0);
	CHECK(sysAuxClkRateSet(500) == OK);
	CHECK(sysAuxClkRateGet() == 500);
	CHECK(sysAuxClkConnect((FUNCPTR)on_aux, 1) == OK);
	sysAuxClkEnable();
	while (aux_calls < 5)
		taskDelay(1);
	sysAuxClkDisable();
}

/* ---- Watchdogs --------------------------------------------------------- */

static volatile int barks;
static WDOG_ID again;

static void bark(int argument)
{
	barks += argument;
	if (barks < 3)
		CHECK(wdStart(again, 1, (FUNCPTR)bark, argument) == OK);
}

static void watchdogs(void)
{
	WDOG_ID cancelled = wdCreate();
	int waited;

	again = wdCreate();
	CHECK(wdStart(again, 1, NULL, 0) == ERROR);
	CHECK(wdStart(again, 1, (FUNCPTR)bark, 1) == OK);
	CHECK(wdStart(cancelled, 2, (FUNCPTR)bark, 100) == OK);
	CHECK(wdCancel(cancelled) == OK);
	/* Started again: the later time counts. */
	CHECK(wdStart(cancelled, 1000000, (FUNCPTR)bark, 100) == OK);
	while (barks < 3)
		taskDelay(1);
	for (waited = 0; waited < 5; waited++)
		taskDelay(1);
	CHECK(barks == 3);
	CHECK(wdDelete(cancelled) == OK);
	CHECK(wdDelete(cancelled) == ERROR);
	CHECK(wdStart(cancelled, 1, (FUNCPTR)bark, 1) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_ID_ERROR);
	CHECK(wdDelete(again) == OK);
}

int main(void)
{
	interrupts();
	clocks();
	watchdogs();
	app_shim_log_flush();
	printf("%d failures\n", failures);
	return failures != 0;
}
