/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * app_shim.h: an interrupt controller, and what interrupt service routines
 * call, for programs that were written for an RTOS or for bare metal.
 *
 * One controller per process; it models one CPU. See the front page of the
 * crate app-shim for the model, the two modes and the limitations.
 *
 * Conventions
 *  - Functions return a result code unless they say otherwise. Codes are never
 *    reused. Outputs are written only on success. NULL is checked, except where
 *    it is said to be allowed.
 *  - errno is left alone.
 *  - Times are nanoseconds of CLOCK_MONOTONIC, durations nanoseconds.
 *  - [isr] marks what an interrupt service routine may call, in either mode. It
 *    is async-signal-safe. Everything else answers APP_SHIM_IN_ISR there, or
 *    says what it does.
 *  - The handlers and routines that are passed in must not throw or longjmp
 *    out.
 *
 * tests/abi.rs compares this file with the Rust side.
 */
#ifndef APP_SHIM_H
#define APP_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface: it grows, and what is there keeps its meaning. */
#define APP_SHIM_ABI_VERSION 1

/* ---- Results ---------------------------------------------------------- */

typedef int32_t app_shim_result;

/* Done. */
#define APP_SHIM_OK 0
/* A pointer that must not be NULL is. */
#define APP_SHIM_NULL 1
/* An argument is out of range, or a structure's size is not known. */
#define APP_SHIM_INVALID 2
/* It is there already: a handler, a controller, a source's vector. */
#define APP_SHIM_BUSY 3
/* The vector or pin has no handler. */
#define APP_SHIM_NOT_CONNECTED 4
/* An interrupt service routine may not do that: it would wait. */
#define APP_SHIM_IN_ISR 5
/* There is no room. A raised event was counted as missed. */
#define APP_SHIM_FULL 6
/* The time is up. */
#define APP_SHIM_TIMEOUT 7
/* The identifier names nothing (any more). */
#define APP_SHIM_NO_SUCH 8
/* It would have to wait, and the timeout was APP_SHIM_NO_WAIT. */
#define APP_SHIM_UNAVAILABLE 9
/* The mutex belongs to another task. */
#define APP_SHIM_NOT_OWNER 10
/* app_shim_init() or app_shim_start() has not been called. */
#define APP_SHIM_NOT_STARTED 11
/* No memory, or a table is full. */
#define APP_SHIM_NO_MEMORY 12
/* A payload, message or buffer is too large. */
#define APP_SHIM_TOO_LARGE 13
/* The system refused; app_shim_last_error() says what. */
#define APP_SHIM_OS 14
/* The map is wrong; app_shim_last_error() says where. */
#define APP_SHIM_MAP 15
/* A defect in the shim was caught at this interface. */
#define APP_SHIM_PANIC 16
/* The object was deleted while the caller waited for it. */
#define APP_SHIM_DELETED 17
/* Not in this mode, or not on this system. */
#define APP_SHIM_UNSUPPORTED 18
/* The caller is no task, and only a task may do that. */
#define APP_SHIM_NOT_TASK 19

/* A code's name, such as "APP_SHIM_FULL"; never NULL. [isr] */
const char *app_shim_result_name(app_shim_result result);

/* APP_SHIM_ABI_VERSION of the library. [isr] */
uint32_t app_shim_abi_version(void);

/*
 * Copies what the last failed call of this thread had to say, cut to fit and
 * ended by a zero byte. An empty text: nothing to say.
 */
app_shim_result app_shim_last_error(char *buffer, size_t size);

/* ---- Limits ----------------------------------------------------------- */

/* Vectors that programs use, 0 to 255. */
#define APP_SHIM_VECTORS 256
/* Pins, 0 to 255. */
#define APP_SHIM_PINS 256
/* Priorities of vectors are 1 to 63; a higher one interrupts a lower one. */
#define APP_SHIM_PRIORITY_MAX 63
/* Priority of a vector to begin with. */
#define APP_SHIM_PRIORITY_DEFAULT 1
/* The level that lets everything through. */
#define APP_SHIM_LEVEL_NONE 0
/* The level that masks everything, which app_shim_int_lock() sets. */
#define APP_SHIM_LEVEL_ALL 63

/* A timeout: wait for ever. */
#define APP_SHIM_FOREVER (-1)
/* A timeout: do not wait. */
#define APP_SHIM_NO_WAIT 0

/*
 * Identifier of a semaphore, queue, ring, watchdog or task; 0 is none. It fits
 * into a positive int.
 */
typedef uint64_t app_shim_id;

/* ---- Controller ------------------------------------------------------- */

/* Service routines run on a thread of the controller. */
#define APP_SHIM_MODE_THREAD 0
/* Service routines run in a signal handler on the thread that has the CPU. */
#define APP_SHIM_MODE_PREEMPT 1

/* Preempt: handlers run on a stack of their own. */
#define APP_SHIM_FLAG_ALT_STACK 0x1
/* A service routine starts with everything masked, as on an AVR. */
#define APP_SHIM_FLAG_MASK_ALL 0x2
/* Do not ask for a real-time priority for the dispatcher. */
#define APP_SHIM_FLAG_NO_REALTIME 0x4
/* Look neither at APP_SHIM_MAP nor at the other environment variables. */
#define APP_SHIM_FLAG_NO_ENV 0x8
/* Check as with APP_SHIM_CHECK=1 in the environment. */
#define APP_SHIM_FLAG_CHECK 0x10

/* The system's clock; a service routine sees its event's time exactly. */
#define APP_SHIM_TIME_REAL 0
/* The same, but no clock read ever gives less than an earlier one. */
#define APP_SHIM_TIME_CLAMPED 1
/*
 * Time stands still but for events, which move it to their own time, and
 * app_shim_clock_advance(). For traces with exact results.
 */
#define APP_SHIM_TIME_VIRTUAL 2

/* How the controller is to be; app_shim_config_init() fills in defaults. */
typedef struct app_shim_config {
	/* sizeof(app_shim_config). */
	uint32_t size;
	/* APP_SHIM_MODE_*. Environment: APP_SHIM_MODE=thread|preempt. */
	uint32_t mode;
	/* APP_SHIM_FLAG_*. */
	uint32_t flags;
	/* APP_SHIM_TIME_*. Environment: APP_SHIM_TIME=real|clamped|virtual. */
	uint32_t time_mode;
	/* Preempt: the signal; 0: SIGURG, which no limit can refuse. */
	int32_t signal;
	/* SCHED_FIFO priority of the dispatcher, 1 to 99; 0: 50. */
	int32_t realtime_priority;
	/* Events that wait per vector at most, a power of 2; 0: 1024. */
	uint32_t queue_len;
	/* Bytes of the alternate stack; 0: 256 KiB. */
	uint32_t alt_stack_size;
	/* Ticks per second; 0: 60. */
	uint32_t tick_rate;
	/* Priority of clocks and watchdogs, 1 to 63; 0: 32. */
	uint32_t clock_priority;
	/* The checker reports service routines longer than this; 0: 1 ms. */
	uint64_t isr_limit_ns;
	/* Where the log goes; -1: standard output. */
	int32_t log_fd;
	/* Priority of the task that calls app_shim_start(), 0 to 255. */
	int32_t main_priority;
	/*
	 * Text of a map, NULL: none. APP_SHIM_MAP in the environment (a map's text
	 * or the name of its file) comes on top. See app_shim_map().
	 */
	const char *map;
	/*
	 * Where a map's device: sources are: the module's device or the socket of
	 * a broker (rtnotify serve). NULL: /dev/rtnotify. Environment:
	 * APP_SHIM_DEVICE.
	 */
	const char *device;
} app_shim_config;

/* Writes the defaults, of the structure as this header knows it. */
app_shim_result app_shim_config_init(app_shim_config *config);

/*
 * Makes the controller; NULL: the defaults. Vectors can be connected and
 * events raised from now on; service routines run after app_shim_start().
 * APP_SHIM_BUSY: there is one.
 */
app_shim_result app_shim_init(const app_shim_config *config);

/*
 * Starts service. The calling thread becomes a task and gets the CPU; in
 * preempt mode service routines interrupt it. What is pending is served before
 * this returns. Makes a controller with the defaults where there is none.
 * APP_SHIM_BUSY: started already.
 */
app_shim_result app_shim_start(void);

/* Init and start, or nothing where that has been done. */
app_shim_result app_shim_ensure(const app_shim_config *config);

/*
 * Ends service: no service routine runs any more when this returns; tasks and
 * objects stay. app_shim_start() starts it again. To be called by the task that
 * has started it.
 */
app_shim_result app_shim_stop(void);

/* Mode in force, APP_SHIM_MODE_*; -1 where there is no controller. [isr] */
int32_t app_shim_mode(void);

/*
 * Reads a map: lines (or parts between semicolons) of the form
 *
 *   SOURCE  TARGET...      # comment
 *
 * where SOURCE is  device:NAME  (a source of the device),
 * loopback:NAME  (one inside the process, created where it is not there),
 * gpio:CHIP/NUMBER or gpio:NAME  (a GPIO line, without the module; also with
 * pull up|down|none  and  active low|high),  timer:TIME  (periodic: 10ms, 250us, 1s),  signal:NAME  (USR1, 34, RTMIN+2),
 * fd:NUMBER  or  file:PATH  (pollable: raised for what is read, which is the
 * payload), and TARGET is  vector N,  pin N,  priority N,  edge
 * rising|falling|change|low|high|none.  time payload: payloads begin with the
 * event's time, as rtnotify replay --stamp makes them, which is exact.
 *
 * Takes effect at once when started, else at the start. A wrong map has no
 * effect at all.
 */
app_shim_result app_shim_map(const char *map);

/* Reads a map from a file. */
app_shim_result app_shim_map_file(const char *path);

/* ---- Vectors ---------------------------------------------------------- */

/* A service routine. */
typedef void (*app_shim_handler)(void *argument);

/* Connects a service routine. APP_SHIM_BUSY: the vector has one. */
app_shim_result app_shim_connect(uint32_t vector, app_shim_handler handler,
				 void *argument);

/*
 * Disconnects it. It does not run any more when this returns, except in the
 * calling routine itself. What is pending stays so.
 */
app_shim_result app_shim_disconnect(uint32_t vector);

/* What is connected; handler is NULL where nothing is. [isr] */
app_shim_result app_shim_vector_get(uint32_t vector, app_shim_handler *handler,
				    void **argument);

/*
 * Replaces what is connected (NULL: disconnects) without waiting, and tells
 * what was there; the two outputs may be NULL. For chaining. [isr]
 */
app_shim_result app_shim_vector_set(uint32_t vector, app_shim_handler handler,
				    void *argument,
				    app_shim_handler *old_handler,
				    void **old_argument);

/*
 * Calls a vector's service routine here and now, on the caller's stack, with the
 * current event or none: a software interrupt, or chaining to another vector.
 */
app_shim_result app_shim_call(uint32_t vector);

/* Sets a vector's priority, for events that are served from now on. [isr] */
app_shim_result app_shim_set_priority(uint32_t vector, uint32_t priority);

/* A vector's priority. [isr] */
app_shim_result app_shim_get_priority(uint32_t vector, uint32_t *priority);

/* Lets a vector's events be served; those that waited are, at once. [isr] */
app_shim_result app_shim_enable(uint32_t vector);

/* Keeps a vector's events waiting. [isr] */
app_shim_result app_shim_disable(uint32_t vector);

/* 1 or 0. [isr] */
app_shim_result app_shim_is_enabled(uint32_t vector, int32_t *enabled);

/* How many events of a vector wait. [isr] */
app_shim_result app_shim_pending(uint32_t vector, uint32_t *count);

/*
 * Throws away what waits, as writing a flag register does; NULL is allowed.
 * They count as cleared. [isr]
 */
app_shim_result app_shim_clear_pending(uint32_t vector, uint32_t *count);

/* How often a vector's service routine was called. [isr] */
app_shim_result app_shim_count(uint32_t vector, uint64_t *count);

/*
 * Waits until a vector's service routine has been called once more than now;
 * tells how often it then was (NULL is allowed).
 */
app_shim_result app_shim_wait(uint32_t vector, int64_t timeout_ns,
			      uint64_t *count);

/* Waits until any service routine has been called: a CPU's sleep. */
app_shim_result app_shim_wait_any(int64_t timeout_ns);

/* ---- Lock and level --------------------------------------------------- */

/* Masks everything; returns the key for app_shim_int_unlock(). [isr] */
int32_t app_shim_int_lock(void);

/*
 * Puts the level back to what it was when the key was made. What arrived
 * meanwhile runs before this returns, highest priority first. [isr]
 */
void app_shim_int_unlock(int32_t key);

/* The level: vectors of this priority and below wait. [isr] */
int32_t app_shim_level_get(void);

/*
 * Sets the level, up or down, and returns the old one. Inside a service routine
 * it can go below the routine's own. [isr]
 */
int32_t app_shim_level_set(int32_t level);

/* 1 inside a service routine, else 0. [isr] */
int32_t app_shim_in_isr(void);

/* How many service routines are on this stack. [isr] */
int32_t app_shim_isr_depth(void);

/* ---- Events ----------------------------------------------------------- */

/* The event was raised for a pin. */
#define APP_SHIM_EVENT_PIN 0x1
/* The source's events before this one were lost: see missed. */
#define APP_SHIM_EVENT_MISSED 0x2
/* There is a value. */
#define APP_SHIM_EVENT_VALUE 0x4

/* What a service routine is called for. */
typedef struct app_shim_event {
	/* sizeof(app_shim_event), set by the caller. */
	uint32_t size;
	/* APP_SHIM_EVENT_*. */
	uint32_t flags;
	/* Vector, and priority that it is served with. */
	uint32_t vector;
	uint32_t priority;
	/* Source in the device or the loopback; 0: raised by the program. */
	uint32_t source;
	/* Kind, as the source says. */
	uint32_t kind;
	/* Pin, with APP_SHIM_EVENT_PIN. */
	uint32_t pin;
	/* Bytes of payload. */
	uint32_t payload_len;
	/* The payload; valid until the service routine returns. */
	const void *payload;
	/* When it happened. */
	uint64_t time_ns;
	/* Level, count, or what the source says. */
	uint64_t value;
	/* Events of this vector that were lost just before. */
	uint64_t missed;
	/* Number of the event, from 1, counting all vectors. */
	uint64_t sequence;
} app_shim_event;

/* The event being served. APP_SHIM_UNAVAILABLE: not in an ISR. [isr] */
app_shim_result app_shim_current(app_shim_event *event);

/* An event to be raised. */
typedef struct app_shim_raise_args {
	/* sizeof(app_shim_raise_args). */
	uint32_t size;
	/* 0, or APP_SHIM_EVENT_VALUE. */
	uint32_t flags;
	uint32_t vector;
	uint32_t kind;
	/* Payload, copied; at most 64 bytes inside a service routine. */
	const void *payload;
	uint32_t payload_len;
	uint32_t source;
	/* 0: now. */
	uint64_t time_ns;
	uint64_t value;
} app_shim_raise_args;

/*
 * Raises a vector, from any thread. The routine runs at once where the caller has
 * the CPU and the level allows. APP_SHIM_FULL: missed, which the vector's next
 * event says. APP_SHIM_NOT_CONNECTED: nothing has ever been connected to the
 * vector; counted as spurious. [isr]
 */
app_shim_result app_shim_raise_event(const app_shim_raise_args *event);

/* The same with a value and nothing else, happening now. [isr] */
app_shim_result app_shim_raise(uint32_t vector, uint64_t value);

/* The same, waiting for room instead of missing events. */
app_shim_result app_shim_raise_wait(const app_shim_raise_args *event,
				    int64_t timeout_ns);

/* ---- Pins ------------------------------------------------------------- */

/* Never: the pin's level follows its events in order, no routine runs. */
#define APP_SHIM_EDGE_NONE 0
#define APP_SHIM_EDGE_RISING 1
#define APP_SHIM_EDGE_FALLING 2
#define APP_SHIM_EDGE_CHANGE 3
/* At every event that finds the pin low, or high. */
#define APP_SHIM_EDGE_LOW 4
#define APP_SHIM_EDGE_HIGH 5

#define APP_SHIM_PIN_INPUT 0
#define APP_SHIM_PIN_OUTPUT 1
#define APP_SHIM_PIN_PULLUP 2
#define APP_SHIM_PIN_PULLDOWN 3

/*
 * Has a pin's events raise a vector, on such edges. Several pins may share one. An
 * edge that is changed by a service routine counts from the next event on that
 * is served. [isr]
 */
app_shim_result app_shim_pin_attach(uint32_t pin, uint32_t vector,
				    uint32_t edge);

/* Ends that. [isr] */
app_shim_result app_shim_pin_detach(uint32_t pin);

/* A pin's new level, happening at time_ns (0: now), from any thread. [isr] */
app_shim_result app_shim_pin_raise(uint32_t pin, uint32_t level,
				   uint64_t time_ns);

/*
 * A pin's level: inside a service routine as of the event being served, else as
 * of now; of an output, what was written. -1: no such pin. [isr]
 */
int32_t app_shim_pin_read(uint32_t pin);

/* Writes an output, and tells the hook. On an input: its pull-up. [isr] */
app_shim_result app_shim_pin_write(uint32_t pin, uint32_t level);

/* Sets a pin's direction: APP_SHIM_PIN_*. [isr] */
app_shim_result app_shim_pin_mode(uint32_t pin, uint32_t mode);

/* Its direction; -1: no such pin. [isr] */
int32_t app_shim_pin_get_mode(uint32_t pin);

/*
 * The levels of all pins in memory, as app_shim_pin_read() would give them: pin n
 * is bit n % 8 of byte n / 8, of 32. Never NULL, and the same from the beginning.
 * Written as levels change, before the service routine that is called for it;
 * what a program writes there has no effect. [isr]
 */
uint8_t *app_shim_pin_image(void);

/* Called for every write to an output, in the caller's context. */
typedef void (*app_shim_pin_hook)(void *argument, uint32_t pin, uint32_t level,
				  uint64_t time_ns);

/* Sets that; NULL: nothing is called. */
app_shim_result app_shim_pin_on_write(app_shim_pin_hook hook, void *argument);

/* ---- Time ------------------------------------------------------------- */

/*
 * The time: inside a service routine that of its event; else what the clock says
 * after all visible events have been served (unless they are masked). [isr]
 */
uint64_t app_shim_now_ns(void);

/* The same, counted from app_shim_init(). [isr] */
uint64_t app_shim_uptime_ns(void);

/* The system's clock, whatever is being served. [isr] */
uint64_t app_shim_clock_ns(void);

/* Moves virtual time on. APP_SHIM_UNSUPPORTED: it is not virtual. */
app_shim_result app_shim_clock_advance(uint64_t ns);

/*
 * Nanoseconds until a timer, a clock or a watchdog expires. APP_SHIM_UNAVAILABLE:
 * none is set. In virtual time, what a CPU that sleeps can be advanced by. [isr]
 */
app_shim_result app_shim_clock_next(uint64_t *ns);

/*
 * Waits, leaving the CPU to others. In virtual time the clock is moved on instead,
 * and others get the CPU once. Timeouts of waiting calls are always real time.
 */
app_shim_result app_shim_delay(uint64_t ns);

/*
 * Waits, keeping the CPU; service routines run. In virtual time the clock is moved
 * on instead; in a service routine it stands still. [isr]
 */
app_shim_result app_shim_delay_busy(uint64_t ns);

/* Ticks since the start, or what was set; latched in an ISR. [isr] */
uint64_t app_shim_tick_get(void);

/* Makes it that. [isr] */
app_shim_result app_shim_tick_set(uint64_t ticks);

/* The system's clock, and the auxiliary one. */
#define APP_SHIM_CLOCK_SYSTEM 0
#define APP_SHIM_CLOCK_AUX 1

/* Ticks per second of a clock; 0: no such clock. [isr] */
uint32_t app_shim_clock_rate_get(uint32_t clock);

/* Sets them, 1 to 100000. */
app_shim_result app_shim_clock_rate_set(uint32_t clock, uint32_t rate);

/* What a clock calls on each tick, as a service routine; NULL: nothing. */
app_shim_result app_shim_clock_connect(uint32_t clock, app_shim_handler handler,
				       void *argument);

/* Starts its ticks: neither clock ticks to begin with. */
app_shim_result app_shim_clock_enable(uint32_t clock);

/* Stops them; app_shim_tick_get() goes on. */
app_shim_result app_shim_clock_disable(uint32_t clock);

/*
 * Raises a vector first after first_ns and then every period_ns (0: once). Each
 * expiration is an event with its nominal time; its value is their number. A
 * vector has one such timer; setting it again replaces it. [isr]
 */
app_shim_result app_shim_timer_set(uint32_t vector, uint64_t first_ns,
				   uint64_t period_ns);

/* Ends that. [isr] */
app_shim_result app_shim_timer_cancel(uint32_t vector);

/* ---- Semaphores ------------------------------------------------------- */

#define APP_SHIM_SEM_BINARY 0
#define APP_SHIM_SEM_COUNTING 1
/* Recursive, given by its owner alone, passing on priority. */
#define APP_SHIM_SEM_MUTEX 2

/* Waiters in the order of their priority instead of their arrival. */
#define APP_SHIM_BY_PRIORITY 0x1
/* Messages: put in front of the others. */
#define APP_SHIM_URGENT 0x2

/* A semaphore; a mutex starts out free, whatever initial is. */
app_shim_result app_shim_sem_create(uint32_t kind, uint32_t initial,
				    uint32_t options, app_shim_id *id);

/* Deletes it; who waits gets APP_SHIM_DELETED. */
app_shim_result app_shim_sem_delete(app_shim_id id);

/* Gives it. APP_SHIM_FULL: a counting one is at its largest. [isr], no mutex */
app_shim_result app_shim_sem_give(app_shim_id id);

/* Takes it. [isr] with APP_SHIM_NO_WAIT, no mutex */
app_shim_result app_shim_sem_take(app_shim_id id, int64_t timeout_ns);

/* Lets all that wait go on, the semaphore unchanged. [isr], no mutex */
app_shim_result app_shim_sem_flush(app_shim_id id);

/* Its count; of a mutex 1 where it is free. [isr] */
app_shim_result app_shim_sem_count(app_shim_id id, uint32_t *count);

/* ---- Message queues --------------------------------------------------- */

/* A queue of so many messages of at most so many bytes. */
app_shim_result app_shim_msgq_create(uint32_t messages, uint32_t max_len,
				     uint32_t options, app_shim_id *id);

app_shim_result app_shim_msgq_delete(app_shim_id id);

/* Sends a copy; options: APP_SHIM_URGENT. [isr] with APP_SHIM_NO_WAIT */
app_shim_result app_shim_msgq_send(app_shim_id id, const void *message,
				   uint32_t len, int64_t timeout_ns,
				   uint32_t options);

/* Receives one, cut to size; tells its length. [isr] with APP_SHIM_NO_WAIT */
app_shim_result app_shim_msgq_receive(app_shim_id id, void *buffer,
				      uint32_t size, int64_t timeout_ns,
				      uint32_t *len);

/* How many messages wait. [isr] */
app_shim_result app_shim_msgq_count(app_shim_id id, uint32_t *count);

/* ---- Byte rings ------------------------------------------------------- */

/*
 * A ring of so many bytes, for one who puts and one who gets at a time; they need
 * not lock against each other.
 */
app_shim_result app_shim_ring_create(uint32_t bytes, app_shim_id *id);

app_shim_result app_shim_ring_delete(app_shim_id id);

/* Puts as many bytes as there is room for; tells how many. [isr] */
app_shim_result app_shim_ring_put(app_shim_id id, const void *bytes,
				  uint32_t len, uint32_t *put);

/* Gets as many bytes as there are; tells how many. [isr] */
app_shim_result app_shim_ring_get(app_shim_id id, void *buffer, uint32_t size,
				  uint32_t *got);

/* Puts a byte so many places behind the last one, unseen as yet. [isr] */
app_shim_result app_shim_ring_put_ahead(app_shim_id id, uint8_t byte,
					uint32_t offset);

/* Makes so many bytes that were put ahead seen. [isr] */
app_shim_result app_shim_ring_move_ahead(app_shim_id id, uint32_t bytes);

/* Bytes that are in it and for which there is room; NULL is allowed. [isr] */
app_shim_result app_shim_ring_room(app_shim_id id, uint32_t *used,
				   uint32_t *room);

/* Empties it; to be called by who gets. [isr] */
app_shim_result app_shim_ring_flush(app_shim_id id);

/* ---- Watchdogs -------------------------------------------------------- */

app_shim_result app_shim_wd_create(app_shim_id *id);

app_shim_result app_shim_wd_delete(app_shim_id id);

/* Has a routine called once after ns, as a service routine. [isr] */
app_shim_result app_shim_wd_start(app_shim_id id, uint64_t ns,
				  app_shim_handler routine, void *argument);

/* Takes that back; nothing to take back is no error. [isr] */
app_shim_result app_shim_wd_cancel(app_shim_id id);

/* ---- Log -------------------------------------------------------------- */

/*
 * Notes a message, which a thread of the controller formats like printf and
 * writes. The format and what %s names must still be there then. [isr]
 */
app_shim_result app_shim_log(const char *format, long a1, long a2, long a3,
			     long a4, long a5, long a6);

/* Notes text as it is, at most 200 bytes of it. [isr] */
app_shim_result app_shim_log_text(const char *text, size_t len);

/* Waits until everything noted so far is written. */
app_shim_result app_shim_log_flush(void);

/* Writes to this descriptor from now on. */
app_shim_result app_shim_log_fd(int32_t fd);

/* ---- Tasks ------------------------------------------------------------ */

/* A task to be started. */
typedef struct app_shim_task_args {
	/* sizeof(app_shim_task_args). */
	uint32_t size;
	/* 0 (first) to 255. */
	int32_t priority;
	/* NULL: one is made up. */
	const char *name;
	/* Bytes of stack; less than the system needs is rounded up. */
	uint64_t stack_size;
	app_shim_handler entry;
	void *argument;
	/* 0; APP_SHIM_TASK_SUSPENDED. */
	uint32_t flags;
	uint32_t reserved;
} app_shim_task_args;

/* Starts out suspended. */
#define APP_SHIM_TASK_SUSPENDED 0x1

#define APP_SHIM_TASK_READY 0
#define APP_SHIM_TASK_WAITING 1
#define APP_SHIM_TASK_DELAYED 2
/* With the others. */
#define APP_SHIM_TASK_STOPPED 0x10

/* Starts a task. It gets the CPU at the next call that lets go of it. */
app_shim_result app_shim_task_spawn(const app_shim_task_args *task,
				    app_shim_id *id);

/*
 * Ends a task (0: the caller). Another one ends where it next calls the shim, and
 * this waits for that.
 */
app_shim_result app_shim_task_delete(app_shim_id id);

/* The calling task; 0: no task. In an ISR the interrupted one. [isr] */
app_shim_id app_shim_task_self(void);

/* Stops a task (0: the caller) where it next calls the shim. [isr] */
app_shim_result app_shim_task_suspend(app_shim_id id);

/* Lets it go on. [isr] */
app_shim_result app_shim_task_resume(app_shim_id id);

/* Keeps the CPU from other tasks of whatever priority; nests. */
app_shim_result app_shim_task_lock(void);

app_shim_result app_shim_task_unlock(void);

/* Leaves the CPU to tasks of the same priority. */
app_shim_result app_shim_task_yield(void);

/* A task's (0: the caller's) priority, 0 first to 255. [isr] */
app_shim_result app_shim_task_get_priority(app_shim_id id, int32_t *priority);

app_shim_result app_shim_task_set_priority(app_shim_id id, int32_t priority);

/* APP_SHIM_TASK_READY, _WAITING, _DELAYED, with _STOPPED. [isr] */
app_shim_result app_shim_task_state(app_shim_id id, uint32_t *state);

/* Copies its name, cut to fit and ended by a zero byte. */
app_shim_result app_shim_task_name(app_shim_id id, char *buffer, size_t size);

/* The task of that name. */
app_shim_result app_shim_task_find(const char *name, app_shim_id *id);

/*
 * Around calls of the system that wait: others run meanwhile. Between the two the
 * caller must touch nothing that it shares with them.
 */
app_shim_result app_shim_cpu_release(void);

app_shim_result app_shim_cpu_acquire(void);

/* ---- Statistics and checks -------------------------------------------- */

/* Counters of the controller. */
typedef struct app_shim_stats {
	/* sizeof(app_shim_stats), set by the caller. */
	uint32_t size;
	/* 1 where the dispatcher has a real-time priority. */
	uint32_t realtime;
	/* Events raised; served; for pins whose edge did not match. */
	uint64_t raised;
	uint64_t served;
	uint64_t filtered;
	/* Lost for want of room; cleared by the program. */
	uint64_t missed;
	uint64_t cleared;
	/* Raised for vectors that were never connected. */
	uint64_t spurious;
	/* Served while nothing was connected (any more). */
	uint64_t unhandled;
	/* Events waiting. */
	uint64_t pending;
	/* Events that the sources have lost, as their gaps say. */
	uint64_t source_lost;
	/* Preempt: signals sent, handled, and passed on to the CPU's holder. */
	uint64_t signals_sent;
	uint64_t signals_handled;
	uint64_t signals_passed;
	/* Deepest nesting of service routines. */
	uint64_t deepest;
	/* Log messages that found no room. */
	uint64_t log_lost;
	/* Findings of the checker. */
	uint64_t findings;
	/* How often the CPU went to another task. */
	uint64_t switches;
} app_shim_stats;

/* raised = served + filtered + cleared + unhandled + missed + pending. */
app_shim_result app_shim_get_stats(app_shim_stats *stats);

/* Counters of a vector. */
typedef struct app_shim_vector_stats {
	/* sizeof(app_shim_vector_stats), set by the caller. */
	uint32_t size;
	uint32_t priority;
	uint64_t raised;
	uint64_t served;
	uint64_t missed;
	uint64_t unhandled;
	uint64_t pending;
	uint64_t source_lost;
	/* Longest run of the service routine, with the checker on. */
	uint64_t longest_ns;
} app_shim_vector_stats;

app_shim_result app_shim_get_vector_stats(uint32_t vector,
					  app_shim_vector_stats *stats);

/* 1 where the checker is on. [isr] */
int32_t app_shim_check_enabled(void);

/*
 * For wrappers of functions that are not async-signal-safe: reports, with a
 * backtrace, where a preemptive service routine calls one. Returns 1 then. [isr]
 */
int32_t app_shim_check_unsafe(const char *function);

/*
 * For wrappers of functions that wait: reports where a service routine calls one,
 * or a task that has locked interrupts. Returns 1 then. [isr]
 */
int32_t app_shim_check_blocking(const char *function);

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_H */
