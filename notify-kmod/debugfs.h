/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What debugfs.c offers to the Rust side, and what it calls there.
 */
#ifndef RTNOTIFY_DEBUGFS_H
#define RTNOTIFY_DEBUGFS_H

struct seq_file;

void rtnotify_debugfs_init(void);
void rtnotify_debugfs_exit(void);

/* In inspect.rs: 0 or a negative errno. */
int rtnotify_rs_show_clients(struct seq_file *m);
int rtnotify_rs_show_sources(struct seq_file *m);

#endif
