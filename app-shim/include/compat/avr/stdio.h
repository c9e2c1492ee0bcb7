/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stdio.h: streams that the program itself makes of two functions, as the
 * AVR's C library has them. The functions are the model's, by other names in
 * the object file, so that the system's stay what they are.
 */
#ifndef _STDIO_H_
#define _STDIO_H_ 1
/* The system's header, if something includes it still, has nothing to add. */
#define _STDIO_H 1

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct __file {
	int (*put)(char, struct __file *);
	int (*get)(struct __file *);
	uint8_t flags;
	int unget;
	void *udata;
};
typedef struct __file FILE;

#define __SRD 0x01
#define __SWR 0x02
#define __SERR 0x10
#define __SEOF 0x20
#define __SUNGET 0x40
#define __SMALLOC 0x80
#define _FDEV_SETUP_READ __SRD
#define _FDEV_SETUP_WRITE __SWR
#define _FDEV_SETUP_RW (__SRD | __SWR)
#define _FDEV_ERR (-1)
#define _FDEV_EOF (-2)
#define FDEV_SETUP_STREAM(p, g, f)                                             \
	{                                                                          \
		p, g, f, 0, NULL                                                       \
	}
#define fdev_setup_stream(stream, p, g, f)                                     \
	do {                                                                       \
		(stream)->put = (p);                                                   \
		(stream)->get = (g);                                                   \
		(stream)->flags = (f);                                                 \
		(stream)->udata = NULL;                                                \
	} while (0)
#define fdev_set_udata(stream, u)                                              \
	do {                                                                       \
		(stream)->udata = (u);                                                 \
	} while (0)
#define fdev_get_udata(stream) ((stream)->udata)
#define fdev_close() ((void)0)

#ifndef EOF
#define EOF (-1)
#endif

extern struct __file *app_shim_avr_iob[3];
#define stdin (app_shim_avr_iob[0])
#define stdout (app_shim_avr_iob[1])
#define stderr (app_shim_avr_iob[2])

#define APP_SHIM_AVR_NAME(name) __asm__("app_shim_avr_" #name)

FILE *fdevopen(int (*put)(char, FILE *), int (*get)(FILE *));
int fclose(FILE *f) APP_SHIM_AVR_NAME(fclose);
int fputc(int c, FILE *f) APP_SHIM_AVR_NAME(fputc);
int fgetc(FILE *f) APP_SHIM_AVR_NAME(fgetc);
int ungetc(int c, FILE *f) APP_SHIM_AVR_NAME(ungetc);
int fputs(const char *s, FILE *f) APP_SHIM_AVR_NAME(fputs);
int puts(const char *s) APP_SHIM_AVR_NAME(puts);
char *fgets(char *s, int size, FILE *f) APP_SHIM_AVR_NAME(fgets);
size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
	APP_SHIM_AVR_NAME(fwrite);
size_t fread(void *p, size_t size, size_t n, FILE *f) APP_SHIM_AVR_NAME(fread);
int vfprintf(FILE *f, const char *format, va_list list)
	APP_SHIM_AVR_NAME(vfprintf);
int fprintf(FILE *f, const char *format, ...) APP_SHIM_AVR_NAME(fprintf);
int printf(const char *format, ...) APP_SHIM_AVR_NAME(printf);
int vprintf(const char *format, va_list list) APP_SHIM_AVR_NAME(vprintf);
int vsnprintf(char *s, size_t size, const char *format, va_list list)
	APP_SHIM_AVR_NAME(vsnprintf);
int snprintf(char *s, size_t size, const char *format, ...)
	APP_SHIM_AVR_NAME(snprintf);
int vsprintf(char *s, const char *format, va_list list)
	APP_SHIM_AVR_NAME(vsprintf);
int sprintf(char *s, const char *format, ...) APP_SHIM_AVR_NAME(sprintf);
int sscanf(const char *s, const char *format, ...);
int vsscanf(const char *s, const char *format, va_list list);

#ifdef __cplusplus
}
#endif

#define putc(c, f) fputc(c, f)
#define putchar(c) fputc(c, stdout)
#define getc(f) fgetc(f)
#define getchar() fgetc(stdin)
#define clearerr(f) ((void)((f)->flags &= (uint8_t)~(__SERR | __SEOF)))
#define feof(f) ((f)->flags & __SEOF)
#define ferror(f) ((f)->flags & __SERR)
#define fflush(f) ((void)(f), 0)

#define printf_P printf
#define fprintf_P fprintf
#define sprintf_P sprintf
#define snprintf_P snprintf
#define vprintf_P vprintf
#define vfprintf_P vfprintf
#define vsprintf_P vsprintf
#define vsnprintf_P vsnprintf
#define sscanf_P sscanf
#define vsscanf_P vsscanf
#define puts_P puts
#define fputs_P fputs

#endif /* _STDIO_H_ */
