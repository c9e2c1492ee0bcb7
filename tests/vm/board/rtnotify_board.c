// SPDX-License-Identifier: GPL-2.0
/*
 * Describes a device named "rtnotify-line", as a board file would.
 *
 * For tests only: the driver in rtnotify_lines binds to it.
 *
 *	insmod rtnotify_board.ko irq=47,48 trigger=1,3 gpio=gpio-sim.0-node0 line=3,4 id=0
 *
 * Nothing runs here but loading and unloading.
 */
#include <linux/err.h>
#include <linux/gpio/machine.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#define MAX_LINES	4

static int id = PLATFORM_DEVID_NONE;
module_param(id, int, 0444);
MODULE_PARM_DESC(id, "The device is named rtnotify-line.ID (default: without ID)");

static int irq[MAX_LINES];
static unsigned int irq_count;
module_param_array(irq, int, &irq_count, 0444);
MODULE_PARM_DESC(irq, "Interrupts of the device");

static unsigned int trigger[MAX_LINES];
module_param_array(trigger, uint, NULL, 0444);
MODULE_PARM_DESC(trigger, "Their triggers, as in IORESOURCE_IRQ_*");

static char *gpio = "";
module_param(gpio, charp, 0444);
MODULE_PARM_DESC(gpio, "Label of the chip of its GPIO lines");

static unsigned int line[MAX_LINES];
static unsigned int line_count;
module_param_array(line, uint, &line_count, 0444);
MODULE_PARM_DESC(line, "Its GPIO lines");

static bool active_low;
module_param(active_low, bool, 0444);
MODULE_PARM_DESC(active_low, "Its GPIO lines are active when they are low");

static struct gpiod_lookup_table *lookup;
static struct platform_device *device;
static char device_name[32];

static int __init rtnotify_board_init(void)
{
	struct resource resources[MAX_LINES] = {};
	unsigned int i;

	if (id == PLATFORM_DEVID_NONE)
		strscpy(device_name, "rtnotify-line");
	else
		snprintf(device_name, sizeof(device_name), "rtnotify-line.%d", id);
	lookup = kzalloc_flex(*lookup, table, MAX_LINES + 1);
	if (!lookup)
		return -ENOMEM;
	lookup->dev_id = device_name;
	for (i = 0; i < line_count; i++)
		lookup->table[i] = GPIO_LOOKUP_IDX(gpio, line[i], NULL, i,
						   active_low ? GPIO_ACTIVE_LOW : GPIO_ACTIVE_HIGH);
	gpiod_add_lookup_table(lookup);
	for (i = 0; i < irq_count; i++) {
		resources[i] = DEFINE_RES_IRQ(irq[i]);
		resources[i].flags |= trigger[i] & IORESOURCE_BITS;
	}
	device = platform_device_register_simple("rtnotify-line", id, resources, irq_count);
	if (IS_ERR(device)) {
		gpiod_remove_lookup_table(lookup);
		kfree(lookup);
		return PTR_ERR(device);
	}
	return 0;
}
module_init(rtnotify_board_init);

static void __exit rtnotify_board_exit(void)
{
	platform_device_unregister(device);
	gpiod_remove_lookup_table(lookup);
	kfree(lookup);
}
module_exit(rtnotify_board_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Describes lines as a board file would, for the tests");
