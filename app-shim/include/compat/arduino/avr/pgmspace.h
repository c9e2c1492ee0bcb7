/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* avr/pgmspace.h: constants in program memory, which is memory like any other. */
#ifndef __PGMSPACE_H_
#define __PGMSPACE_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PROGMEM
#define PGM_P const char *
#define PGM_VOID_P const void *
#define PSTR(text) (text)
#define PROGMEM_STRING_T const char *

typedef char prog_char;
typedef unsigned char prog_uchar;
typedef int8_t prog_int8_t;
typedef uint8_t prog_uint8_t;
typedef int16_t prog_int16_t;
typedef uint16_t prog_uint16_t;
typedef int32_t prog_int32_t;
typedef uint32_t prog_uint32_t;
typedef int64_t prog_int64_t;
typedef uint64_t prog_uint64_t;

static __inline__ __attribute__((__unused__)) uint8_t
app_shim_arduino_byte(const void *at)
{
	return *(const uint8_t *)at;
}

static __inline__ __attribute__((__unused__)) uint16_t
app_shim_arduino_word(const void *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static __inline__ __attribute__((__unused__)) uint32_t
app_shim_arduino_dword(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static __inline__ __attribute__((__unused__)) uint64_t
app_shim_arduino_qword(const void *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static __inline__ __attribute__((__unused__)) float
app_shim_arduino_float(const void *at)
{
	float value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static __inline__ __attribute__((__unused__)) void *
app_shim_arduino_pointer(const void *at)
{
	void *value;

	memcpy(&value, at, sizeof(value));
	return value;
}

#define pgm_read_byte(at) app_shim_arduino_byte(at)
#define pgm_read_dword(at) app_shim_arduino_dword(at)
#define pgm_read_qword(at) app_shim_arduino_qword(at)
#define pgm_read_float(at) app_shim_arduino_float(at)
#define pgm_read_ptr(at) app_shim_arduino_pointer(at)

#ifdef __cplusplus
/* Of a table of pointers, which have 16 bits there, a pointer. */
template <class T> static inline uint16_t app_shim_arduino_any(const T *at)
{
	return app_shim_arduino_word(at);
}
template <class T> static inline T *app_shim_arduino_any(T *const *at)
{
	return *at;
}
template <class T> static inline T *app_shim_arduino_any(T **at)
{
	return *at;
}
static inline uint16_t app_shim_arduino_any(const void *at)
{
	return app_shim_arduino_word(at);
}
static inline uint16_t app_shim_arduino_any(uintptr_t at)
{
	return app_shim_arduino_word((const void *)at);
}
#define pgm_read_word(at) app_shim_arduino_any(at)
#else
#define pgm_read_word(at) app_shim_arduino_word(at)
#endif

#define pgm_read_byte_near(at) pgm_read_byte(at)
#define pgm_read_word_near(at) pgm_read_word(at)
#define pgm_read_dword_near(at) pgm_read_dword(at)
#define pgm_read_float_near(at) pgm_read_float(at)
#define pgm_read_ptr_near(at) pgm_read_ptr(at)
#define pgm_read_byte_far(at) pgm_read_byte(at)
#define pgm_read_word_far(at) pgm_read_word(at)
#define pgm_read_dword_far(at) pgm_read_dword(at)
#define pgm_read_float_far(at) pgm_read_float(at)
#define pgm_read_ptr_far(at) pgm_read_ptr(at)
#define pgm_get_far_address(variable) ((uintptr_t)&(variable))

#define memchr_P memchr
#define memcmp_P memcmp
#define memcpy_P memcpy
#define memmem_P memmem
#define memrchr_P memrchr
#define strcasecmp_P strcasecmp
#define strcasestr_P strcasestr
#define strcat_P strcat
#define strchr_P strchr
#define strcmp_P strcmp
#define strcpy_P strcpy
#define strcspn_P strcspn
#define strlen_P strlen
#define strncasecmp_P strncasecmp
#define strncat_P strncat
#define strncmp_P strncmp
#define strncpy_P strncpy
#define strnlen_P strnlen
#define strpbrk_P strpbrk
#define strrchr_P strrchr
#define strspn_P strspn
#define strstr_P strstr
#define printf_P printf
#define fprintf_P fprintf
#define sprintf_P sprintf
#define snprintf_P snprintf
#define vsprintf_P vsprintf
#define vsnprintf_P vsnprintf
#define sscanf_P sscanf
#define puts_P puts
#define fputs_P fputs

#endif /* __PGMSPACE_H_ */
