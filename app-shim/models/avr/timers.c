/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * timers.c: timers 0, 1 and 2.
 *
 * A count is not kept but computed: from a moment when it was known, and the
 * time since. Each enabled interrupt has one timer of the controller set for when
 * it is due next, exactly, counted from that moment; the next one is set when
 * it is served, from when it was due, so none is left out.
 */
#include "model.h"

struct timer {
	uint8_t control_a, control_b, count, compare[2], mask, flags;
	uint8_t wide;
	/* Vectors of compare A, compare B, overflow. */
	uint8_t vector[3];
	const uint16_t *prescalers;
	/* At that time the position was that; flags were cleared then. */
	uint64_t since, cleared[3];
	/* The event that the controller has; 0: none. */
	uint64_t due[3];
	uint32_t position;
};

static const uint16_t prescalers[8] = { 0, 1, 8, 64, 256, 1024, 0, 0 };
static const uint16_t prescalers2[8] = { 0, 1, 8, 32, 64, 128, 256, 1024 };

static struct timer timers[3] = {
	{ TCCR0A, TCCR0B, TCNT0, { OCR0A, OCR0B }, 0x6e, 0x35, 0, { 14, 15, 16 },
	  prescalers, 0, { 0 }, { 0 }, 0 },
	{ TCCR1A, TCCR1B, TCNT1, { OCR1A, OCR1B }, 0x6f, 0x36, 1, { 11, 12, 13 },
	  prescalers, 0, { 0 }, { 0 }, 0 },
	{ TCCR2A, TCCR2B, TCNT2, { OCR2A, OCR2B }, 0x70, 0x37, 0, { 7, 8, 9 },
	  prescalers2, 0, { 0 }, { 0 }, 0 },
};
/* Bits of flags and masks, in the order of the vectors. */
static const uint8_t bits[3] = { 1, 2, 0 };
enum { OVERFLOW = 2 };

/* How a timer counts, as its registers say. */
struct shape {
	uint32_t prescaler, top, max, period;
	int slopes;
	/* Sets the overflow flag at its maximum alone: clear on compare. */
	int ctc;
};

static struct shape shape_of(const struct timer *t)
{
	struct shape s;
	unsigned a = R(t->control_a) & 3, b = R(t->control_b) >> 3 & 3;
	unsigned mode;

	s.prescaler = t->prescalers[R(t->control_b) & 7];
	s.slopes = s.ctc = 0;
	if (t->wide) {
		static const uint16_t fixed[8] = { 0xffff, 0xff, 0x1ff, 0x3ff,
						   0, 0xff, 0x1ff, 0x3ff };

		mode = a | b << 2;
		s.max = 0xffff;
		s.top = mode < 8 && mode != 4 ? fixed[mode] :
			mode == 13	      ? 0xffff :
			mode == 4 || (mode & 1) ? R16(OCR1A) : R16(ICR1);
		s.ctc = mode == 4 || mode == 12;
		s.slopes = (mode >= 1 && mode <= 3) || (mode >= 8 && mode <= 11);
	} else {
		mode = a | (b & 1) << 2;
		s.max = 0xff;
		s.top = mode == 2 || mode >= 5 ? R(t->compare[0]) : 0xff;
		s.ctc = mode == 2;
		s.slopes = mode == 1 || mode == 5;
	}
	s.period = s.slopes ? (s.top ? 2 * s.top : 1) : s.top + 1;
	return s;
}

static uint64_t ticks_in(const struct shape *s, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * avr_hz() /
			  ((unsigned __int128)s->prescaler * 1000000000u));
}

/* The time that so many ticks take, rounded up: then they have passed. */
static uint64_t ns_of(const struct shape *s, uint64_t ticks)
{
	unsigned __int128 n =
		(unsigned __int128)ticks * s->prescaler * 1000000000u;

	return (uint64_t)((n + avr_hz() - 1) / avr_hz());
}

/* A counter beyond its top goes to its maximum first: that takes so long. */
static uint32_t stray(const struct timer *t, const struct shape *s)
{
	return !s->slopes && t->position > s->top ? s->max + 1 - t->position : 0;
}

static uint32_t position(const struct timer *t, const struct shape *s,
			 uint64_t time)
{
	uint64_t n;
	uint32_t first;

	if (s->prescaler == 0 || time <= t->since)
		return t->position;
	n = ticks_in(s, time - t->since);
	first = stray(t, s);
	if (first)
		return n < first ? t->position + (uint32_t)n :
				   (uint32_t)((n - first) % s->period);
	return (uint32_t)((t->position % s->period + n) % s->period);
}

static uint32_t count(const struct timer *t, const struct shape *s,
		      uint64_t time)
{
	uint32_t p = position(t, s, time);

	return s->slopes && p > s->top ? s->period - p : p;
}

/* Ticks from `since` to the first time after `n` that this happens; 0: never. */
static uint64_t next_tick(const struct timer *t, const struct shape *s,
			  int what, uint64_t n)
{
	uint64_t best = 0, at;
	uint32_t first = stray(t, s), places[2], p;
	int i, number = 1;

	if (what == OVERFLOW) {
		if (s->ctc && s->top < s->max)
			return first && n < first ? first : 0;
		places[0] = 0;
	} else {
		places[0] = t->wide ? R16(t->compare[what]) :
				      R(t->compare[what]);
		if (places[0] > s->top && !first)
			return 0;
		if (s->slopes && places[0] > 0 && places[0] < s->top) {
			places[1] = s->period - places[0];
			number = 2;
		}
	}
	for (i = 0; i < number; i++) {
		p = places[i];
		if (first) {
			/* On the way up to the maximum, or after it. */
			if (what != OVERFLOW && p > t->position &&
			    n < p - t->position)
				at = p - t->position;
			else if (p > s->top)
				continue;
			else {
				at = first + p;
				if (at <= n)
					at += ((n - at) / s->period + 1) *
					      s->period;
			}
		} else {
			at = (p + s->period - t->position % s->period) %
			     s->period;
			if (at <= n)
				at += ((n - at) / s->period + 1) * s->period;
		}
		if (best == 0 || at < best)
			best = at;
	}
	return best;
}

/* When it happens next after that time; 0: never. */
static uint64_t next_time(const struct timer *t, const struct shape *s,
			  int what, uint64_t time)
{
	uint64_t n;

	if (s->prescaler == 0)
		return 0;
	n = time > t->since ? ticks_in(s, time - t->since) : 0;
	n = next_tick(t, s, what, n);
	return n ? t->since + ns_of(s, n) : 0;
}

/* Takes back the event that is to come, or waits. */
static void withdraw(struct timer *t, int what)
{
	if (t->due[what]) {
		app_shim_timer_cancel(t->vector[what]);
		app_shim_clear_pending(t->vector[what], NULL);
	}
	t->due[what] = 0;
}

/* Has the next event after that time come, unless one has happened already. */
static void arm(struct timer *t, const struct shape *s, int what, uint64_t from)
{
	unsigned vector = t->vector[what];
	/* In a routine this is when its event was due. */
	uint64_t now = app_shim_now_ns();

	if (t->due[what] && t->due[what] <= avr_now() && avr_enabled(vector))
		return;
	/* What is late may have expired before it was changed: it never was. */
	withdraw(t, what);
	t->due[what] = avr_enabled(vector) ? next_time(t, s, what, from) : 0;
	if (t->due[what])
		app_shim_timer_set(vector,
				   t->due[what] > now ? t->due[what] - now : 0, 0);
}

static struct timer *of_register(unsigned a)
{
	int i;

	for (i = 0; i < 3; i++) {
		const struct timer *t = &timers[i];

		if (a == t->flags || a == t->mask ||
		    (a >= t->control_a && a <= t->compare[1] + t->wide))
			return &timers[i];
	}
	return NULL;
}

void avr_timers_read(unsigned a)
{
	struct timer *t = of_register(a);
	struct shape s;
	uint64_t now = avr_now(), due;
	int what;

	if (!t)
		return;
	s = shape_of(t);
	if (a == t->count) {
		uint32_t n = count(t, &s, now);

		if (t->wide)
			avr_set16(a, n);
		else
			R(a) = (uint8_t)n;
	} else if (a == t->flags) {
		R(a) &= 0x20;
		for (what = 0; what < 3; what++) {
			due = next_time(t, &s, what,
					t->cleared[what] > t->since ?
						t->cleared[what] : t->since);
			if (due && due <= now)
				R(a) |= (uint8_t)(1 << bits[what]);
		}
	}
}

uint64_t avr_timers_limit(uint64_t now)
{
	uint64_t limit = now;
	int i, what;

	for (i = 0; i < 3; i++) {
		const struct timer *t = &timers[i];
		struct shape s = shape_of(t);

		for (what = 0; what < 3; what++) {
			uint64_t due, early;

			if (!avr_enabled(t->vector[what]))
				continue;
			due = next_time(t, &s, what,
					t->cleared[what] > t->since ?
						t->cleared[what] : t->since);
			if (!due || due >= limit)
				continue;
			due = next_time(t, &s, what, due);
			/* Not the last count before it either, which may be it. */
			early = ns_of(&s, 2);
			if (due && due - early < limit)
				limit = due - early;
		}
	}
	return limit;
}

uint64_t avr_timers_gap(unsigned vector)
{
	uint64_t now = app_shim_now_ns();
	int i, what;

	for (i = 0; i < 3; i++)
		for (what = 0; what < 3; what++)
			if (timers[i].vector[what] == vector &&
			    timers[i].due[what] > now)
				return timers[i].due[what] - now;
	return 0;
}

unsigned avr_timer1_count(uint64_t time_ns)
{
	struct shape s = shape_of(&timers[1]);

	return count(&timers[1], &s, time_ns);
}

void avr_timers_write(unsigned a, uint8_t before)
{
	struct timer *t = of_register(a);
	struct shape s;
	uint64_t now = avr_now();
	uint8_t after;
	int what;

	if (!t)
		return;
	after = R(a);
	if (a == t->flags) {
		for (what = 0; what < 3; what++)
			if (after >> bits[what] & 1) {
				t->cleared[what] = now;
				withdraw(t, what);
				s = shape_of(t);
				arm(t, &s, what, now);
			}
		R(a) = (uint8_t)(before & 0x20 & ~after);
		return;
	}
	if (a == t->mask) {
		s = shape_of(t);
		for (what = 0; what < 3; what++) {
			uint8_t bit = (uint8_t)(1 << bits[what]);

			/* A flag that is set already counts at once. */
			if (!(before & bit) && (after & bit))
				arm(t, &s, what,
				    t->cleared[what] > t->since ?
					    t->cleared[what] : t->since);
			else if ((before & bit) && !(after & bit))
				withdraw(t, what);
		}
		if (a == 0x6f && ((before ^ after) & 0x20))
			avr_ports_write(PCICR);
		return;
	}
	if (t->wide && (a & 1) && a > TCCR1C)
		/* A high byte waits for its low byte. */
		return;
	/* What was counted so far was counted by the old rule. */
	R(a) = before;
	s = shape_of(t);
	if (a == t->count)
		t->position = t->wide ? (uint32_t)(R16(a) & 0xff00) | after : after;
	else
		t->position = position(t, &s, now);
	/* Times in whole ticks, so that rewriting a register loses none. */
	if (a != t->count && s.prescaler && now > t->since) {
		uint64_t whole = ticks_in(&s, now - t->since);

		t->since += ns_of(&s, whole);
		if (t->since > now)
			t->since = now;
	} else {
		t->since = now;
	}
	R(a) = after;
	s = shape_of(t);
	if (s.slopes && t->position >= s.period)
		t->position %= s.period;
	for (what = 0; what < 3; what++) {
		if (!t->due[what] || t->due[what] > now)
			t->cleared[what] = now;
		arm(t, &s, what, now);
	}
}

void avr_timers_serve(unsigned vector, uint64_t time_ns)
{
	struct shape s;
	int i, what;

	if (vector == TIMER1_CAPT) {
		avr_set16(ICR1, avr_timer1_count(time_ns));
		return;
	}
	for (i = 0; i < 3; i++)
		for (what = 0; what < 3; what++)
			if (timers[i].vector[what] == vector) {
				timers[i].cleared[what] = time_ns;
				timers[i].due[what] = 0;
				s = shape_of(&timers[i]);
				arm(&timers[i], &s, what, time_ns);
			}
}
