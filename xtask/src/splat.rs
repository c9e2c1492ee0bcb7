//! Finds reports in the kernel's log: every one fails the run.
//!
//! A command's exit status says nothing about what happened in the kernel, so
//! success needs a log without any of the signs below. They are searched
//! anywhere in a line: to find one report too many is better than one too few.

/// How much of a report is shown.
const REPORT_LINES: usize = 80;

/// What a report means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The kernel goes on; the run may finish, and fails.
    Report,
    /// The kernel is dead or stuck: nothing is worth waiting for.
    Fatal,
}

/// Signs of a report, and what they mean. The first that matches names it.
const SIGNS: &[(&str, Severity)] = &[
    ("Kernel panic", Severity::Fatal),
    ("soft lockup", Severity::Fatal),
    ("hard LOCKUP", Severity::Fatal),
    ("rcu: INFO:", Severity::Fatal),
    ("INFO: rcu", Severity::Fatal),
    ("blocked for more than", Severity::Fatal),
    ("hung task", Severity::Fatal),
    ("possible circular locking", Severity::Report),
    ("possible recursive locking", Severity::Report),
    ("possible irq lock inversion", Severity::Report),
    ("inconsistent lock state", Severity::Report),
    ("suspicious RCU", Severity::Report),
    ("sleeping function called", Severity::Report),
    ("scheduling while atomic", Severity::Report),
    ("Invalid wait context", Severity::Report),
    ("held lock freed", Severity::Report),
    ("bad unlock balance", Severity::Report),
    ("DEBUG_LOCKS_WARN_ON", Severity::Report),
    ("INFO: possible", Severity::Report),
    ("INFO: trying to register non-static key", Severity::Report),
    ("KASAN:", Severity::Report),
    ("KCSAN:", Severity::Report),
    ("UBSAN:", Severity::Report),
    ("KFENCE:", Severity::Report),
    ("new suspected memory leak", Severity::Report),
    ("kmemleak: unreferenced object", Severity::Report),
    ("ODEBUG:", Severity::Report),
    ("refcount_t:", Severity::Report),
    ("Poison overwritten", Severity::Report),
    ("Redzone", Severity::Report),
    ("Object already free", Severity::Report),
    ("Objects remaining", Severity::Report),
    ("list_add corruption", Severity::Report),
    ("list_del corruption", Severity::Report),
    ("general protection fault", Severity::Report),
    ("Unable to handle", Severity::Report),
    ("kernel BUG at", Severity::Report),
    ("BUG:", Severity::Report),
    ("BUG ", Severity::Report),
    ("WARNING:", Severity::Report),
    ("Oops", Severity::Report),
    ("Bad page state", Severity::Report),
    ("rust_kernel: panicked", Severity::Report),
    ("nobody cared", Severity::Report),
    ("Call Trace", Severity::Report),
];

/// Lines that hold a sign and are no report.
const HARMLESS: &[&str] = &[
    // Both are said at boot about settings, by kernels that are in order.
    "Kernel command line:",
    "Command line:",
    "KASAN: KernelAddressSanitizer initialized",
    "kmemleak: Kernel memory leak detector initialized",
];

/// One report: the sign that gave it away, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) sign: &'static str,
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

/// Watches a log as it grows.
#[derive(Default)]
pub(crate) struct Detector {
    reports: Vec<Report>,
    /// Lines that the last report may still take.
    open: usize,
    previous: Option<String>,
}

impl Detector {
    /// Looks at one line; what it means, if it begins a report or makes the
    /// current one worse.
    pub(crate) fn line(&mut self, line: &str) -> Option<Severity> {
        let line = line.trim_end_matches(['\r', '\n']);
        let found = sign(line);
        let mut news = None;
        if self.open > 0 {
            // The lines of a report hold further signs, such as its call trace.
            self.open -= 1;
            let last = self.reports.last_mut()?;
            last.text.push('\n');
            last.text.push_str(line);
            if let Some((sign, Severity::Fatal)) = found
                && last.severity == Severity::Report
            {
                (last.sign, last.severity) = (sign, Severity::Fatal);
                news = Some(Severity::Fatal);
            }
            if ends_report(line) {
                self.open = 0;
            }
        } else if let Some((sign, severity)) = found {
            // Many reports begin with a ruler or "cut here".
            let head = self.previous.take().filter(|line| is_ruler(line));
            let text = head.map(|line| line + "\n").unwrap_or_default() + line;
            self.reports.push(Report {
                sign,
                severity,
                text,
            });
            self.open = REPORT_LINES;
            news = Some(severity);
        }
        self.previous = Some(line.to_owned());
        news
    }

    /// All reports so far.
    pub(crate) fn reports(&self) -> &[Report] {
        &self.reports
    }
}

/// The reports in a whole log.
#[cfg(test)]
fn scan(log: &str) -> Vec<Report> {
    let mut detector = Detector::default();
    for line in log.lines() {
        detector.line(line);
    }
    detector.reports
}

fn sign(line: &str) -> Option<(&'static str, Severity)> {
    if HARMLESS.iter().any(|harmless| line.contains(harmless)) {
        return None;
    }
    SIGNS.iter().find(|(sign, _)| line.contains(sign)).copied()
}

fn ends_report(line: &str) -> bool {
    line.contains("---[ end ") || line.contains("</TASK>") || line.contains("rtnotify-vm: verdict")
}

fn is_ruler(line: &str) -> bool {
    let text = line.split_once("] ").map_or(line, |(_, text)| text);
    text.contains("cut here") || (text.len() > 10 && text.chars().all(|c| c == '='))
}

#[cfg(test)]
mod tests;
