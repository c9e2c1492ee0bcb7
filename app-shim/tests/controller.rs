// SPDX-License-Identifier: MIT OR Apache-2.0

//! The controller over the loopback.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use app_shim::{Controller, Error, in_isr};
use sigrt::{Device, Source, SourceOptions};

fn source(device: &Device, name: &str) -> Source {
    device.create_source(SourceOptions::new(name)).unwrap()
}

#[track_caller]
fn eventually(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn each_source_raises_its_vector_in_order() {
    let device = Device::loopback();
    let (a, b) = (source(&device, "a"), source(&device, "b"));
    let stray = source(&device, "stray");
    let subscription = device
        .subscription()
        .subscribe(&a)
        .subscribe(&b)
        .subscribe(&stray)
        .start()
        .unwrap();
    let controller = Controller::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    for vector in [0, 255] {
        let log = Arc::clone(&log);
        controller
            .connect(vector, move |event| {
                assert!(in_isr());
                log.lock().unwrap().push((vector, event.value.unwrap()));
            })
            .unwrap();
    }
    let serving = controller
        .serve(subscription, [(a.number(), 0), (b.number(), 255)])
        .unwrap();
    for n in 0..100 {
        a.post(Some(n), b"").unwrap();
        b.post(Some(n), b"").unwrap();
    }
    stray.post(None, b"").unwrap();
    eventually(|| controller.unhandled() == 1);
    drop(serving);
    assert!(!in_isr());
    assert_eq!((controller.count(0), controller.count(255)), (100, 100));
    let expected: Vec<_> = (0..100).flat_map(|n| [(0, n), (255, n)]).collect();
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn routines_get_their_argument() {
    static SUM: AtomicUsize = AtomicUsize::new(0);
    fn routine(argument: usize) {
        SUM.fetch_add(argument, Ordering::Relaxed);
    }
    let device = Device::loopback();
    let pin = source(&device, "pin");
    let subscription = device.subscription().subscribe(&pin).start().unwrap();
    let controller = Controller::new();
    controller.connect_routine(7, routine, 21).unwrap();
    assert_eq!(
        controller.connect_routine(7, routine, 1),
        Err(Error::Connected)
    );
    let _serving = controller.serve(subscription, [(pin.number(), 7)]).unwrap();
    pin.post(None, b"").unwrap();
    pin.post(None, b"").unwrap();
    eventually(|| SUM.load(Ordering::Relaxed) == 42);
}

#[test]
fn disconnecting_waits_for_the_handler() {
    let device = Device::loopback();
    let pin = source(&device, "pin");
    let subscription = device.subscription().subscribe(&pin).start().unwrap();
    let controller = Controller::new();
    let (entered, inside) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let done = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&done);
    controller
        .connect(1, move |_| {
            entered.send(()).unwrap();
            left.recv().unwrap();
            theirs.store(1, Ordering::SeqCst);
        })
        .unwrap();
    let _serving = controller.serve(subscription, [(pin.number(), 1)]).unwrap();
    pin.post(None, b"").unwrap();
    inside.recv().unwrap();
    let waiting = {
        let controller = controller.clone();
        thread::spawn(move || {
            controller.disconnect(1).unwrap();
            done.load(Ordering::SeqCst)
        })
    };
    leave.send(()).unwrap();
    assert_eq!(waiting.join().unwrap(), 1, "the handler had returned");
    assert_eq!(controller.disconnect(1), Err(Error::NotConnected));
    pin.post(None, b"").unwrap();
    eventually(|| controller.unhandled() == 1);
    assert_eq!(controller.count(1), 1);
}

#[test]
fn handlers_change_other_vectors_but_not_their_own() {
    let device = Device::loopback();
    let pin = source(&device, "pin");
    let subscription = device.subscription().subscribe(&pin).start().unwrap();
    let controller = Controller::new();
    controller.connect(2, |_| {}).unwrap();
    let (tell, told) = mpsc::channel();
    let inner = controller.clone();
    controller
        .connect(1, move |_| {
            let results = [
                inner.disconnect(1),
                inner.connect(1, |_| {}),
                inner.disconnect(2),
                inner.connect(3, |_| {}),
            ];
            tell.send(results).unwrap();
        })
        .unwrap();
    let _serving = controller.serve(subscription, [(pin.number(), 1)]).unwrap();
    pin.post(None, b"").unwrap();
    assert_eq!(
        told.recv().unwrap(),
        [Err(Error::InHandler), Err(Error::InHandler), Ok(()), Ok(())]
    );
    // The handler holds a clone of the controller; end that circle.
    controller.disconnect(1).unwrap();
}

#[test]
fn losses_are_counted_by_vector() {
    let device = Device::loopback();
    let pin = source(&device, "pin");
    let subscription = device
        .subscription()
        .queue_len(2)
        .channel_capacity(1)
        .subscribe(&pin)
        .start()
        .unwrap();
    for _ in 0..100 {
        pin.post(None, b"").unwrap();
    }
    let controller = Controller::new();
    controller.connect(9, |_| {}).unwrap();
    let _serving = controller.serve(subscription, [(pin.number(), 9)]).unwrap();
    eventually(|| controller.count(9) + controller.lost(9) == 100);
    assert!(controller.lost(9) > 0);
}
