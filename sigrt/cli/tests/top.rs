// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify top`: as text, as JSON, and on a terminal.

mod common;

use common::{Terminal, command, err, json, out, rtnotify};

#[test]
fn top_once_prints_a_frame() {
    let output = rtnotify("top --demo --once --interval 300ms");
    assert!(output.status.success(), "{}", err(&output));
    let text = out(&output);
    assert!(text.starts_with("rtnotify top  "), "{text}");
    for wanted in [
        "loopback: 4 sources, 3 subscribers",
        " adc ",
        "display",
        "half in",
        "q quit",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let columns = text.lines().map(|line| line.chars().count()).max();
    assert_eq!(columns, Some(110), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn top_shows_rates_losses_and_latencies() {
    let frames = json("top --demo --batch --json -n 3 --interval 400ms");
    assert_eq!(frames.len(), 3);
    let last = &frames[2];
    let rate = |value: &serde_json::Value| value.as_f64().unwrap();
    let adc = &last["sources"][0];
    assert_eq!(adc["name"], "adc");
    let moves = |what: &dyn Fn(&serde_json::Value) -> f64| frames.iter().any(|f| what(f) > 0.0);
    assert!(moves(&|f| rate(&f["sources"][0]["posted_per_s"])), "{adc}");
    assert!(adc["latency"]["p99_ns"].as_u64() >= adc["latency"]["p50_ns"].as_u64());
    assert!(adc["latency"]["events"].as_u64() > Some(0));
    for (n, subscriber) in last["subscribers"].as_array().unwrap().iter().enumerate() {
        assert_eq!(subscriber["balanced"], true, "{subscriber}");
        let moves = moves(&|f| rate(&f["subscribers"][n]["consumed_per_s"]));
        assert!(moves, "{subscriber}");
    }
    // The display is too slow for bursts of 200.
    let display = &last["subscribers"][2];
    assert_eq!(display["name"], "display");
    assert!(display["lost"].as_u64() > Some(0), "{display}");
}

#[test]
fn top_sorts() {
    let frame = &json("top --demo --once --json --sort name --interval 100ms")[0];
    let names: Vec<_> = frame["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["adc", "burst", "door", "tick"]);
    let frame = &json("top --demo --batch -n 4 --json --sort lost --interval 400ms")[3];
    assert_eq!(frame["subscribers"][0]["name"], "display");
}

/// It listens itself to what is named, so it knows how late that is.
#[test]
fn top_listens_to_what_is_named() {
    let frame = &json("top --device loopback --timer tick=1ms --once --json --interval 300ms")[0];
    assert_eq!(frame["subscribers"][0]["name"], "top");
    assert!(
        frame["sources"][0]["latency"]["events"].as_u64() > Some(0),
        "{frame}"
    );
}

/// Open files of others, from the module's debugfs.
#[test]
fn top_shows_the_clients_of_the_module() {
    let directory = tempfile::tempdir().unwrap();
    let line = "client=7 pid=4194304 uid=0 state=registered sources=0 subscriptions=1 \
                posted=10 consumed=5 queued=2 lost_quota=3 high_water=6\n\
                client=8 pid=4194304 uid=0 state=- posted=0\n";
    std::fs::write(directory.path().join("clients"), line).unwrap();
    let arguments = format!(
        "top --device loopback --timer tick=10ms --once --interval 50ms --debugfs {}",
        directory.path().display()
    );
    let text = out(&rtnotify(&arguments));
    assert!(
        text.contains("2 subscribers"),
        "who has no queue is left out: {text}"
    );
    let row = text
        .lines()
        .find(|line| line.contains("[4194304] #7"))
        .unwrap();
    let words: Vec<_> = row.split_whitespace().collect();
    assert_eq!(words[2..8], ["5", "0", "2", "6", "3", "0"], "{row}");
}

/// Draws, takes keys, and leaves the terminal as it was.
#[test]
fn top_works_on_a_terminal() {
    let mut terminal = Terminal::new(command("top --demo --interval 100ms"), 120, 30);
    terminal.expect("\x1b[?1049h");
    terminal.expect("subscribers");
    terminal.press("?");
    terminal.expect("keys and columns");
    terminal.press("?");
    terminal.press("p");
    terminal.expect("paused");
    terminal.press("psss");
    terminal.expect("lost");
    terminal.press("q");
    terminal.expect("\x1b[?1049l");
    let (status, rest) = terminal.end();
    assert!(status.success());
    assert!(
        rest.contains(" posted, ") && rest.contains(" received, "),
        "{rest:?}"
    );
    // Ctrl-C is a key there.
    let mut terminal = Terminal::new(command("top --demo --interval 100ms"), 60, 10);
    terminal.expect("rtnotify top");
    terminal.press("\x03");
    terminal.expect("\x1b[?1049l");
    assert!(terminal.end().0.success());
}
