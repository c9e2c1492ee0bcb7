/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * trap.c: registers that act when they are read or written.
 *
 * The pages of such registers are not accessible. An access faults; the handler
 * locks interrupts, puts the register's value where the instruction will read
 * it, makes the page accessible and has the CPU trap after one instruction. The
 * second handler takes the page away again, does what a write does, and
 * unlocks: then interrupts that are due run, as after that instruction.
 *
 * While the page is accessible, interrupts are locked, so nobody else touches a
 * register meanwhile: routines run on this very thread, which is why the model
 * insists on the preemptive mode.
 * Threads that feed the model use a second view of the same memory.
 *
 * x86-64 only: elsewhere the registers are plain memory, and nothing acts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "model.h"

volatile uint8_t app_shim_avr_sfr[3 * APP_SHIM_AVR_PAGE]
	__attribute__((aligned(APP_SHIM_AVR_PAGE)));
uint8_t *avr_view;

#if defined(__x86_64__)
enum { TRAP_FLAG = 0x100, FAULT_WRITE = 2 };

/* The access that this thread is making. */
static __thread struct {
	int active;
	int write;
	int32_t key;
	unsigned address;
	uint8_t before;
	uint8_t *page;
} step;

static struct sigaction old_segv, old_trap;

/* Not ours: as if this handler were not there. */
static void pass(int signo, const struct sigaction *old, siginfo_t *info,
		 void *context)
{
	if (old->sa_flags & SA_SIGINFO)
		old->sa_sigaction(signo, info, context);
	else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
		old->sa_handler(signo);
	else
		sigaction(signo, old, NULL);
}

/* cli and sti are x86 instructions too, which a process may not execute. */
static int is_flag_instruction(const siginfo_t *info, ucontext_t *context)
{
	greg_t *r = context->uc_mcontext.gregs;

	if (info->si_code != SI_KERNEL)
		return 0;
	switch (*(const uint8_t *)r[REG_RIP]) {
	case 0xfa:
		r[REG_RIP]++;
		app_shim_avr_cli();
		return 1;
	case 0xfb:
		r[REG_RIP]++;
		app_shim_avr_sei();
		return 1;
	default:
		return 0;
	}
}

static void on_fault(int signo, siginfo_t *info, void *opaque)
{
	ucontext_t *context = opaque;
	uintptr_t offset =
		(uintptr_t)info->si_addr - (uintptr_t)app_shim_avr_sfr;
	int saved = errno;
	uint8_t sreg;

	if (info->si_code == SI_KERNEL || offset >= sizeof(app_shim_avr_sfr) ||
	    step.active) {
		if (!is_flag_instruction(info, context))
			pass(signo, &old_segv, info, opaque);
		errno = saved;
		return;
	}
	/* What is due comes before this instruction. */
	app_shim_now_ns();
	sreg = app_shim_avr_sreg();
	step.key = app_shim_int_lock();
	step.active = 1;
	step.write = !!(context->uc_mcontext.gregs[REG_ERR] & FAULT_WRITE);
	step.address = offset % APP_SHIM_AVR_PAGE;
	step.page = (uint8_t *)(uintptr_t)app_shim_avr_sfr +
		    offset - step.address;
	avr_masked = !(sreg & 0x80) && !app_shim_in_isr();
	avr_prepare(step.address, step.write);
	if (step.address == SREG)
		R(SREG) = sreg;
	step.before = R(step.address);
	mprotect(step.page, APP_SHIM_AVR_PAGE, PROT_READ | PROT_WRITE);
	context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
	errno = saved;
}

static void on_step(int signo, siginfo_t *info, void *opaque)
{
	ucontext_t *context = opaque;
	int saved = errno;
	int32_t key;
	int sreg;

	if (!step.active) {
		pass(signo, &old_trap, info, opaque);
		return;
	}
	context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
	mprotect(step.page, APP_SHIM_AVR_PAGE, PROT_NONE);
	sreg = avr_commit(step.address, step.write, step.before);
	key = step.key;
	step.active = 0;
	avr_masked = 0;
	/* From here on interrupt routines run, which trap by themselves. */
	app_shim_int_unlock(key);
	if (sreg >= 0)
		app_shim_avr_set_sreg((uint8_t)sreg);
	avr_accessed();
	errno = saved;
}
#endif

int avr_trap_start(void)
{
	uint8_t *pages = (uint8_t *)(uintptr_t)app_shim_avr_sfr;
	int fd = memfd_create("avr-registers", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, sizeof(app_shim_avr_sfr)) != 0)
		return -1;
	avr_view = mmap(NULL, sizeof(app_shim_avr_sfr), PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);
	if (avr_view == MAP_FAILED ||
	    mmap(pages, sizeof(app_shim_avr_sfr), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -1;
	close(fd);
#if defined(__x86_64__)
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	/* What runs in there traps again. */
	action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
	action.sa_sigaction = on_fault;
	if (sigaction(SIGSEGV, &action, &old_segv) != 0)
		return -1;
	action.sa_sigaction = on_step;
	if (sigaction(SIGTRAP, &action, &old_trap) != 0)
		return -1;
	return mprotect(pages + APP_SHIM_AVR_PAGE, 2 * APP_SHIM_AVR_PAGE,
			PROT_NONE);
#else
	return 0;
#endif
}
