/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What programs for VxWorks do with tasks, semaphores, queues and rings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vxWorks.h"
#include "errnoLib.h"
#include "kernelLib.h"
#include "msgQLib.h"
#include "rngLib.h"
#include "semLib.h"
#include "sysLib.h"
#include "taskLib.h"
#include "tickLib.h"

static int failures;

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("line %d: %s (errno 0x%x)\n", __LINE__,         \
			       #condition, (unsigned int)errnoGet());          \
			failures++;                                            \
		}                                                              \
	} while (0)

static char order[64];
static volatile int at;
static SEM_ID sem, done, mutex;
static MSG_Q_ID queue;

static void note(int c)
{
	order[at++] = (char)c;
}

static void wait_for_pended(int tid)
{
	while (!taskIsPended(tid))
		taskDelay(1);
}

/* ---- Tasks ------------------------------------------------------------- */

static int ten(int a, int b, int c, int d, int e, int f, int g, int h, int i,
	       int j)
{
	CHECK(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 &&
	      g == 7 && h == 8 && i == 9 && j == 10);
	CHECK(strcmp(taskName(taskIdSelf()), "tTen") == 0);
	CHECK(taskNameToId("tTen") == taskIdSelf());
	semGive(done);
	return OK;
}

static int noter(int c)
{
	note(c);
	return OK;
}

static int for_ever(void)
{
	FOREVER
		taskDelay(1);
	return OK;
}

static volatile int careful_step, deleted;

static int careful(void)
{
	taskSafe();
	taskSafe();
	errnoSet(4711);
	careful_step = 1;
	while (!deleted)
		taskDelay(1);
	/* Whoever deletes this waits; it would be gone with the next call otherwise. */
	taskDelay(3);
	taskUnsafe();
	taskDelay(3);
	careful_step = 2;
	taskUnsafe();
	FOREVER
		taskDelay(1);
	return OK;
}

static int deleter(int tid)
{
	deleted = 1;
	CHECK(taskDelete(tid) == OK);
	CHECK(careful_step == 2);
	semGive(done);
	return OK;
}

static void tasks(void)
{
	int tid, priority = 0, self = taskIdSelf();

	done = semBCreate(SEM_Q_FIFO, SEM_EMPTY);
	CHECK(self != 0);
	CHECK(taskIdVerify(self) == OK);
	CHECK(taskSpawn("tTen", 100, VX_FP_TASK, 2000, (FUNCPTR)ten, 1, 2, 3, 4, 5,
			6, 7, 8, 9, 10) != ERROR);
	CHECK(semTake(done, 600) == OK);
	CHECK(taskSpawn("tBad", 256, 0, 2000, (FUNCPTR)ten, 0, 0, 0, 0, 0, 0, 0, 0,
			0, 0) == ERROR);
	CHECK(errnoGet() == S_taskLib_ILLEGAL_PRIORITY);
	CHECK(taskNameToId("tNobody") == ERROR);
	CHECK(errnoGet() == S_taskLib_NAME_NOT_FOUND);
	CHECK(taskIdVerify(0x1234567) == ERROR);

	/* The more urgent runs first, whatever the order of their spawning. */
	CHECK(taskPrioritySet(0, 50) == OK);
	CHECK(taskPriorityGet(0, &priority) == OK && priority == 50);
	taskLock();
	taskSpawn(NULL, 90, 0, 2000, (FUNCPTR)noter, 'b', 0, 0, 0, 0, 0, 0, 0, 0, 0);
	taskSpawn(NULL, 80, 0, 2000, (FUNCPTR)noter, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0);
	taskSpawn(NULL, 100, 0, 2000, (FUNCPTR)noter, 'c', 0, 0, 0, 0, 0, 0, 0, 0, 0);
	/* More urgent than this one, which has the CPU locked. */
	taskSpawn(NULL, 10, 0, 2000, (FUNCPTR)noter, '!', 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CHECK(at == 0);
	taskUnlock();
	while (at < 4)
		taskDelay(1);
	CHECK(memcmp(order, "!abc", 4) == 0);
	at = 0;

	tid = taskCreate("tLater", 90, 0, 2000, (FUNCPTR)noter, 'x', 0, 0, 0, 0, 0,
			 0, 0, 0, 0);
	CHECK(tid != ERROR);
	CHECK(taskIsSuspended(tid));
	taskDelay(3);
	CHECK(at == 0);
	CHECK(taskActivate(tid) == OK);
	while (at == 0)
		taskDelay(1);

	tid = taskSpawn("tLoop", 60, 0, 2000, (FUNCPTR)for_ever, 0, 0, 0, 0, 0, 0, 0,
			0, 0, 0);
	taskDelay(2);
	CHECK(taskSuspend(tid) == OK);
	while (!taskIsSuspended(tid))
		taskDelay(1);
	CHECK(taskResume(tid) == OK);
	while (taskIsSuspended(tid))
		taskDelay(1);
	CHECK(taskDelete(tid) == OK);
	CHECK(taskIdVerify(tid) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_ID_ERROR);
	CHECK(taskDelete(tid) == ERROR);

	tid = taskSpawn("tCareful", 60, 0, 2000, (FUNCPTR)careful, 0, 0, 0, 0, 0, 0,
			0, 0, 0, 0);
	while (careful_step == 0)
		taskDelay(1);
	CHECK(errnoOfTaskGet(tid) == 4711);
	CHECK(errnoOfTaskSet(tid, 4712) == OK);
	CHECK(errnoOfTaskGet(tid) == 4712);
	CHECK(taskSpawn("tDeleter", 70, 0, 2000, (FUNCPTR)deleter, tid, 0, 0, 0, 0, 0,
			0, 0, 0, 0) != ERROR);
	CHECK(semTake(done, 600) == OK);
	CHECK(taskIdVerify(tid) == ERROR);
	CHECK(errnoOfTaskGet(tid) == ERROR);
	at = 0;
}

/* ---- Semaphores -------------------------------------------------------- */

static int waiter(int c, int timeout)
{
	if (semTake(sem, timeout) == OK)
		note(c);
	else
		note(errnoGet() == S_objLib_OBJ_DELETED ? 'D' : 'T');
	return OK;
}

static int wait_in(const char *name, int priority, int c)
{
	int tid = taskSpawn((char *)name, priority, 0, 2000, (FUNCPTR)waiter, c,
			    WAIT_FOREVER, 0, 0, 0, 0, 0, 0, 0, 0);

	wait_for_pended(tid);
	return tid;
}

static int owner(void)
{
	int priority = 0;

	CHECK(semTake(mutex, WAIT_FOREVER) == OK);
	semGive(done);
	/* Somebody more urgent comes to wait for it. */
	do {
		taskDelay(1);
		taskPriorityGet(0, &priority);
	} while (priority != 40);
	note('o');
	CHECK(semGive(mutex) == OK);
	taskPriorityGet(0, &priority);
	CHECK(priority == 150);
	note('p');
	semGive(done);
	return OK;
}

static int urgent(void)
{
	CHECK(semTake(mutex, WAIT_FOREVER) == OK);
	note('u');
	CHECK(semGive(mutex) == OK);
	return OK;
}

static int holder(void)
{
	CHECK(semTake(mutex, WAIT_FOREVER) == OK);
	CHECK(semTake(mutex, WAIT_FOREVER) == OK);
	careful_step = 1;
	while (!deleted)
		taskDelay(1);
	taskDelay(3);
	CHECK(semGive(mutex) == OK);
	taskDelay(3);
	careful_step = 2;
	CHECK(semGive(mutex) == OK);
	FOREVER
		taskDelay(1);
	return OK;
}

static void semaphores(void)
{
	ULONG before;
	SEM_ID counting;
	int tid;

	CHECK(semBCreate(SEM_Q_FIFO, (SEM_B_STATE)7) == NULL);
	CHECK(errnoGet() == S_semLib_INVALID_STATE);
	CHECK(semCCreate(SEM_Q_FIFO, -1) == NULL);
	CHECK(errnoGet() == S_semLib_INVALID_INITIAL_COUNT);
	CHECK(semBCreate(3, SEM_EMPTY) == NULL);
	CHECK(errnoGet() == S_semLib_INVALID_QUEUE_TYPE);
	CHECK(semMCreate(SEM_Q_FIFO | SEM_INVERSION_SAFE) == NULL);
	CHECK(errnoGet() == S_semLib_INVALID_OPTION);

	/* Binary: giving twice is giving once; a timeout is in ticks. */
	sem = semBCreate(SEM_Q_FIFO, SEM_FULL);
	CHECK(semTake(sem, NO_WAIT) == OK);
	CHECK(semTake(sem, NO_WAIT) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_UNAVAILABLE);
	semGive(sem);
	semGive(sem);
	CHECK(semTake(sem, NO_WAIT) == OK);
	CHECK(semTake(sem, NO_WAIT) == ERROR);
	before = tickGet();
	CHECK(semTake(sem, 3) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_TIMEOUT);
	CHECK(tickGet() - before >= 3);

	/* In the order of their arrival. */
	wait_in("w1", 120, '1');
	wait_in("w2", 110, '2');
	wait_in("w3", 100, '3');
	semGive(sem);
	while (at < 1)
		taskDelay(1);
	semGive(sem);
	while (at < 2)
		taskDelay(1);
	semGive(sem);
	while (at < 3)
		taskDelay(1);
	CHECK(semDelete(sem) == OK);
	CHECK(semGive(sem) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_ID_ERROR);
	order[3] = '\0';
	CHECK(strcmp(order, "123") == 0);
	at = 0;

	/* In the order of their priorities. */
	sem = semCCreate(SEM_Q_PRIORITY, 0);
	wait_in("w1", 120, '1');
	wait_in("w2", 110, '2');
	wait_in("w3", 100, '3');
	semGive(sem);
	while (at < 1)
		taskDelay(1);
	CHECK(order[0] == '3');
	semGive(sem);
	while (at < 2)
		taskDelay(1);
	CHECK(order[1] == '2');
	/* All that wait go on, and the count is what it was. */
	wait_in("w4", 100, '4');
	CHECK(semFlush(sem) == OK);
	while (at < 4)
		taskDelay(1);
	CHECK(semTake(sem, NO_WAIT) == ERROR);
	at = 0;
	wait_in("w5", 100, '5');
	CHECK(semDelete(sem) == OK);
	while (at < 1)
		taskDelay(1);
	CHECK(order[0] == 'D');
	at = 0;

	/* Its owner is not deleted. */
	mutex = semMCreate(SEM_Q_FIFO | SEM_DELETE_SAFE);
	deleted = careful_step = 0;
	tid = taskSpawn("tHolder", 60, 0, 2000, (FUNCPTR)holder, 0, 0, 0, 0, 0, 0, 0, 0,
			0, 0);
	while (careful_step == 0)
		taskDelay(1);
	taskSpawn("tDeleter", 70, 0, 2000, (FUNCPTR)deleter, tid, 0, 0, 0, 0, 0, 0, 0, 0,
		  0);
	CHECK(semTake(done, 600) == OK);
	CHECK(semTake(mutex, NO_WAIT) == OK);
	CHECK(semGive(mutex) == OK);
	CHECK(semDelete(mutex) == OK);

	counting = semCCreate(SEM_Q_FIFO, 2);
	CHECK(semTake(counting, NO_WAIT) == OK);
	CHECK(semTake(counting, NO_WAIT) == OK);
	CHECK(semTake(counting, NO_WAIT) == ERROR);
	CHECK(semDelete(counting) == OK);

	/* Mutual exclusion: recursive, by its owner, passing on priority. */
	mutex = semMCreate(SEM_Q_PRIORITY | SEM_INVERSION_SAFE);
	CHECK(semTake(mutex, WAIT_FOREVER) == OK);
	CHECK(semTake(mutex, WAIT_FOREVER) == OK);
	CHECK(semGive(mutex) == OK);
	CHECK(semGive(mutex) == OK);
	CHECK(semGive(mutex) == ERROR);
	CHECK(errnoGet() == S_semLib_INVALID_OPERATION);
	CHECK(semFlush(mutex) == ERROR);
	CHECK(errnoGet() == S_semLib_INVALID_OPERATION);
	taskSpawn("tOwner", 150, 0, 2000, (FUNCPTR)owner, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		  0);
	CHECK(semTake(done, 600) == OK);
	CHECK(semGive(mutex) == ERROR);
	taskSpawn("tUrgent", 40, 0, 2000, (FUNCPTR)urgent, 0, 0, 0, 0, 0, 0, 0, 0,
		  0, 0);
	CHECK(semTake(done, 600) == OK);
	while (at < 3)
		taskDelay(1);
	/* Who gives it back is less urgent than who gets it. */
	CHECK(memcmp(order, "oup", 3) == 0);
	CHECK(semDelete(mutex) == OK);
	at = 0;
}

/* ---- Queues ------------------------------------------------------------ */

static int consumer(void)
{
	char message[8];
	int length;

	while ((length = msgQReceive(queue, message, sizeof(message),
				     WAIT_FOREVER)) > 0)
		note(message[0]);
	CHECK(length == 0);
	semGive(done);
	return OK;
}

static void queues(void)
{
	char buffer[8];
	RING_ID ring;
	ULONG before;
	int n;

	CHECK(msgQCreate(0, 8, MSG_Q_FIFO) == NULL);
	queue = msgQCreate(2, 8, MSG_Q_PRIORITY);
	CHECK(queue != NULL);
	CHECK(msgQSend(queue, (char *)"123456789", 9, NO_WAIT, MSG_PRI_NORMAL) ==
	      ERROR);
	CHECK(errnoGet() == S_msgQLib_INVALID_MSG_LENGTH);
	CHECK(msgQReceive(queue, buffer, 8, NO_WAIT) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_UNAVAILABLE);
	before = tickGet();
	CHECK(msgQReceive(queue, buffer, 8, 2) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_TIMEOUT);
	CHECK(tickGet() - before >= 2);
	CHECK(msgQSend(queue, (char *)"abc", 3, NO_WAIT, MSG_PRI_NORMAL) == OK);
	CHECK(msgQSend(queue, (char *)"def", 3, NO_WAIT, MSG_PRI_URGENT) == OK);
	CHECK(msgQSend(queue, (char *)"ghi", 3, NO_WAIT, MSG_PRI_NORMAL) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_UNAVAILABLE);
	CHECK(msgQNumMsgs(queue) == 2);
	/* Cut to what fits. */
	CHECK(msgQReceive(queue, buffer, 2, NO_WAIT) == 2);
	CHECK(memcmp(buffer, "de", 2) == 0);
	CHECK(msgQReceive(queue, buffer, 8, NO_WAIT) == 3);
	CHECK(memcmp(buffer, "abc", 3) == 0);

	/* A producer that waits for room. */
	taskSpawn("tConsumer", 200, 0, 2000, (FUNCPTR)consumer, 0, 0, 0, 0, 0, 0, 0,
		  0, 0, 0);
	for (n = 0; n < 20; n++) {
		buffer[0] = (char)('a' + n);
		CHECK(msgQSend(queue, buffer, 1, WAIT_FOREVER, MSG_PRI_NORMAL) ==
		      OK);
	}
	CHECK(msgQSend(queue, buffer, 0, WAIT_FOREVER, MSG_PRI_NORMAL) == OK);
	CHECK(semTake(done, 600) == OK);
	CHECK(at == 20 && memcmp(order, "abcdefghijklmnopqrst", 20) == 0);
	CHECK(msgQDelete(queue) == OK);
	CHECK(msgQSend(queue, buffer, 1, NO_WAIT, MSG_PRI_NORMAL) == ERROR);
	CHECK(errnoGet() == S_objLib_OBJ_ID_ERROR);

	ring = rngCreate(4);
	CHECK(ring != NULL && rngIsEmpty(ring) && rngFreeBytes(ring) == 4);
	CHECK(rngBufPut(ring, (char *)"12345", 5) == 4);
	CHECK(rngIsFull(ring) && rngNBytes(ring) == 4);
	CHECK(rngBufGet(ring, buffer, 3) == 3 && memcmp(buffer, "123", 3) == 0);
	rngPutAhead(ring, 'y', 1);
	rngPutAhead(ring, 'x', 0);
	CHECK(rngNBytes(ring) == 1);
	rngMoveAhead(ring, 2);
	CHECK(rngBufGet(ring, buffer, 8) == 3 && memcmp(buffer, "4xy", 3) == 0);
	rngBufPut(ring, (char *)"z", 1);
	rngFlush(ring);
	CHECK(rngIsEmpty(ring));
	rngDelete(ring);
}

void usrAppInit(void)
{
	sysClkRateSet(200);
	tasks();
	semaphores();
	queues();
	CHECK(kernelTimeSlice(0) == OK);
	printf("%d failures\n", failures);
	fflush(stdout);
	if (failures)
		exit(1);
}
