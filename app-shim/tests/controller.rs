// SPDX-License-Identifier: MIT OR Apache-2.0

//! The controller in thread mode: vectors, events, pins, time, feeds.

mod common;

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use app_shim::{Config, Controller, Edge, Error, Mode, PinMode, Raise, Time, Timeout, in_isr};
use common::{LIMIT, eventually};
use sigrt::{Device, Source};

fn controller(config: Config) -> Controller {
    Controller::new(Config {
        realtime: false,
        ..config
    })
    .unwrap()
}

fn started(config: Config) -> Controller {
    let controller = controller(config);
    controller.start().unwrap();
    controller
}

fn source(device: &Device, name: &str) -> Source {
    device.source(name).unwrap()
}

#[test]
fn sources_feed_their_vectors_in_order_with_all_that_they_say() {
    let controller = controller(Config {
        map: Some("loopback:a vector 0\nloopback:b vector 255 priority 2".to_owned()),
        ..Config::default()
    });
    let log = Arc::new(Mutex::new(Vec::new()));
    for vector in [0, 255] {
        let log = Arc::clone(&log);
        controller
            .connect(vector, move |event| {
                assert!(in_isr());
                log.lock()
                    .unwrap()
                    .push((vector, event.value, event.payload.to_vec(), event.time));
            })
            .unwrap();
    }
    controller.start().unwrap();
    let device = controller.loopback();
    let (a, b) = (source(&device, "a"), source(&device, "b"));
    let long = vec![7; 1000];
    for n in 0..100 {
        a.post(Some(n), b"abc").unwrap();
        b.post(Some(n), &long).unwrap();
    }
    eventually(|| log.lock().unwrap().len() == 200);
    let log = log.lock().unwrap();
    for vector in [0, 255] {
        let own: Vec<_> = log.iter().filter(|e| e.0 == vector).collect();
        assert!(own.iter().map(|e| e.1).eq((0..100).map(Some)));
        assert!(own.is_sorted_by_key(|e| e.3), "times as they were posted");
        let wanted = if vector == 0 { &b"abc"[..] } else { &long };
        assert!(own.iter().all(|e| e.2 == wanted));
    }
    assert_eq!(controller.vector_stats(255).unwrap().priority, 2);
    assert!(controller.stats().is_balanced());
}

#[test]
fn losses_of_a_source_and_of_a_full_queue_are_in_the_next_event() {
    let controller = started(Config {
        queue_len: 4,
        ..Config::default()
    });
    let missed = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&missed);
    controller
        .connect(3, move |event| {
            theirs
                .lock()
                .unwrap()
                .push((event.value.unwrap(), event.missed));
        })
        .unwrap();
    let key = controller.int_lock();
    for n in 0..10 {
        let wanted = if n < 4 { Ok(()) } else { Err(Error::Full) };
        assert_eq!(controller.raise(&Raise::new(3).value(n)), wanted);
    }
    controller.int_unlock(key);
    controller.raise(&Raise::new(3).value(10)).unwrap();
    assert_eq!(
        *missed.lock().unwrap(),
        [(0, 0), (1, 0), (2, 0), (3, 0), (10, 6)]
    );
    let stats = controller.stats();
    assert_eq!((stats.raised, stats.served, stats.missed), (11, 5, 6));
    assert!(stats.is_balanced());
}

#[test]
fn spurious_and_unhandled_events_are_counted() {
    let controller = started(Config::default());
    assert_eq!(controller.raise(&Raise::new(9)), Err(Error::NotConnected));
    assert_eq!(controller.raise(&Raise::new(256)), Err(Error::Invalid));
    controller.connect(9, |_| {}).unwrap();
    assert_eq!(controller.connect(9, |_| {}), Err(Error::Busy));
    controller.disconnect(9).unwrap();
    assert_eq!(controller.disconnect(9), Err(Error::NotConnected));
    controller.raise(&Raise::new(9)).unwrap();
    let stats = controller.stats();
    assert_eq!((stats.spurious, stats.unhandled), (1, 1));
    assert!(stats.is_balanced());
}

#[test]
fn disabled_vectors_keep_what_is_pending() {
    let controller = started(Config::default());
    controller.connect(1, |_| {}).unwrap();
    controller.set_enabled(1, false).unwrap();
    for _ in 0..3 {
        controller.raise(&Raise::new(1)).unwrap();
    }
    assert_eq!(controller.vector_stats(1).unwrap().pending, 3);
    assert_eq!(controller.count(1), Ok(0));
    controller.set_enabled(1, true).unwrap();
    assert_eq!(controller.count(1), Ok(3));
    controller.set_enabled(1, false).unwrap();
    controller.raise(&Raise::new(1)).unwrap();
    assert_eq!(controller.clear_pending(1), Ok(1));
    controller.set_enabled(1, true).unwrap();
    assert_eq!(controller.count(1), Ok(3));
    assert!(controller.stats().is_balanced());
}

#[test]
fn disconnecting_waits_for_the_routine() {
    let controller = started(Config::default());
    let (entered, inside) = mpsc::sync_channel(1);
    let (leave, left) = mpsc::sync_channel::<()>(1);
    let left = Mutex::new(left);
    let done = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&done);
    controller
        .connect(1, move |_| {
            entered.send(()).unwrap();
            left.lock().unwrap().recv().unwrap();
            theirs.store(true, Ordering::SeqCst);
        })
        .unwrap();
    let other = controller.clone();
    // Not the CPU's holder: the dispatcher serves it.
    thread::spawn(move || other.raise(&Raise::new(1)).unwrap())
        .join()
        .unwrap();
    inside.recv().unwrap();
    let waiting = {
        let controller = controller.clone();
        thread::spawn(move || {
            controller.disconnect(1).unwrap();
            done.load(Ordering::SeqCst)
        })
    };
    leave.send(()).unwrap();
    assert!(waiting.join().unwrap(), "the routine had returned");
}

#[test]
fn a_locked_main_program_is_not_disturbed_by_the_dispatcher() {
    let controller = started(Config::default());
    let inside = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&inside);
    controller
        .connect(1, move |_| {
            theirs.store(true, Ordering::SeqCst);
            thread::yield_now();
            theirs.store(false, Ordering::SeqCst);
        })
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let raiser = {
        let (controller, stop) = (controller.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let event = Raise::new(1);
                controller.raise_wait(&event, Timeout::Forever).unwrap();
                // Without a pause there is always something to serve, and the unlock that serves it goes on for long.
                thread::sleep(Duration::from_micros(50));
            }
        })
    };
    let deadline = Instant::now() + LIMIT;
    while controller.count(1).unwrap() < 2000 {
        assert!(Instant::now() < deadline, "it never happened");
        let key = controller.int_lock();
        let nested = controller.int_lock();
        assert_eq!(nested, 63);
        assert!(
            !inside.load(Ordering::SeqCst),
            "a routine runs beside a lock"
        );
        controller.int_unlock(nested);
        assert!(!inside.load(Ordering::SeqCst), "the inner unlock unlocked");
        controller.int_unlock(key);
    }
    stop.store(true, Ordering::SeqCst);
    raiser.join().unwrap();
}

#[test]
fn edges_are_matched_in_order_and_may_change_inside_a_routine() {
    let controller = started(Config::default());
    let log = Arc::new(Mutex::new(Vec::new()));
    let (theirs, inner) = (Arc::clone(&log), controller.clone());
    controller
        .connect(4, move |event| {
            let pin = event.pin.unwrap();
            let level = inner.pin_read(pin).unwrap();
            theirs.lock().unwrap().push((event.time, level));
            // Rising, then falling, then rising, as pulse decoders do.
            let next = if level { Edge::Falling } else { Edge::Rising };
            inner.pin_attach(pin, 4, next).unwrap();
        })
        .unwrap();
    controller.pin_attach(2, 4, Edge::Rising).unwrap();
    let key = controller.int_lock();
    let levels = [false, true, true, false, false, true, false];
    for (time, level) in (1..).zip(levels) {
        controller.pin_raise(2, level, Some(time)).unwrap();
    }
    controller.int_unlock(key);
    assert_eq!(
        *log.lock().unwrap(),
        [(2, true), (4, false), (6, true), (7, false)]
    );
    let stats = controller.stats();
    assert_eq!((stats.served, stats.filtered), (4, 3));
    assert!(stats.is_balanced());
    controller.disconnect(4).unwrap();
}

/// A quadrature decoder reads the other pin inside the routine: as it was then, however late that is.
#[test]
fn other_pins_read_inside_a_routine_are_as_of_its_event() {
    let controller = started(Config::default());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (theirs, inner) = (Arc::clone(&seen), controller.clone());
    controller
        .connect(5, move |event| {
            if event.pin == Some(0) {
                theirs.lock().unwrap().push(inner.pin_read(1).unwrap());
            }
        })
        .unwrap();
    controller.pin_attach(0, 5, Edge::Change).unwrap();
    controller.pin_attach(1, 5, Edge::None).unwrap();
    let key = controller.int_lock();
    for (pin, level) in [(1, true), (0, true), (1, false), (0, false), (1, true)] {
        controller.pin_raise(pin, level, None).unwrap();
    }
    assert_eq!(controller.pin_read(1), Ok(false), "nothing was served yet");
    controller.int_unlock(key);
    assert_eq!(*seen.lock().unwrap(), [true, false]);
    assert_eq!(controller.pin_read(1), Ok(true));
    controller.disconnect(5).unwrap();
}

#[test]
fn outputs_are_written_read_and_told() {
    let controller = started(Config::default());
    let told = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&told);
    controller.on_pin_write(Some(Arc::new(move |pin, level, _time| {
        theirs.lock().unwrap().push((pin, level));
    })));
    assert_eq!(controller.pin_read(3), Ok(false));
    controller.pin_write(3, true).unwrap();
    assert_eq!(controller.pin_mode(3), Ok(PinMode::PullUp));
    assert_eq!(controller.pin_read(3), Ok(true), "pulled up");
    controller.set_pin_mode(3, PinMode::Output).unwrap();
    controller.pin_write(3, false).unwrap();
    controller.pin_write(3, true).unwrap();
    assert_eq!(controller.pin_read(3), Ok(true));
    assert_eq!(*told.lock().unwrap(), [(3, false), (3, true)]);
    assert_eq!(controller.pin_read(256), Err(Error::Invalid));
}

#[test]
fn virtual_time_is_exact() {
    let controller = started(Config {
        time: Time::Virtual,
        ..Config::default()
    });
    let epoch = controller.epoch();
    let log = Arc::new(Mutex::new(Vec::new()));
    for vector in [1, 2] {
        let (theirs, inner) = (Arc::clone(&log), controller.clone());
        controller
            .connect(vector, move |event| {
                let late = inner.now() - inner.epoch();
                assert_eq!(inner.now(), event.time);
                theirs.lock().unwrap().push((vector, late));
            })
            .unwrap();
    }
    controller.timer_set(1, 100_000, 100_000).unwrap();
    assert_eq!(controller.next_expiry(), Ok(100_000));
    controller
        .raise(&Raise::new(2).at(epoch + 250_000))
        .unwrap();
    assert_eq!(controller.now(), epoch + 250_000);
    controller.advance(100_000).unwrap();
    controller.timer_cancel(1).unwrap();
    controller.delay(1_000_000_000).unwrap();
    assert_eq!(controller.now(), epoch + 1_000_350_000);
    assert_eq!(controller.next_expiry(), Err(Error::Unavailable));
    assert_eq!(
        *log.lock().unwrap(),
        [(1, 100_000), (1, 200_000), (2, 250_000), (1, 300_000)]
    );
    for vector in [1, 2] {
        controller.disconnect(vector).unwrap();
    }
}

#[test]
fn clamped_time_does_not_run_backwards() {
    let controller = started(Config {
        time: Time::Clamped,
        ..Config::default()
    });
    assert_eq!(controller.advance(1), Err(Error::Unsupported));
    let (theirs, inner) = (Arc::new(AtomicU64::new(0)), controller.clone());
    let seen = Arc::clone(&theirs);
    controller
        .connect(1, move |_| theirs.store(inner.now(), Ordering::SeqCst))
        .unwrap();
    let before = controller.now();
    controller.raise(&Raise::new(1).at(before - 1000)).unwrap();
    assert!(seen.load(Ordering::SeqCst) >= before);
    assert!(controller.now() >= seen.load(Ordering::SeqCst));
    controller.disconnect(1).unwrap();
}

#[test]
fn timers_files_descriptors_and_signals_feed_vectors() {
    let mut path = tempfile::NamedTempFile::new().unwrap();
    path.write_all(b"from a file").unwrap();
    let controller = controller(Config::default());
    let signo = sigrt::sys::sigrtmin() + 5;
    let map = format!(
        "timer:1ms vector 1; file:{} vector 2 # a comment\nsignal:{signo} vector 3; signal:USR2 vector 4",
        path.path().display()
    );
    controller.map(&map).unwrap();
    let bytes = Arc::new(Mutex::new(Vec::<u8>::new()));
    let theirs = Arc::clone(&bytes);
    controller.connect(1, |_| {}).unwrap();
    controller
        .connect(2, move |event| theirs.lock().unwrap().extend(event.payload))
        .unwrap();
    let values = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&values);
    controller
        .connect(3, move |event| theirs.lock().unwrap().push(event.value))
        .unwrap();
    controller.connect(4, |_| {}).unwrap();
    controller.start().unwrap();
    let me = std::process::id();
    for n in 0..10 {
        sigrt::realtime::send(me, signo, n).unwrap();
    }
    // Of a standard signal the system keeps one: so each has been counted before the next.
    for n in 1..=3 {
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGUSR2).unwrap();
        eventually(|| controller.count(4).unwrap() == n);
    }
    eventually(|| controller.count(1).unwrap() >= 5 && controller.count(3).unwrap() == 10);
    let mut values = std::mem::take(&mut *values.lock().unwrap());
    // Several threads may have been interrupted.
    values.sort_unstable();
    assert!(values.into_iter().eq((0..10).map(Some)));
    eventually(|| bytes.lock().unwrap().as_slice() == b"from a file");
    assert_eq!(controller.count(3), Ok(10), "one for each signal");
    let failure = controller.map("file:/no/such/file vector 4").unwrap_err();
    assert_eq!(failure.error, Error::Os);
    // What came before the part that cannot be had is not fed, either.
    let failure = controller
        .map("loopback:half vector 5; file:/no/such/file vector 6")
        .unwrap_err();
    assert_eq!(failure.error, Error::Os);
    let half = controller.loopback().source("half").unwrap();
    let info = controller.loopback().sources().unwrap();
    let info = info.iter().find(|info| info.number == half.number());
    assert_eq!(info.unwrap().subscribers, 0);
    controller.stop().unwrap();
}

#[test]
fn what_is_raised_before_the_start_is_served_at_it_and_after_a_stop_again() {
    let controller = controller(Config::default());
    controller.connect(1, |_| {}).unwrap();
    controller.raise(&Raise::new(1)).unwrap();
    assert_eq!(controller.count(1), Ok(0));
    controller.start().unwrap();
    assert_eq!(controller.count(1), Ok(1));
    assert_eq!(controller.start().unwrap_err().error, Error::Busy);
    controller.stop().unwrap();
    controller.raise(&Raise::new(1)).unwrap();
    assert_eq!(controller.count(1), Ok(1));
    controller.start().unwrap();
    assert_eq!(controller.count(1), Ok(2));
}

#[test]
fn waiting_for_a_routine_ends_with_it_or_with_the_time() {
    let controller = started(Config::default());
    controller.connect(1, |_| {}).unwrap();
    assert_eq!(controller.wait(1, Timeout::None), Err(Error::Unavailable));
    assert_eq!(
        controller.wait(1, Timeout::Nanos(1000)),
        Err(Error::Timeout)
    );
    let stop = Arc::new(AtomicBool::new(false));
    let raiser = {
        let (controller, stop) = (controller.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                controller
                    .raise_wait(&Raise::new(1), Timeout::Forever)
                    .unwrap();
            }
        })
    };
    let once = controller.wait(1, Timeout::Forever).unwrap();
    assert!(controller.wait(1, Timeout::Forever).unwrap() > once);
    controller.wait_any(Timeout::Forever).unwrap();
    stop.store(true, Ordering::SeqCst);
    raiser.join().unwrap();
}

#[test]
fn priorities_and_ranges_are_checked() {
    let controller = controller(Config::default());
    assert_eq!(controller.set_priority(1, 0), Err(Error::Invalid));
    assert_eq!(controller.set_priority(1, 64), Err(Error::Invalid));
    assert_eq!(controller.set_priority(256, 1), Err(Error::Invalid));
    assert_eq!(controller.timer_set(1, 1, 999), Err(Error::Invalid));
    let bad = Controller::new(Config {
        queue_len: 0,
        ..Config::default()
    });
    assert_eq!(bad.unwrap_err().error, Error::Invalid);
    let bad = Controller::new(Config {
        map: Some("x".to_owned()),
        mode: Mode::Thread,
        ..Config::default()
    });
    assert_eq!(bad.unwrap_err().error, Error::Map);
}
