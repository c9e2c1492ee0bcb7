// SPDX-License-Identifier: MIT OR Apache-2.0

//! The checker names what C programs do wrong, and nothing else.

mod common;

use std::process::Output;

use common::{Compiler, build, compilers, program, run};

fn check(compiler: &Compiler, what: &str, mode: &str, environment: &[(&str, &str)]) -> Output {
    // Its own symbols are to be named in backtraces.
    let path = build(compiler, "check", &["-rdynamic"]);
    let mut command = program(&path);
    command.args([what, mode]).envs(environment.iter().copied());
    // No other checker may stand in the way of the first allocation.
    run(&mut command, common::LIMIT)
}

#[track_caller]
fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}:\n{said}", output.status);
    said
}

const ON: &[(&str, &str)] = &[("APP_SHIM_CHECK", "1"), ("APP_SHIM_ISR_LIMIT_US", "10000")];

#[test]
fn unsafe_calls_of_preemptive_routines_are_named_with_a_backtrace() {
    for compiler in compilers() {
        for what in [
            "malloc",
            "calloc",
            "realloc",
            "free",
            "printf",
            "fprintf",
            "puts",
            "fwrite",
            "pthread_mutex_lock",
        ] {
            let said = said(&check(&compiler, what, "1", ON));
            let line = "app-shim check: unsafe call: the service routine of vector 9 calls ";
            let named = said.lines().filter(|l| l.starts_with(line));
            let names: Vec<_> = named
                .map(|l| l[line.len()..].split(',').next().unwrap())
                .collect();
            assert!(names.contains(&what), "{what} of {}: {said}", compiler.c);
            assert!(said.contains("the_routine"), "no backtrace: {said}");
        }
    }
}

#[test]
fn what_takes_long_or_waits_or_stays_locked_is_named() {
    let compiler = &compilers()[0];
    for (what, mode, text) in [
        (
            "usleep",
            "1",
            "blocking call: the service routine of vector 9 calls usleep, which waits",
        ),
        (
            "usleep",
            "0",
            "blocking call: the service routine of vector 9 calls usleep, which waits",
        ),
        (
            "long",
            "1",
            "long routine: the service routine of vector 9 took ",
        ),
        (
            "unbalanced",
            "1",
            "unbalanced lock: the service routine of vector 9 returns at level 63",
        ),
        (
            "unbalanced",
            "0",
            "unbalanced lock: the service routine of vector 9 returns at level 63",
        ),
        (
            "locked",
            "1",
            "locked: a task calls usleep, which waits, with interrupts locked at level 63",
        ),
        (
            "locked-delay",
            "1",
            "locked: a task waits with interrupts locked at level 63",
        ),
        (
            "stuck",
            "1",
            "busy under lock: a task has had interrupts locked",
        ),
        (
            "stuck",
            "0",
            "busy under lock: a task has had interrupts locked",
        ),
    ] {
        let said = said(&check(compiler, what, mode, ON));
        assert!(said.contains(text), "{what} in mode {mode}: {said}");
    }
}

#[test]
fn nothing_is_named_where_nothing_is_wrong() {
    let compiler = &compilers()[0];
    for (what, mode, environment) in [
        ("nothing", "1", ON),
        ("nothing", "0", ON),
        // On a thread of its own a routine may allocate.
        ("malloc", "0", ON),
        ("printf", "0", ON),
        // Off, it is not looked at all.
        ("malloc", "1", &[("APP_SHIM_CHECK", "0")]),
    ] {
        let output = check(compiler, what, mode, environment);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = said(&output);
        assert!(
            !said.contains("app-shim check"),
            "{what} in mode {mode}: {said}"
        );
        assert!(stdout.contains("findings 0"), "{stdout}");
    }
}
