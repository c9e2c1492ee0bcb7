// SPDX-License-Identifier: MIT OR Apache-2.0

//! C programs that link the static library, built by GCC and Clang.

mod common;

use common::{compilers, succeeds};

/// The value after a word in what a program said.
#[track_caller]
fn number(said: &str, word: &str) -> u64 {
    let mut words = said.split_whitespace();
    words.find(|w| *w == word).unwrap();
    words.next().unwrap().parse().unwrap()
}

#[test]
fn a_million_preemptions_of_a_busy_thread_are_all_counted() {
    let [gcc, clang] = compilers().try_into().unwrap();
    // On the thread's own stack, and on one of the handler's.
    for (compiler, events, flags) in [(gcc, "600000", "0"), (clang, "400000", "1")] {
        let said = succeeds(&compiler, "preempt", &[events, flags]);
        assert!(number(&said, "served") >= events.parse().unwrap(), "{said}");
        assert_eq!(number(&said, "missed"), 0, "{said}");
        assert_eq!(number(&said, "wrong"), 0, "{said}");
        assert!(number(&said, "signals") > 100, "{said}");
        assert!(number(&said, "deepest") >= 2, "nothing nested: {said}");
    }
}

#[test]
fn services_work_between_routines_and_tasks() {
    for compiler in compilers() {
        for mode in ["0", "1"] {
            let said = succeeds(&compiler, "services", &[mode]);
            assert_eq!(said, "a 42 and text\nplain\n");
        }
    }
}

#[test]
fn locking_makes_no_system_call() {
    let compiler = &compilers()[0];
    for mode in ["0", "1"] {
        succeeds(compiler, "nosyscall", &[mode]);
    }
}
