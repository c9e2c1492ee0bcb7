// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/rtnotify/{clients,sources}: one line per open file and per source.
 *
 * The kernel's Rust abstraction of debugfs sets no owner for its files (Linux 7.2, rust/kernel/debugfs), so
 * that the release function of a file still open would be gone with the module; hence C. Process context. What
 * is printed, and under which locks, is in inspect.rs. Without debugfs nothing is created, and that is no error.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "debugfs.h"

static struct dentry *directory;

static int clients_show(struct seq_file *m, void *unused)
{
	return rtnotify_rs_show_clients(m);
}
DEFINE_SHOW_ATTRIBUTE(clients);

static int sources_show(struct seq_file *m, void *unused)
{
	return rtnotify_rs_show_sources(m);
}
DEFINE_SHOW_ATTRIBUTE(sources);

/* Called once, when the tables that are shown can be used. */
void rtnotify_debugfs_init(void)
{
	directory = debugfs_create_dir("rtnotify", NULL);
	debugfs_create_file("clients", 0400, directory, NULL, &clients_fops);
	debugfs_create_file("sources", 0400, directory, NULL, &sources_fops);
}

/* Waits for readers; nothing is shown any more when it returns. May sleep. */
void rtnotify_debugfs_exit(void)
{
	debugfs_remove(directory);
}
