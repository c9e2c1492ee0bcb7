// SPDX-License-Identifier: MIT OR Apache-2.0

//! The order in which service routines run and nest, against a model.

mod common;

use std::sync::{Arc, Mutex, OnceLock};

use app_shim::{Config, Controller, Event, Mode, Raise};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// What a routine or the main program does.
#[derive(Clone, Debug)]
enum Step {
    /// Raises a vector; its routine then takes the steps of one of the scripts.
    Raise(u8),
    /// Sets the level.
    Level(u8),
    /// Locks, takes the steps, unlocks.
    Locked(Vec<Step>),
    Enable(u8, bool),
    Priority(u8, u8),
}

const VECTORS: u8 = 6;

fn steps(depth: u32) -> BoxedStrategy<Vec<Step>> {
    let leaf = prop_oneof![
        5 => (0..VECTORS).prop_map(Step::Raise),
        2 => (0_u8..8).prop_map(Step::Level),
        1 => (0..VECTORS, any::<bool>()).prop_map(|(v, on)| Step::Enable(v, on)),
        1 => (0..VECTORS, 1_u8..7).prop_map(|(v, p)| Step::Priority(v, p)),
    ];
    if depth == 0 {
        return prop::collection::vec(leaf, 0..4).boxed();
    }
    let locked = steps(depth - 1).prop_map(Step::Locked);
    prop::collection::vec(prop_oneof![4 => leaf, 1 => locked], 0..6).boxed()
}

#[derive(Clone, Debug)]
struct Case {
    priorities: Vec<u8>,
    /// The routine called for the n-th time takes the steps of script n, while there are any.
    scripts: Vec<Vec<Step>>,
    main: Vec<Step>,
    mask_all: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    (
        prop::collection::vec(1_u8..7, VECTORS as usize),
        prop::collection::vec(steps(1), 0..8),
        steps(2),
        any::<bool>(),
    )
        .prop_map(|(priorities, scripts, main, mask_all)| Case {
            priorities,
            scripts,
            main,
            mask_all,
        })
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    Begin { vector: u8, number: u64, level: u32 },
    End { vector: u8, number: u64 },
}

/// An interrupt controller as one would explain it.
struct Model<'a> {
    case: &'a Case,
    priorities: Vec<u8>,
    enabled: Vec<bool>,
    /// Vector and number of what waits, oldest first.
    waiting: Vec<(u8, u64)>,
    raised: u64,
    called: usize,
    level: u32,
    trace: Vec<Trace>,
}

impl Model<'_> {
    fn take(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Raise(vector) => {
                    self.raised += 1;
                    self.waiting.push((*vector, self.raised));
                }
                Step::Level(level) => self.level = u32::from(*level),
                Step::Locked(steps) => {
                    let key = std::mem::replace(&mut self.level, 63);
                    self.take(steps);
                    self.level = key;
                }
                Step::Enable(vector, on) => self.enabled[usize::from(*vector)] = *on,
                Step::Priority(vector, p) => self.priorities[usize::from(*vector)] = *p,
            }
            self.serve();
        }
    }

    fn serve(&mut self) {
        loop {
            let next = self
                .waiting
                .iter()
                .enumerate()
                .filter(|(_, (v, _))| {
                    self.enabled[usize::from(*v)]
                        && u32::from(self.priorities[usize::from(*v)]) > self.level
                })
                .min_by_key(|(_, (v, n))| (255 - self.priorities[usize::from(*v)], *n))
                .map(|(at, _)| at);
            let Some(at) = next else {
                return;
            };
            let (vector, number) = self.waiting.remove(at);
            let level = self.level;
            let own = u32::from(self.priorities[usize::from(vector)]);
            self.level = if self.case.mask_all {
                63
            } else {
                own.max(level)
            };
            self.trace.push(Trace::Begin {
                vector,
                number,
                level: self.level,
            });
            let script = self.case.scripts.get(self.called).cloned();
            self.called += 1;
            self.take(&script.unwrap_or_default());
            self.trace.push(Trace::End { vector, number });
            self.level = level;
        }
    }
}

/// The same on a controller.
struct Real {
    controller: Controller,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    case: Option<Case>,
    raised: u64,
    called: usize,
    trace: Vec<Trace>,
}

impl Real {
    fn new(mode: Mode, mask_all: bool) -> Self {
        let controller = Controller::new(Config {
            mode,
            mask_all,
            realtime: false,
            ..Config::default()
        })
        .unwrap();
        let shared = Arc::new(Mutex::new(Shared::default()));
        for vector in 0..VECTORS {
            let theirs = controller.clone();
            let data = Arc::clone(&shared);
            controller
                .connect(vector.into(), move |event| {
                    Self::routine(&theirs, &data, event);
                })
                .unwrap();
        }
        controller.start().unwrap();
        Self { controller, shared }
    }

    fn routine(controller: &Controller, shared: &Mutex<Shared>, event: &Event<'_>) {
        let vector = event.vector as u8;
        let number = event.value.unwrap();
        let script = {
            let mut shared = shared.lock().unwrap();
            let level = controller.level();
            shared.trace.push(Trace::Begin {
                vector,
                number,
                level,
            });
            let called = shared.called;
            shared.called += 1;
            let case = shared.case.as_ref().unwrap();
            case.scripts.get(called).cloned().unwrap_or_default()
        };
        Self::take(controller, shared, &script);
        let mut shared = shared.lock().unwrap();
        shared.trace.push(Trace::End { vector, number });
    }

    fn take(controller: &Controller, shared: &Mutex<Shared>, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Raise(vector) => {
                    let number = {
                        let mut shared = shared.lock().unwrap();
                        shared.raised += 1;
                        shared.raised
                    };
                    let event = Raise::new((*vector).into()).value(number);
                    controller.raise(&event).unwrap();
                }
                Step::Level(level) => {
                    controller.set_level((*level).into());
                }
                Step::Locked(steps) => {
                    let key = controller.int_lock();
                    Self::take(controller, shared, steps);
                    controller.int_unlock(key);
                }
                Step::Enable(vector, on) => {
                    controller.set_enabled((*vector).into(), *on).unwrap();
                }
                Step::Priority(vector, p) => {
                    controller
                        .set_priority((*vector).into(), (*p).into())
                        .unwrap();
                }
            }
        }
    }

    fn run(&self, case: &Case) -> Vec<Trace> {
        self.controller.set_level(63);
        for vector in 0..VECTORS {
            self.controller.set_enabled(vector.into(), true).unwrap();
            self.controller.clear_pending(vector.into()).unwrap();
            let priority = case.priorities[usize::from(vector)];
            self.controller
                .set_priority(vector.into(), priority.into())
                .unwrap();
        }
        *self.shared.lock().unwrap() = Shared {
            case: Some(case.clone()),
            ..Shared::default()
        };
        self.controller.set_level(0);
        Self::take(&self.controller, &self.shared, &case.main);
        let key = self.controller.int_lock();
        let trace = std::mem::take(&mut self.shared.lock().unwrap().trace);
        assert!(self.controller.stats().is_balanced());
        let _ = key;
        trace
    }
}

fn model(case: &Case) -> Vec<Trace> {
    let mut model = Model {
        case,
        priorities: case.priorities.clone(),
        enabled: vec![true; VECTORS.into()],
        waiting: Vec::new(),
        raised: 0,
        called: 0,
        level: 0,
        trace: Vec::new(),
    };
    model.take(&case.main);
    model.trace
}

/// The main program has the CPU, so what it raises runs inside its own calls: the order is exact.
fn compare(real: &Real, mask_all: bool) {
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    });
    runner
        .run(&cases(), |case| {
            let case = Case { mask_all, ..case };
            prop_assert_eq!(real.run(&case), model(&case));
            Ok(())
        })
        .unwrap();
}

#[test]
fn routines_run_in_the_models_order_in_thread_mode() {
    compare(&Real::new(Mode::Thread, false), false);
}

#[test]
fn routines_that_start_with_all_masked_run_in_the_models_order() {
    compare(&Real::new(Mode::Thread, true), true);
}

/// One controller of a process is preemptive, and its thread must be the one that started it.
#[test]
fn routines_run_in_the_models_order_in_preemptive_mode() {
    let real = Real::new(Mode::Preempt, false);
    compare(&real, false);
    asynchronously(&real);
}

/// From other threads the order is up to chance, but what must hold of it is not.
fn asynchronously(real: &Real) {
    static SEEN: OnceLock<Mutex<Vec<Trace>>> = OnceLock::new();
    const EACH: u64 = 2000;
    real.controller.set_level(63);
    *real.shared.lock().unwrap() = Shared {
        case: Some(Case {
            priorities: vec![],
            scripts: vec![],
            main: vec![],
            mask_all: false,
        }),
        ..Shared::default()
    };
    let seen = SEEN.get_or_init(|| Mutex::new(Vec::new()));
    for vector in 0..VECTORS {
        let priority = u32::from(vector) / 2 + 1;
        real.controller.set_enabled(vector.into(), true).unwrap();
        real.controller
            .set_priority(vector.into(), priority)
            .unwrap();
        real.controller.clear_pending(vector.into()).unwrap();
        real.controller.disconnect(vector.into()).unwrap();
        let theirs = real.controller.clone();
        real.controller
            .connect(vector.into(), move |event| {
                let vector = event.vector as u8;
                let number = event.value.unwrap();
                // Locking keeps others of our own off the list, which is what routines do.
                let key = theirs.int_lock();
                seen.lock().unwrap().push(Trace::Begin {
                    vector,
                    number,
                    level: key,
                });
                theirs.int_unlock(key);
                let key = theirs.int_lock();
                seen.lock().unwrap().push(Trace::End { vector, number });
                theirs.int_unlock(key);
            })
            .unwrap();
    }
    real.controller.set_level(0);
    let raisers: Vec<_> = (0..VECTORS)
        .map(|vector| {
            let controller = real.controller.clone();
            std::thread::spawn(move || {
                for number in 0..EACH {
                    controller
                        .raise_wait(
                            &Raise::new(vector.into()).value(number),
                            app_shim::Timeout::Forever,
                        )
                        .unwrap();
                }
            })
        })
        .collect();
    let total = || {
        let key = real.controller.int_lock();
        let len = seen.lock().unwrap().len();
        real.controller.int_unlock(key);
        len
    };
    common::eventually(|| total() == VECTORS as usize * EACH as usize * 2);
    for raiser in raisers {
        raiser.join().unwrap();
    }
    let key = real.controller.int_lock();
    let mut stack: Vec<(u8, u64)> = Vec::new();
    let mut next = [0; VECTORS as usize];
    let mut deepest = 0;
    for entry in seen.lock().unwrap().iter() {
        match *entry {
            Trace::Begin {
                vector,
                number,
                level,
            } => {
                let priority = u32::from(vector) / 2 + 1;
                assert_eq!(level, priority);
                if let Some((below, _)) = stack.last() {
                    assert!(
                        u32::from(*below) / 2 + 1 < priority,
                        "only a higher one nests"
                    );
                }
                assert_eq!(number, next[usize::from(vector)], "once each, in order");
                next[usize::from(vector)] += 1;
                stack.push((vector, number));
                deepest = deepest.max(stack.len());
            }
            Trace::End { vector, number } => assert_eq!(stack.pop(), Some((vector, number))),
        }
    }
    real.controller.int_unlock(key);
    assert_eq!(next, [EACH; VECTORS as usize]);
    assert!(deepest > 0);
}
