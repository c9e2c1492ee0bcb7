// SPDX-License-Identifier: MIT OR Apache-2.0

//! What holds for every command: help, JSON, colours, statuses, pipes, Ctrl-C.

mod common;

use std::io::Read as _;
use std::process::Stdio;

use common::{Terminal, command, err, finish, out, rtnotify, spawn, values, wait_for_line};
use nix::sys::signal::Signal;

const COMMANDS: [&str; 13] = [
    "doctor",
    "sources",
    "watch",
    "post",
    "call",
    "stats",
    "top",
    "record",
    "replay",
    "stress",
    "serve",
    "completions",
    "man",
];

#[test]
fn every_command_has_help_with_examples() {
    let all = out(&rtnotify("--help"));
    assert!(all.contains("Exit status"), "{all}");
    for name in COMMANDS {
        assert!(all.contains(name), "{name}");
        let output = rtnotify(&format!("{name} --help"));
        assert_eq!(output.status.code(), Some(0));
        let help = out(&output);
        assert!(help.contains("Examples:"), "{name}: {help}");
        assert!(
            help.contains("--json") && help.contains("--device"),
            "{name}"
        );
    }
}

#[test]
fn every_command_speaks_json() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("t.rtn");
    let trace = trace.display();
    let man = directory.path().join("man");
    for arguments in [
        "doctor".to_owned(),
        "sources --demo".to_owned(),
        "watch --demo -n 3".to_owned(),
        "post door knock --create".to_owned(),
        "stats --demo --for 100ms".to_owned(),
        "top --demo --once --interval 100ms".to_owned(),
        format!("record --demo -n 20 -o {trace}"),
        format!("replay {trace} --verify"),
        format!("replay {trace} --fast"),
        "stress --events 1000".to_owned(),
        "completions bash".to_owned(),
        "man".to_owned(),
        format!("man {}", man.display()),
    ] {
        let output = rtnotify(&format!("{arguments} --device loopback --json"));
        let values = values(&output);
        assert!(!values.is_empty(), "{arguments}: {}", err(&output));
        assert!(
            values.iter().all(serde_json::Value::is_object),
            "{arguments}"
        );
        let doctor = arguments == "doctor";
        assert!(
            doctor || output.status.success(),
            "{arguments}: {}",
            err(&output)
        );
    }
    // Nobody answers on the loopback.
    let output = rtnotify("call x --device loopback --json");
    assert!(output.stdout.is_empty());
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn errors_say_what_is_wrong_and_what_helps() {
    for (arguments, status, says) in [
        ("sources --device /no/such", 1, "modprobe rtnotify"),
        (
            "post --device loopback door",
            1,
            "there is no source \"door\": there are none at all",
        ),
        (
            "watch nothing --demo",
            1,
            "there are adc, door, burst, tick",
        ),
        ("watch 'x*' --demo", 1, "there is no source"),
        (
            "post --device loopback door --hex 0",
            2,
            "even number of digits",
        ),
        (
            "post --device loopback door --kind 65535",
            2,
            "below 0xfff0",
        ),
        ("post --device loopback door --rate 0", 2, "above 0"),
        ("watch", 2, "name a SOURCE"),
        ("watch --timer tick=1", 2, "a number with ns, us, ms or s"),
        ("watch --demo --value 3/1", 2, "nothing could match"),
        ("watch --demo --kind 4..2", 2, "comes after"),
        (
            "watch --demo --device /dev/null",
            2,
            "--demo makes its load on the loopback",
        ),
        (
            "watch --device loopback --timer tick=1us",
            1,
            "at least 20 µs",
        ),
        ("call x --device loopback", 1, "a loopback has no drivers"),
        (
            "stats --device loopback",
            1,
            "a loopback belongs to one process",
        ),
        ("top --device loopback --once", 1, "--demo"),
        ("top --demo", 2, "--once or --batch"),
        (
            "record --demo -o /no/such/file -n 1",
            1,
            "cannot write /no/such/file",
        ),
        ("replay /no/such/file", 1, "cannot read /no/such/file"),
        ("replay /dev/null", 1, "this is not a trace"),
        ("stress --producers 0", 2, "1..=64"),
        (
            "stress --producers 8 --queue 4",
            2,
            "--queue must be at least",
        ),
        ("frobnicate", 2, "unrecognized subcommand"),
        ("completions cobol", 2, "possible values"),
    ] {
        let output = rtnotify(arguments);
        let error = err(&output);
        assert!(error.contains(says), "{arguments}: {error}");
        assert_eq!(output.status.code(), Some(status), "{arguments}: {error}");
        assert!(output.stdout.is_empty(), "{arguments}: {}", out(&output));
    }
}

/// Colours are for terminals, and not even for those if `NO_COLOR` is set.
#[test]
fn colours_are_for_terminals_only() {
    let arguments = "watch --demo door -n 1";
    assert!(!out(&rtnotify(arguments)).contains('\x1b'));
    let (status, shown) = Terminal::new(command(arguments), 80, 24).end();
    assert!(status.success());
    assert!(shown.contains("\x1b[36mdoor\x1b[0m"), "{shown:?}");
    let mut plain = command(arguments);
    plain.env("NO_COLOR", "1");
    let (status, shown) = Terminal::new(plain, 80, 24).end();
    assert!(status.success());
    assert!(
        shown.contains("door") && !shown.contains('\x1b'),
        "{shown:?}"
    );
}

/// A reader that goes away is no failure, and nobody panics.
#[test]
fn a_closed_pipe_ends_commands_quietly() {
    for arguments in [
        "watch --demo --json",
        "top --demo --batch --interval 20ms",
        "record --demo -o -",
        "watch --demo",
    ] {
        let mut child = spawn(&mut command(arguments));
        let mut pipe = child.stdout.take().unwrap();
        pipe.read_exact(&mut [0; 16]).unwrap();
        drop(pipe);
        let output = finish(child);
        let error = err(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments}: {error}");
        assert!(
            !error.contains("panicked") && !error.contains("pipe"),
            "{error}"
        );
    }
    for arguments in ["--help", "man", "completions zsh", "sources --demo"] {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = finish(child);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments}: {}",
            err(&output)
        );
    }
}

/// Ctrl-C, and what `kill` sends, end a command with its account.
#[test]
fn ctrl_c_ends_commands_with_their_account() {
    for (arguments, signal, says) in [
        ("watch --demo", Signal::SIGINT, " posted, "),
        ("watch --demo", Signal::SIGTERM, " lost"),
        (
            "top --demo --batch --interval 20ms",
            Signal::SIGINT,
            " received, ",
        ),
        ("record --demo -o -", Signal::SIGHUP, " events recorded, "),
    ] {
        let mut child = spawn(&mut command(arguments));
        let mut pipe = child.stdout.take().unwrap();
        pipe.read_exact(&mut [0; 16]).unwrap();
        // Nothing must fill up while it ends.
        let rest = std::thread::spawn(move || std::io::copy(&mut pipe, &mut std::io::sink()));
        common::interrupt(&child, signal);
        let output = finish(child);
        rest.join().unwrap().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}");
        assert!(err(&output).contains(says), "{arguments}: {}", err(&output));
    }
    let mut child = spawn(&mut command("watch --demo --json"));
    let (line, rest) = wait_for_line(&mut child);
    assert!(line.starts_with("{\"event\""), "{line}");
    common::interrupt(&child, Signal::SIGINT);
    drop(rest);
    assert_eq!(finish(child).status.code(), Some(0));
}

#[test]
fn completions_are_made_for_every_shell() {
    for (shell, says) in [
        ("bash", "complete -F _rtnotify"),
        ("zsh", "#compdef rtnotify"),
        ("fish", "complete -c rtnotify"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = out(&rtnotify(&format!("completions {shell}")));
        assert!(script.contains(says), "{shell}");
        for name in COMMANDS {
            assert!(script.contains(name), "{shell} does not know {name}");
        }
    }
}

/// A page for each command, and groff has no complaint about any of them.
#[test]
fn manual_pages_are_complete() {
    let directory = tempfile::tempdir().unwrap();
    let output = rtnotify(&format!("man {}", directory.path().display()));
    assert!(output.status.success(), "{}", err(&output));
    let pages: Vec<_> = out(&output).lines().map(str::to_owned).collect();
    for name in COMMANDS {
        let wanted = format!("rtnotify-{name}.1");
        assert!(pages.iter().any(|page| page.ends_with(&wanted)), "{wanted}");
    }
    assert!(pages.iter().any(|page| page.ends_with("/rtnotify.1")));
    for page in &pages {
        let groff = std::process::Command::new("groff")
            .args(["-man", "-Kutf8", "-Tutf8", "-ww", "-rF0", page])
            .output()
            .expect("groff is needed to check manual pages");
        assert!(groff.status.success(), "{page}");
        assert_eq!(err(&groff), "", "{page}");
        assert!(out(&groff).contains("Examples:") || page.ends_with("/rtnotify.1"));
    }
    assert!(out(&rtnotify("man")).contains(".TH rtnotify 1"));
}

/// `RTNOTIFY_DEVICE` names the device, `--device` overrules it.
#[test]
fn the_device_is_named_by_option_or_environment() {
    let mut by_environment = command("watch --timer tick=1ms -n 1");
    by_environment.env("RTNOTIFY_DEVICE", "/no/such/device");
    let output = finish(spawn(&mut by_environment));
    assert!(err(&output).contains("/no/such/device"), "{}", err(&output));
    let mut overruled = command("watch --timer tick=1ms -n 1 --device loopback");
    overruled.env("RTNOTIFY_DEVICE", "/no/such/device");
    assert!(finish(spawn(&mut overruled)).status.success());
}

/// What `docs/cli.md` shows of `doctor` and `top` is what they show today, but for the figures.
#[test]
fn captures_are_of_today() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = std::fs::read_to_string(page).unwrap();
    let capture = |command: &str| {
        let start = format!("```text\n$ {command}\n");
        let (_, rest) = page.split_once(&start).expect("a capture of it");
        rest.split_once("```").unwrap().0.to_owned()
    };
    let checks: Vec<_> = values(&rtnotify("doctor --json"))
        .iter()
        .map(|check| check["check"].as_str().unwrap().to_owned())
        .collect();
    let shown: Vec<_> = capture("rtnotify doctor")
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line[5..25].trim().to_owned())
        .collect();
    assert_eq!(shown, checks);

    let frame = out(&rtnotify("top --demo --once --interval 100ms"));
    // Frames, heads and keys: what has no figures in it.
    let form = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with("rtnotify top"))
            .filter(|line| line.contains("name ") || !line.starts_with('│'))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(form(&capture("rtnotify top --demo --once")), form(&frame));
}
