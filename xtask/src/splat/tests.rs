//! The detector against reports as Linux 7.2 writes them: the first four as
//! `tests/vm/splat` provoked them in a guest, the others after the kernel's
//! sources, since they cannot be provoked without harm.

use super::*;

fn only(log: &str) -> Report {
    let reports = scan(log);
    assert_eq!(reports.len(), 1, "{reports:#?}");
    reports.into_iter().next().unwrap()
}

const BOOT: &str = "\
[    0.000000] Linux version 7.2.13 (rtnotify@xtask) (gcc (Debian 12.2.0-14+deb12u1) 12.2.0) #1 SMP PREEMPT
[    0.000000] Command line: console=ttyS0 rdinit=/init panic=-1 reboot=t
[    0.160625] ** If you see this message and you are not debugging    **
[    2.199466] rcu: Hierarchical SRCU implementation.
[    3.867374] platform rtc_cmos: registered fallback platform RTC device
[    8.330130] overlayfs: ...falling back to uuid=null.
[    8.907698] rtnotify: loading out-of-tree module taints kernel.
[   11.342383] rtnotify-vm: verdict exit 0
[   11.399941] reboot: Restarting system
";

#[test]
fn a_clean_boot_has_no_report() {
    assert_eq!(scan(BOOT), []);
}

#[test]
fn a_warning() {
    let report = only(
        "\
[   11.340000] ------------[ cut here ]------------
[   11.341000] rtnotify_splat: as asked for
[   11.342383] WARNING: rtnotify_splat.c:57 at rtnotify_splat_init+0xdf/0x1000 [rtnotify_splat], CPU#0: exe/42
[   11.343561] Modules linked in: rtnotify_splat(O+) rtnotify_edu(O) rtnotify(O)
[   11.344850] CPU: 0 UID: 0 PID: 42 Comm: exe Tainted: G           O        7.2.13 #2 PREEMPT
[   11.356968] Call Trace:
[   11.357332]  <TASK>
[   11.362751]  do_one_initcall+0x61/0x280
[   11.371561]  </TASK>
[   11.372000] ---[ end trace 0000000000000000 ]---
[   11.399941] reboot: Restarting system
",
    );
    assert_eq!(
        (report.sign, report.severity),
        ("WARNING:", Severity::Report)
    );
    assert!(report.text.contains("do_one_initcall"));
    assert!(!report.text.contains("Restarting"));
}

#[test]
fn a_lock_order() {
    let report = only(
        "\
[    9.470260] ======================================================
[    9.471791] WARNING: possible circular locking dependency detected
[    9.473815] 7.2.13 #2 Tainted: G           O
[    9.474950] ------------------------------------------------------
[    9.475214] exe/41 is trying to acquire lock:
[    9.475527] ffffffffa0210160 (first){+.+.}-{4:4}, at: rtnotify_splat_init+0xbc/0x1000 [rtnotify_splat]
[    9.490988]                                lock(first);
[    9.491874]  *** DEADLOCK ***
[    9.496857] Call Trace:
[    9.496989]  <TASK>
[    9.497211]  dump_stack_lvl+0x62/0x90
[    9.498000]  </TASK>
",
    );
    assert_eq!(report.sign, "possible circular locking");
    assert!(report.text.starts_with("[    9.470260] ====="));
}

#[test]
fn a_sleep_in_atomic_context() {
    let report = only(
        "\
[    8.892637] BUG: sleeping function called from invalid context at rtnotify_splat.c:40
[    8.895094] in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 40, name: exe
[    8.902678] Call Trace:
[    8.902836]  <TASK>
[    8.904819]  </TASK>
",
    );
    assert_eq!(report.sign, "sleeping function called");
}

#[test]
fn an_oops_and_the_panic_after_it() {
    let oops = "\
[    6.936653] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    6.938103] #PF: supervisor write access in kernel mode
[    6.938930] Oops: Oops: 0002 [#1] SMP
[    6.950640] Call Trace:
";
    let report = only(oops);
    assert_eq!((report.sign, report.severity), ("BUG:", Severity::Report));

    let mut detector = Detector::default();
    let mut worst = None;
    let panic = "[    6.960000] Kernel panic - not syncing: Fatal exception in interrupt\n";
    for line in (oops.to_owned() + panic).lines() {
        worst = detector.line(line).or(worst);
    }
    assert_eq!(worst, Some(Severity::Fatal));
    assert_eq!(detector.reports().len(), 1);
    assert_eq!(detector.reports()[0].severity, Severity::Fatal);
}

#[test]
fn two_reports_are_two() {
    let log = "\
[    1.000000] BUG: sleeping function called from invalid context at a.c:1
[    1.100000]  </TASK>
[    2.000000] refcount_t: underflow; use-after-free.
[    2.100000] ---[ end trace 0000000000000000 ]---
";
    let signs: Vec<_> = scan(log).into_iter().map(|report| report.sign).collect();
    assert_eq!(signs, ["sleeping function called", "refcount_t:"]);
}

#[test]
fn every_other_report_is_found() {
    for (line, severity) in [
        (
            "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
            Severity::Fatal,
        ),
        (
            "watchdog: BUG: soft lockup - CPU#1 stuck for 48s! [exe:41]",
            Severity::Fatal,
        ),
        (
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            Severity::Fatal,
        ),
        (
            "INFO: task exe:41 blocked for more than 60 seconds.",
            Severity::Fatal,
        ),
        ("WARNING: inconsistent lock state", Severity::Report),
        ("WARNING: suspicious RCU usage", Severity::Report),
        (
            "WARNING: possible recursive locking detected",
            Severity::Report,
        ),
        (
            "WARNING: possible irq lock inversion dependency detected",
            Severity::Report,
        ),
        ("[ BUG: Invalid wait context ]", Severity::Report),
        (
            "BUG: scheduling while atomic: exe/41/0x00000002",
            Severity::Report,
        ),
        ("INFO: trying to register non-static key.", Severity::Report),
        ("DEBUG_LOCKS_WARN_ON(lock->magic != lock)", Severity::Report),
        (
            "Oops: general protection fault, probably for non-canonical address 0x1",
            Severity::Report,
        ),
        (
            "Unable to handle kernel paging request at virtual address 0",
            Severity::Report,
        ),
        ("kernel BUG at mm/slub.c:634!", Severity::Report),
        (
            "UBSAN: array-index-out-of-bounds in drivers/x.c:1:2",
            Severity::Report,
        ),
        (
            "BUG: KASAN: slab-use-after-free in rtnotify_post+0x1/0x2",
            Severity::Report,
        ),
        (
            "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            Severity::Report,
        ),
        (
            "BUG kmalloc-64 (Tainted: G           O       ): Poison overwritten",
            Severity::Report,
        ),
        (
            "BUG kmalloc-64 (Tainted: G           O       ): Right Redzone overwritten",
            Severity::Report,
        ),
        (
            "BUG client (Tainted: G  O): Objects remaining on __kmem_cache_shutdown()",
            Severity::Report,
        ),
        (
            "refcount_t: addition on 0; use-after-free.",
            Severity::Report,
        ),
        (
            "ODEBUG: free active (active state 0) object: 0 object type: hrtimer",
            Severity::Report,
        ),
        (
            "list_del corruption. prev->next should be 0, but was 1",
            Severity::Report,
        ),
        (
            "rust_kernel: panicked at rtnotify_main.rs:1:1:",
            Severity::Report,
        ),
        (
            "irq 10: nobody cared (try booting with the \"irqpoll\" option)",
            Severity::Report,
        ),
    ] {
        let report = only(&format!("[    1.234567] {line}\n"));
        assert_eq!(report.severity, severity, "{line}");
    }
}

#[test]
fn a_report_without_an_end_is_cut() {
    let log = "[ 1.0] BUG: x\n".to_owned() + &"[ 1.1] more\n".repeat(1000);
    assert_eq!(only(&log).text.lines().count(), 1 + REPORT_LINES);
}
