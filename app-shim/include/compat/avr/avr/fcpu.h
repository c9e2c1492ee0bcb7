/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/fcpu.h: tells the model what F_CPU is. Without guard: it may come late. */
#if defined(F_CPU) && !defined(APP_SHIM_AVR_F_CPU_TOLD)
#define APP_SHIM_AVR_F_CPU_TOLD
#ifdef __cplusplus
extern "C" {
#endif
extern unsigned long app_shim_avr_f_cpu;
__attribute__((__weak__)) unsigned long app_shim_avr_f_cpu =
	(unsigned long)(F_CPU);
#ifdef __cplusplus
}
#endif
#endif
