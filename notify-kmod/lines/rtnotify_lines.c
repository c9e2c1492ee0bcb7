// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt lines and GPIO lines as rtnotify sources.
 *
 * Which ones is for whoever loads the module to say, since it takes privilege:
 *
 *	modprobe rtnotify_lines irq=47,48 irq_name=pump,valve irq_trigger=1,1
 *	modprobe rtnotify_lines gpio=gpio-sim.0-node0:3 gpio_name=door
 *
 * or for the description of the machine, in which a device is named "rtnotify-line" (a board file) or compatible
 * with "rtnotify,line" (a device tree). Each of its interrupts and each of its GPIO lines is a source, named
 * after the device. A level-triggered interrupt is masked there as with irq_mask=1, without which it would
 * never end.
 *
 * An interrupt line posts an event per interrupt, whose value is the number of interrupts so far. With
 * irq_mask=1 the line is masked by each interrupt until somebody writes to the source; that is what a
 * level-triggered line needs, whose device only the process knows how to silence. A masked line cannot be
 * shared. With irq_shared=1 this module only listens to a line that a driver serves.
 *
 * A GPIO line posts an event per edge, whose value is the level after it. The time is taken in the hard
 * interrupt. The level cannot be: when the interrupt is served the line may have changed again, and on many
 * chips reading it sleeps. But levels alternate, so a thread compares what it reads with what the edges so far
 * amount to. If that differs, another interrupt is on its way; if none comes, the controller has merged edges,
 * and an event of kind LINE_MISSED says so.
 *
 * A process can call either source: kind LINE_NOW answers at once, LINE_NEXT with the next event.
 *
 * Handlers run in hard-interrupt context (on PREEMPT_RT in a thread). A line's count and times are written by
 * its handler only, what has been posted by its thread only; neither runs concurrently with itself.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/device/faux.h>
#include <linux/err.h>
#include <linux/gpio/consumer.h>
#include <linux/gpio/machine.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/ktime.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../include/rtnotify_producer.h"

#define MAX_LINES	16
#define NAME_LEN	48
/*
 * Times of edges whose level has not been read yet. Only the newer half is ever used, so that those in use are
 * not overwritten meanwhile.
 */
#define MAX_EDGES	2048
#define KEPT_EDGES	(MAX_EDGES / 2)
/* How often a line is looked at, half a millisecond or more apart, for an interrupt that is on its way. */
#define SETTLE_TRIES	10

/* Kinds of events. */
#define LINE_EVENT	0	/* an interrupt, an edge */
#define LINE_MISSED	1	/* edges that are known of, but not their times; the value says how many at least */

/* Kinds of calls. */
#define LINE_NOW	0	/* the present count or level */
#define LINE_NEXT	1	/* those of the next event */

/* The answer to a call. */
struct line_answer {
	u64 time_ns;
	u64 value;
};

struct line {
	struct rtnotify_source *source;
	char name[NAME_LEN];
	int irq;
	bool requested;
	bool shared;
	bool mask;
	/* Masked by its interrupt, until somebody writes. */
	atomic_t masked;
	/* Interrupts so far; of a GPIO line also the end of the ring of times. */
	u64 count;
	struct gpio_desc *gpio;
	/* Edges posted so far: the start of the ring. */
	u64 posted;
	/* Level after the last edge posted. */
	bool level;
	u64 times[MAX_EDGES];
};

static int irq[MAX_LINES];
static unsigned int irq_count;
module_param_array(irq, int, &irq_count, 0444);
MODULE_PARM_DESC(irq, "Interrupt numbers to make sources of");

static char *irq_name[MAX_LINES];
module_param_array(irq_name, charp, NULL, 0444);
MODULE_PARM_DESC(irq_name, "Names of these sources (default: irqN)");

static unsigned int irq_trigger[MAX_LINES];
module_param_array(irq_trigger, uint, NULL, 0444);
MODULE_PARM_DESC(irq_trigger, "Triggers: 1 rising, 2 falling, 3 both edges, 4 high, 8 low, 0 as it is (default)");

static bool irq_mask;
module_param(irq_mask, bool, 0444);
MODULE_PARM_DESC(irq_mask, "Each interrupt masks its line until the source is written to");

static bool irq_shared;
module_param(irq_shared, bool, 0444);
MODULE_PARM_DESC(irq_shared, "Listen to lines that drivers serve");

static char *gpio[MAX_LINES];
static unsigned int gpio_count;
module_param_array(gpio, charp, &gpio_count, 0444);
MODULE_PARM_DESC(gpio, "GPIO lines to make sources of, as LABEL:OFFSET");

static char *gpio_name[MAX_LINES];
module_param_array(gpio_name, charp, NULL, 0444);
MODULE_PARM_DESC(gpio_name, "Names of these sources (default: LABEL:OFFSET)");

/* The lines of one device, or of the parameters. */
struct line_set {
	unsigned int room;
	/* Those that lines_stop() has to see to. */
	unsigned int count;
	struct line lines[] __counted_by(room);
};

/* Those of the parameters, and on whose behalf GPIO lines are asked for. */
static struct line_set *lines;
static struct faux_device *consumer;

static void line_post(struct line *line, u16 kind, u64 value, u64 time_ns)
{
	struct line_answer answer = { .time_ns = time_ns, .value = value };

	/* Who refuses it finds a gap in its stream. */
	rtnotify_post_at(line->source, kind, &value, NULL, 0, time_ns);
	if (kind == LINE_EVENT)
		rtnotify_complete_all(line->source, &answer, sizeof(answer));
}

static irqreturn_t irq_handler(int number, void *data)
{
	struct line *line = data;
	u64 time_ns = ktime_get_ns();

	if (line->mask) {
		disable_irq_nosync(number);
		atomic_set(&line->masked, 1);
	}
	WRITE_ONCE(line->count, line->count + 1);
	line_post(line, LINE_EVENT, line->count, time_ns);
	/* Whether the line's device interrupted is for its driver to say. */
	return line->shared ? IRQ_NONE : IRQ_HANDLED;
}

/* Posts the edges before @end, of which there is one at least; after the last of them the level was @level. */
static void edges_post(struct line *line, u64 end, bool level)
{
	u64 count = end - line->posted;

	if (count > KEPT_EDGES) {
		line->posted = end - KEPT_EDGES;
		line_post(line, LINE_MISSED, count - KEPT_EDGES,
			  line->times[line->posted % MAX_EDGES]);
	} else if ((level ^ ((count - 1) & 1)) == line->level) {
		line_post(line, LINE_MISSED, 1, line->times[line->posted % MAX_EDGES]);
	}
	for (; line->posted != end; line->posted++) {
		bool now = level ^ ((end - line->posted - 1) & 1);

		line_post(line, LINE_EVENT, now, line->times[line->posted % MAX_EDGES]);
	}
	line->level = level;
}

static irqreturn_t gpio_handler(int number, void *data)
{
	struct line *line = data;
	u64 count = line->count;

	line->times[count % MAX_EDGES] = ktime_get_ns();
	/* After its time; pairs with gpio_thread(). */
	smp_store_release(&line->count, count + 1);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t gpio_thread(int number, void *data)
{
	struct line *line = data;
	int level, tries = 0;
	u64 end, last = 0;

	for (;;) {
		bool expected;

		/* Before the times; pairs with gpio_handler(). */
		end = smp_load_acquire(&line->count);
		if (end == line->posted)
			return IRQ_HANDLED;
		expected = line->level ^ ((end - line->posted) & 1);
		level = gpiod_get_value_cansleep(line->gpio);
		if (level == expected)
			break;
		/* Without a level, or with more edges than there is time to look between, trust the count. */
		if (level < 0 || end - line->posted >= KEPT_EDGES / 2) {
			level = expected;
			break;
		}
		if (end != last) {
			last = end;
			tries = 0;
		} else if (++tries == SETTLE_TRIES) {
			break;
		}
		usleep_range(500, 1000);
	}
	edges_post(line, end, level);
	return IRQ_HANDLED;
}

/* Whatever is written lets the line interrupt again. */
static int line_write(void *context, u16 kind, u64 value, const void *data, size_t len)
{
	struct line *line = context;

	if (atomic_xchg(&line->masked, 0))
		enable_irq(line->irq);
	return 0;
}

static int line_call(void *context, u64 token, u16 kind, u64 value, const void *message,
		     size_t len, size_t room)
{
	struct line *line = context;
	struct rtnotify_source *source = READ_ONCE(line->source);
	struct line_answer answer = { .time_ns = ktime_get_ns() };
	int level;

	/* Still being registered. */
	if (IS_ERR_OR_NULL(source))
		return -EAGAIN;
	if (len)
		return -EINVAL;
	if (room < sizeof(answer))
		return -EMSGSIZE;
	switch (kind) {
	case LINE_NOW:
		if (line->gpio) {
			level = gpiod_get_value_cansleep(line->gpio);
			if (level < 0)
				return level;
			answer.value = level;
		} else {
			answer.value = READ_ONCE(line->count);
		}
		/* It may have been answered by an event meanwhile, which is as good. */
		rtnotify_complete(source, token, &answer, sizeof(answer));
		return 0;
	case LINE_NEXT:
		return 0;
	default:
		return -EINVAL;
	}
}

/* Registers the source of @line, then requests its interrupt. */
static int line_start(struct line *line, const char *name, irq_handler_t handler,
		      irq_handler_t thread, unsigned long flags)
{
	struct rtnotify_source_ops ops = {
		.write = line->mask ? line_write : NULL,
		.call = line_call,
	};
	int ret;

	if (strscpy(line->name, name) < 0)
		return -EINVAL;
	line->source = rtnotify_source_register_ops(line->name, sizeof(struct line_answer), &ops,
						    line);
	if (IS_ERR(line->source))
		return PTR_ERR(line->source);
	ret = request_threaded_irq(line->irq, handler, thread, flags, line->name, line);
	if (ret)
		pr_err("interrupt %d of \"%s\": error %d\n", line->irq, line->name, ret);
	line->requested = !ret;
	return ret;
}

static int irq_start(struct line *line, unsigned int index)
{
	unsigned long flags = irq_trigger[index];
	char name[NAME_LEN];

	if (irq[index] <= 0 || flags & ~IRQF_TRIGGER_MASK)
		return -EINVAL;
	line->irq = irq[index];
	line->mask = irq_mask;
	line->shared = irq_shared;
	if (line->shared)
		flags |= IRQF_SHARED;
	snprintf(name, sizeof(name), "irq%d", line->irq);
	return line_start(line, irq_name[index] ?: name, irq_handler, NULL, flags);
}

/* Makes a source of @desc, which from now on is @line's, also if this fails. */
static int gpio_start(struct line *line, struct gpio_desc *desc, const char *name)
{
	int ret;

	line->gpio = desc;
	ret = gpiod_get_value_cansleep(desc);
	if (ret < 0)
		return ret;
	line->level = ret;
	line->irq = gpiod_to_irq(desc);
	if (line->irq < 0)
		return line->irq;
	return line_start(line, name, gpio_handler, gpio_thread,
			  IRQF_TRIGGER_RISING | IRQF_TRIGGER_FALLING);
}

static int gpio_find(struct line *line, unsigned int index)
{
	struct gpiod_lookup_table *table;
	struct gpio_desc *desc;
	char label[NAME_LEN];
	unsigned int offset;
	char *colon;

	if (strscpy(label, gpio[index]) < 0)
		return -EINVAL;
	colon = strrchr(label, ':');
	if (!colon || colon == label || kstrtouint(colon + 1, 10, &offset) || offset >= U16_MAX)
		return -EINVAL;
	*colon = '\0';

	table = kzalloc_flex(*table, table, 2);
	if (!table)
		return -ENOMEM;
	table->dev_id = dev_name(&consumer->dev);
	table->table[0] = GPIO_LOOKUP(label, offset, NULL, GPIO_ACTIVE_HIGH);
	gpiod_add_lookup_table(table);
	desc = gpiod_get(&consumer->dev, NULL, GPIOD_IN);
	gpiod_remove_lookup_table(table);
	kfree(table);
	if (IS_ERR(desc)) {
		pr_err("GPIO line %s: error %ld\n", gpio[index], PTR_ERR(desc));
		/* There may be such a chip later, but nothing waits for it. */
		return PTR_ERR(desc) == -EPROBE_DEFER ? -ENODEV : PTR_ERR(desc);
	}
	return gpio_start(line, desc, gpio_name[index] ?: gpio[index]);
}

static struct line_set *lines_alloc(unsigned int room)
{
	struct line_set *set = kvzalloc_flex(*set, lines, room);

	if (set)
		set->room = room;
	return set;
}

static void lines_stop(struct line_set *set)
{
	unsigned int i;

	for (i = 0; i < set->count; i++) {
		struct line *line = &set->lines[i];

		if (line->requested)
			free_irq(line->irq, line);
		rtnotify_source_unregister(line->source);
		if (line->gpio)
			gpiod_put(line->gpio);
	}
	kvfree(set);
}

static int device_irq_start(struct platform_device *device, struct line *line, unsigned int index,
			    const char *name)
{
	u32 trigger;

	line->irq = platform_get_irq(device, index);
	if (line->irq < 0)
		return line->irq;
	trigger = irq_get_trigger_type(line->irq);
	line->mask = irq_mask || trigger & IRQ_TYPE_LEVEL_MASK;
	return line_start(line, name, irq_handler, NULL, trigger);
}

static int device_gpio_start(struct device *device, struct line *line, unsigned int index,
			     const char *name)
{
	struct gpio_desc *desc = gpiod_get_index(device, NULL, index, GPIOD_IN);

	if (IS_ERR(desc))
		return PTR_ERR(desc);
	return gpio_start(line, desc, name);
}

static int lines_probe(struct platform_device *device)
{
	int irqs = platform_irq_count(device);
	int gpios = gpiod_count(&device->dev, NULL);
	struct line_set *set;
	unsigned int total;
	int ret = 0;

	if (irqs < 0)
		return irqs;
	/* Most errors mean that there are none. */
	if (gpios == -EPROBE_DEFER)
		return gpios;
	total = irqs + max(gpios, 0);
	if (!total)
		return dev_err_probe(&device->dev, -ENODEV, "no interrupt and no GPIO line\n");
	set = lines_alloc(total);
	if (!set)
		return -ENOMEM;
	while (set->count < total && !ret) {
		unsigned int index = set->count++;
		struct line *line = &set->lines[index];
		char name[NAME_LEN];

		if (total == 1)
			ret = strscpy(name, dev_name(&device->dev));
		else
			ret = snprintf(name, sizeof(name), "%s:%u", dev_name(&device->dev), index);
		if (ret < 0 || ret >= sizeof(name))
			ret = -EINVAL;
		else if (index < irqs)
			ret = device_irq_start(device, line, index, name);
		else
			ret = device_gpio_start(&device->dev, line, index - irqs, name);
	}
	if (ret) {
		lines_stop(set);
		return dev_err_probe(&device->dev, ret, "its lines\n");
	}
	platform_set_drvdata(device, set);
	return 0;
}

static void lines_remove(struct platform_device *device)
{
	lines_stop(platform_get_drvdata(device));
}

static const struct of_device_id lines_compatible[] = {
	{ .compatible = "rtnotify,line" },
	{ }
};
MODULE_DEVICE_TABLE(of, lines_compatible);

static struct platform_driver lines_driver = {
	.probe = lines_probe,
	.remove = lines_remove,
	.driver = {
		.name = "rtnotify-line",
		.of_match_table = lines_compatible,
	},
};

static void parameters_stop(void)
{
	lines_stop(lines);
	if (consumer)
		faux_device_destroy(consumer);
}

static int __init lines_init(void)
{
	unsigned int i;
	int ret = 0;

	if (irq_mask && irq_shared) {
		pr_err("a shared line cannot be masked\n");
		return -EINVAL;
	}
	lines = lines_alloc(irq_count + gpio_count);
	if (!lines)
		return -ENOMEM;
	if (gpio_count) {
		consumer = faux_device_create(KBUILD_MODNAME, NULL, NULL);
		if (!consumer) {
			kvfree(lines);
			return -ENOMEM;
		}
	}
	for (i = 0; i < irq_count && !ret; i++)
		ret = irq_start(&lines->lines[lines->count++], i);
	for (i = 0; i < gpio_count && !ret; i++)
		ret = gpio_find(&lines->lines[lines->count++], i);
	/* A device whose lines cannot be had is reported, and no reason not to load. */
	if (!ret)
		ret = platform_driver_register(&lines_driver);
	if (ret)
		parameters_stop();
	return ret;
}
module_init(lines_init);

static void __exit lines_exit(void)
{
	platform_driver_unregister(&lines_driver);
	parameters_stop();
}
module_exit(lines_exit);

MODULE_AUTHOR("The rtnotify authors");
MODULE_DESCRIPTION("Interrupt and GPIO lines as rtnotify sources");
MODULE_ALIAS("platform:rtnotify-line");
MODULE_LICENSE("GPL");
