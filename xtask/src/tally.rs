//! Counts checks and tests, so that the last line of a run is the truth.
//!
//! What could not be run has failed: nothing is skipped in silence.

use anyhow::Result;

use crate::run::step;

/// The running count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// What failed, to be repeated at the end.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// Carries out one check and counts it; its value if it passed.
    pub(crate) fn check<T>(&mut self, name: &str, check: impl FnOnce() -> Result<T>) -> Option<T> {
        step(format!("== {name}"));
        match check() {
            Ok(value) => {
                println!("check {name} ... ok");
                self.passed += 1;
                Some(value)
            }
            Err(error) => {
                println!("check {name} ... FAILED\n{error:#}");
                self.fail(name);
                None
            }
        }
    }

    /// Counts a check that failed.
    pub(crate) fn fail(&mut self, name: &str) {
        self.failed += 1;
        self.failures.push(name.to_owned());
    }

    /// Counts checks that cannot be run, and says why.
    pub(crate) fn impossible(&mut self, names: &[&str], why: &str) {
        for name in names {
            println!("check {name} ... FAILED (cannot be run: {why})");
            self.fail(name);
        }
    }

    /// The last line of a run.
    pub(crate) fn summary(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }
}

/// Follows the output of `cargo test` and counts what it says.
#[derive(Debug, Default)]
pub(crate) struct CargoTest {
    passed: usize,
    failed: usize,
    pub(crate) ignored: usize,
    /// Test programs that were started and whose result has not come.
    open: usize,
    without_result: usize,
}

impl CargoTest {
    /// Looks at one line of standard output or error.
    pub(crate) fn line(&mut self, line: &str) {
        let text = line.trim();
        if text.starts_with("Running ") && text.ends_with(')') || text.starts_with("Doc-tests ") {
            // The one before has died without a word.
            self.without_result += self.open;
            self.open = 1;
        } else if let Some(result) = result_line(line) {
            self.open = 0;
            self.passed += result.0;
            self.failed += result.1;
            self.ignored += result.2;
        }
    }

    /// Adds everything to `tally`, given whether cargo itself succeeded.
    pub(crate) fn finish(self, success: bool, tally: &mut Tally) {
        tally.passed += self.passed;
        tally.failed += self.failed;
        if self.failed > 0 {
            tally
                .failures
                .push(format!("{} tests of the workspace", self.failed));
        }
        if success {
            return;
        }
        for _ in 0..self.without_result + self.open {
            tally.fail("a test program that ended without a result");
        }
        if self.failed == 0 && self.without_result + self.open == 0 {
            // It did not even compile, so that nobody knows how many.
            tally.fail("cargo test");
        }
    }
}

/// Passed, failed and ignored of a harness's last line:
/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`.
fn result_line(line: &str) -> Option<(usize, usize, usize)> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |name: &str| {
        counts
            .split(';')
            .find_map(|part| part.trim().strip_suffix(name)?.trim().parse().ok())
    };
    Some((count("passed")?, count("failed")?, count("ignored")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(text: &str, success: bool) -> Tally {
        let mut output = CargoTest::default();
        text.lines().for_each(|line| output.line(line));
        let mut tally = Tally::default();
        output.finish(success, &mut tally);
        tally
    }

    #[test]
    fn unit_integration_and_doc_tests_are_summed() {
        let tally = followed(
            "     Running unittests src/lib.rs (target/debug/deps/a-0123456789abcdef)\n\n\
             running 2 tests\ntest a ... ok\ntest b ... ok\n\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n\
             \x20    Running tests/list.rs (target/debug/deps/list-0123456789abcdef)\n\
             test result: ok. 10 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
             \x20  Doc-tests sigrt\n\
             test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n",
            true,
        );
        assert_eq!((tally.passed, tally.failed), (17, 0));
    }

    #[test]
    fn failed_tests_are_counted_once() {
        let tally = followed(
            "     Running unittests src/lib.rs (target/debug/deps/a-0123456789abcdef)\n\
             test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             error: test failed, to rerun pass `-p a --lib`\n",
            false,
        );
        assert_eq!((tally.passed, tally.failed), (1, 2));
    }

    #[test]
    fn a_test_program_that_dies_counts_as_failed() {
        let tally = followed(
            "     Running unittests src/lib.rs (target/debug/deps/a-0123456789abcdef)\n\
             running 3 tests\nerror: test failed, to rerun pass `-p a --lib`\n\
             Caused by:\n  process didn't exit successfully (signal: 11, SIGSEGV)\n\
             \x20    Running unittests src/lib.rs (target/debug/deps/b-0123456789abcdef)\n\
             test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
            false,
        );
        assert_eq!((tally.passed, tally.failed), (4, 1));
    }

    #[test]
    fn what_does_not_compile_counts_as_failed() {
        let tally = followed("error[E0425]: cannot find value `x`\n", false);
        assert_eq!((tally.passed, tally.failed), (0, 1));
    }

    #[test]
    fn checks_are_counted_and_named() {
        let mut tally = Tally::default();
        assert_eq!(tally.check("good", || Ok(3)), Some(3));
        assert_eq!(
            tally.check("bad", || -> Result<()> { anyhow::bail!("no") }),
            None
        );
        tally.impossible(&["x", "y"], "no kernel");
        assert_eq!(tally.summary(), "1 passed, 3 failed");
        assert_eq!(tally.failures, ["bad", "x", "y"]);
    }
}
