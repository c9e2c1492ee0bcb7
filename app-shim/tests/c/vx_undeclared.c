/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A driver that declares what it calls by itself, as many did, and a hook for the end. */
#include <stdio.h>

#include <vxWorks.h>
#include <rebootLib.h>

IMPORT STATUS sysClkRateGet();
IMPORT STATUS sysIntEnable(int);
IMPORT STATUS sysBusToLocalAdrs(int, char *, char **);
IMPORT int intConnect();
IMPORT int taskDelay();
IMPORT int semBCreate();

LOCAL int ended(int type)
{
	printf("end %d\n", type);
	return 0;
}

LOCAL int ended_too(int type)
{
	printf("and %d\n", type);
	fflush(stdout);
	return 0;
}

LOCAL void routine(int argument)
{
	(void)argument;
}

void usrAppInit(void)
{
	char *local;

	printf("rate %d\n", sysClkRateGet());
	printf("connect %d\n", intConnect((VOIDFUNCPTR *)32, routine, 0));
	printf("bus %d\n", sysBusToLocalAdrs(0x2d, (char *)0x1000, &local));
	printf("level %d\n", sysIntEnable(3));
	printf("delay %d\n", taskDelay(1));
	printf("hook %d\n", rebootHookAdd((FUNCPTR)ended));
	printf("hook %d\n", rebootHookAdd((FUNCPTR)ended_too));
	reboot(BOOT_CLEAR);
}
