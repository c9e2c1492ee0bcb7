/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * avr/pgmspace.h: program memory is memory. A word that is read from a table of
 * pointers is a pointer, as programs expect whose pointers are words.
 */
#ifndef __PGMSPACE_H_
#define __PGMSPACE_H_ 1

#include <avr/io.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define PROGMEM
#define PGM_P const char *
#define PGM_VOID_P const void *
#define PSTR(s) (s)
#define __flash
#define __flash1
#define __memx

typedef void prog_void;
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

typedef uint64_t __attribute__((__aligned__(1), __may_alias__)) app_shim_avr_u64;
typedef float __attribute__((__aligned__(1), __may_alias__)) app_shim_avr_float;
typedef uintptr_t __attribute__((__aligned__(1), __may_alias__)) app_shim_avr_uptr;

#define pgm_read_byte(a) (*(const uint8_t *)(a))
#define pgm_read_dword(a) (*(const app_shim_avr_u32 *)(a))
#define pgm_read_qword(a) (*(const app_shim_avr_u64 *)(a))
#define pgm_read_float(a) (*(const app_shim_avr_float *)(a))
#define pgm_read_ptr(a) ((void *)*(const app_shim_avr_uptr *)(a))
#ifdef __cplusplus
template <typename T> inline uint16_t app_shim_avr_word(const T *a, uint16_t *)
{
	return *(const app_shim_avr_u16 *)a;
}
template <typename T>
inline uintptr_t app_shim_avr_word(const T *a, uintptr_t *)
{
	return *(const app_shim_avr_uptr *)a;
}
template <size_t N> struct app_shim_avr_word_of {
	typedef uint16_t type;
};
template <> struct app_shim_avr_word_of<sizeof(uintptr_t)> {
	typedef uintptr_t type;
};
template <typename T>
inline typename app_shim_avr_word_of<sizeof(T)>::type pgm_read_word(const T *a)
{
	return app_shim_avr_word(
		a, (typename app_shim_avr_word_of<sizeof(T)>::type *)0);
}
inline uint16_t pgm_read_word(const void *a)
{
	return *(const app_shim_avr_u16 *)a;
}
#else
#define pgm_read_word(a)                                                       \
	__builtin_choose_expr(sizeof(*(a)) == sizeof(uintptr_t),                   \
			      *(const app_shim_avr_uptr *)(a),                             \
			      *(const app_shim_avr_u16 *)(a))
#endif

#define pgm_read_byte_near(a) pgm_read_byte(a)
#define pgm_read_byte_far(a) pgm_read_byte(a)
#define pgm_read_word_near(a) pgm_read_word(a)
#define pgm_read_word_far(a) pgm_read_word(a)
#define pgm_read_dword_near(a) pgm_read_dword(a)
#define pgm_read_dword_far(a) pgm_read_dword(a)
#define pgm_read_qword_near(a) pgm_read_qword(a)
#define pgm_read_qword_far(a) pgm_read_qword(a)
#define pgm_read_float_near(a) pgm_read_float(a)
#define pgm_read_float_far(a) pgm_read_float(a)
#define pgm_read_ptr_near(a) pgm_read_ptr(a)
#define pgm_read_ptr_far(a) pgm_read_ptr(a)
#define pgm_get_far_address(variable) ((uintptr_t)&(variable))
typedef uintptr_t uint_farptr_t;

#define memcpy_P(d, s, n) memcpy(d, s, n)
#define memcpy_PF(d, s, n) memcpy(d, (const void *)s, n)
#define memcmp_P(a, b, n) memcmp(a, b, n)
#define memcmp_PF(a, b, n) memcmp(a, (const void *)b, n)
#define memchr_P(s, c, n) memchr(s, c, n)
#define memrchr_P(s, c, n) memrchr(s, c, n)
#define memmem_P(h, hl, n, nl) memmem(h, hl, n, nl)
#define memccpy_P(d, s, c, n) memccpy(d, s, c, n)
#define strcpy_P(d, s) strcpy(d, s)
#define strcpy_PF(d, s) strcpy(d, (const char *)s)
#define strncpy_P(d, s, n) strncpy(d, s, n)
#define strncpy_PF(d, s, n) strncpy(d, (const char *)s, n)
#define strcat_P(d, s) strcat(d, s)
#define strcat_PF(d, s) strcat(d, (const char *)s)
#define strncat_P(d, s, n) strncat(d, s, n)
#define strncat_PF(d, s, n) strncat(d, (const char *)s, n)
#define strlcpy_P(d, s, n) strlcpy(d, s, n)
#define strlcpy_PF(d, s, n) strlcpy(d, (const char *)s, n)
#define strlcat_P(d, s, n) strlcat(d, s, n)
#define strlcat_PF(d, s, n) strlcat(d, (const char *)s, n)
#define strcmp_P(a, b) strcmp(a, b)
#define strcmp_PF(a, b) strcmp(a, (const char *)b)
#define strncmp_P(a, b, n) strncmp(a, b, n)
#define strncmp_PF(a, b, n) strncmp(a, (const char *)b, n)
#define strcasecmp_P(a, b) strcasecmp(a, b)
#define strcasecmp_PF(a, b) strcasecmp(a, (const char *)b)
#define strncasecmp_P(a, b, n) strncasecmp(a, b, n)
#define strncasecmp_PF(a, b, n) strncasecmp(a, (const char *)b, n)
#define strlen_P(s) strlen(s)
#define strlen_PF(s) strlen((const char *)s)
#define strnlen_P(s, n) strnlen(s, n)
#define strnlen_PF(s, n) strnlen((const char *)s, n)
#define strchr_P(s, c) strchr(s, c)
#define strrchr_P(s, c) strrchr(s, c)
#define strchrnul_P(s, c) strchrnul(s, c)
#define strstr_P(h, n) strstr(h, n)
#define strstr_PF(h, n) strstr(h, n)
#define strcasestr_P(h, n) strcasestr(h, n)
#define strspn_P(s, t) strspn(s, t)
#define strcspn_P(s, t) strcspn(s, t)
#define strpbrk_P(s, t) strpbrk(s, t)
#define strsep_P(s, t) strsep(s, t)
#define strtok_P(s, t) strtok(s, t)
#define strtok_rP(s, t, l) strtok_r(s, t, l)

#endif /* __PGMSPACE_H_ */
