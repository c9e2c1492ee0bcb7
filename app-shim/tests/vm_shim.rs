// SPDX-License-Identifier: MIT OR Apache-2.0

//! The controller on the real thing, in the guest: vectors and pins that are fed by the module's sources, by a
//! device's interrupts and by GPIO lines, in both modes.

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use app_shim::{Config, Controller, Edge, Mode};
use common::eventually;
use sigrt::{Device, SourceOptions};

fn started(mode: Mode, map: String) -> Controller {
    let controller = Controller::new(Config {
        mode,
        map: Some(map),
        queue_len: 4096,
        ..Config::default()
    });
    controller.unwrap()
}

/// Every event of a source runs its routine once, with its own payload and time, in order, while the program is busy.
fn events_of_the_module(mode: Mode) {
    const EVENTS: u64 = 5000;
    let device = Device::open_default().unwrap();
    let name = format!("shim-{}", std::process::id());
    let source = device.create_source(SourceOptions::new(&name)).unwrap();
    let map = format!("device:{name} vector 4 priority 5");
    let controller = started(mode, map);
    let (served, wrong, last) = <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
    let (count, bad, time) = (served.clone(), wrong.clone(), last.clone());
    let routine = move |event: &app_shim::Event<'_>| {
        let n = count.load(Ordering::Relaxed);
        let right = event.payload == n.to_ne_bytes()
            && event.value == Some(n)
            && event.missed == 0
            && event.time >= time.swap(event.time, Ordering::Relaxed);
        bad.fetch_add(u64::from(!right), Ordering::Relaxed);
        count.store(n + 1, Ordering::Release);
    };
    controller.connect(4, routine).unwrap();
    controller.start().unwrap();
    let poster = thread::spawn(move || {
        for n in 0..EVENTS {
            source.post(Some(n), &n.to_ne_bytes()).unwrap();
            // As many as there is room for in the subscription's queue.
            if n % 500 == 499 {
                eventually(|| served.load(Ordering::Acquire) > n);
            }
        }
        served
    });
    // In preempt mode this is what is interrupted.
    let mut allocated = 0;
    while !poster.is_finished() {
        allocated += vec![0_u8; 100 + allocated % 1000].len();
    }
    let served = poster.join().unwrap();
    assert_eq!(served.load(Ordering::Acquire), EVENTS);
    assert_eq!(wrong.load(Ordering::Relaxed), 0);
    let stats = controller.stats();
    assert!(stats.is_balanced(), "{stats:?}");
    if mode == Mode::Preempt {
        assert!(stats.signals_handled > 0, "{stats:?}");
    }
    controller.stop().unwrap();
}

#[test]
fn events_of_the_module_run_routines_on_the_dispatcher() {
    events_of_the_module(Mode::Thread);
}

#[test]
fn events_of_the_module_interrupt_the_program() {
    events_of_the_module(Mode::Preempt);
}

/// A device interrupts, its driver posts, and the program is interrupted in the middle of a loop that only that ends.
fn interrupts_of_a_device(mode: Mode) {
    let device = Device::open_default().unwrap();
    let edu = device.source("edu").unwrap();
    let controller = started(mode, "device:edu vector 9".to_owned());
    let answer = Arc::new(AtomicU64::new(0));
    let theirs = answer.clone();
    let routine = move |event: &app_shim::Event<'_>| {
        // The question's name, the number, its factorial.
        let word = |at: usize| {
            let bytes = event
                .payload
                .get(at..at + 4)
                .and_then(|b| b.try_into().ok());
            u64::from(bytes.map_or(0, u32::from_ne_bytes))
        };
        theirs.store(word(0) << 32 | word(8), Ordering::Release);
    };
    controller.connect(9, routine).unwrap();
    controller.start().unwrap();
    let mut wanted = 1_u32;
    for n in 1..=50_u32 {
        wanted = wanted.wrapping_mul(n);
        let question = [n.to_ne_bytes(), n.to_ne_bytes()].concat();
        edu.post(None, &question).unwrap();
        // As in programs for bare metal.
        while answer.load(Ordering::Acquire) != u64::from(n) << 32 | u64::from(wanted) {
            std::hint::spin_loop();
        }
    }
    assert_eq!(controller.count(9).unwrap(), 50);
    assert!(controller.stats().is_balanced());
    controller.stop().unwrap();
}

#[test]
fn interrupts_of_a_device_run_routines_on_the_dispatcher() {
    interrupts_of_a_device(Mode::Thread);
}

#[test]
fn interrupts_of_a_device_interrupt_the_program() {
    interrupts_of_a_device(Mode::Preempt);
}

/// A simulated chip.
fn simulated(bank: &gpiosim::Bank) -> gpiosim::Sim {
    let configfs = Path::new("/sys/kernel/config");
    if !configfs.join("gpio-sim").exists() {
        let mut mount = Command::new("mount");
        mount.args(["-t", "configfs", "none"]).arg(configfs);
        assert!(mount.status().unwrap().success(), "mounting configfs");
    }
    gpiosim::builder().with_bank(bank).live().unwrap()
}

/// A line of a simulated chip, without the module: each edge, with its level and the kernel's time.
#[test]
fn gpio_lines_feed_pins_and_vectors() {
    let bank = gpiosim::Bank::new(8, "shim").name(3, "DOOR").clone();
    let sim = simulated(&bank);
    let chip = &sim.chips()[0];
    chip.pullup(5).unwrap();
    let path = chip.dev_path().display();
    let controller = started(
        Mode::Thread,
        format!(
            "gpio:DOOR pin 3 vector 7 edge change\n\
             gpio:{path}/5 pin 5\n\
             gpio:{path}/6 vector 8 edge falling"
        ),
    );
    let seen = Arc::new(Mutex::new(Vec::new()));
    for vector in [7, 8] {
        let seen = seen.clone();
        let routine = move |event: &app_shim::Event<'_>| {
            let what = (vector, event.value.unwrap(), event.time);
            seen.lock().unwrap().push(what);
        };
        controller.connect(vector, routine).unwrap();
    }
    controller.start().unwrap();
    assert!(!controller.pin_read(3).unwrap());
    assert!(controller.pin_read(5).unwrap(), "as it was at the start");
    for n in 0..100_u64 {
        if n % 2 == 0 {
            chip.pullup(3).unwrap();
            chip.pullup(6).unwrap();
        } else {
            chip.pulldown(3).unwrap();
            chip.pulldown(6).unwrap();
        }
        // The kernel's own interface merges what comes before its thread has run; the module's sources do not.
        let wanted = n + 1 + n.div_ceil(2);
        eventually(|| seen.lock().unwrap().len() as u64 == wanted);
    }
    let seen = seen.lock().unwrap();
    let of = |vector| seen.iter().filter(move |e| e.0 == vector);
    assert!(of(7).map(|e| e.1).eq((0..100).map(|n| (n + 1) % 2)));
    assert!(of(8).all(|e| e.1 == 0) && of(8).count() == 50);
    for vector in [7, 8] {
        assert!(of(vector).is_sorted_by_key(|e| e.2), "the kernel's times");
    }
    drop(seen);
    // A pin alone has its level in order, and routines may be attached to it later.
    chip.pulldown(5).unwrap();
    eventually(|| !controller.pin_read(5).unwrap());
    let rung = Arc::new(AtomicBool::new(false));
    let theirs = rung.clone();
    controller
        .connect(1, move |_| theirs.store(true, Ordering::Relaxed))
        .unwrap();
    controller.pin_attach(5, 1, Edge::Rising).unwrap();
    chip.pullup(5).unwrap();
    eventually(|| rung.load(Ordering::Relaxed));
    assert!(controller.stats().is_balanced());
    controller.stop().unwrap();
}

/// Lines that are not there, or that somebody has.
#[test]
fn gpio_lines_that_cannot_be_had_are_named() {
    let bank = gpiosim::Bank::new(2, "shim");
    let sim = simulated(&bank);
    let path = sim.chips()[0].dev_path().display().to_string();
    let first = started(Mode::Thread, format!("gpio:{path}/1 vector 1"));
    first.start().unwrap();
    for (map, why) in [
        (format!("gpio:{path}/1 vector 1"), "busy"),
        (format!("gpio:{path}/9 vector 1"), "Invalid argument"),
        ("gpio:NOBODY vector 1".to_owned(), "no line has that name"),
        ("gpio:/nochip/1 vector 1".to_owned(), "No such file"),
    ] {
        let failure = started(Mode::Thread, map.clone()).start().unwrap_err();
        let text = failure.to_string();
        assert!(text.contains(map.split(' ').next().unwrap()), "{text}");
        assert!(text.contains(why), "{map}: {text}");
    }
    first.stop().unwrap();
}
