// SPDX-License-Identifier: MIT OR Apache-2.0

//! What programs write a pipe to themselves for: signals beside other work, in `select!`. None is lost, and each comes
//! with its value.

use std::error::Error;
use std::thread;

use crossbeam_channel::{bounded, select};
use sigrt::realtime::{self, Signals};

const SIGNALS: u64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let number = sigrt::sys::sigrtmin() + 1;
    // First thing: no thread of this program is interrupted, so the order is exact.
    realtime::block(&[number]);
    let signals = Signals::start(&[number])?;
    let (work, other_work) = bounded(0);
    let sender = thread::spawn(move || {
        for n in 0..SIGNALS {
            // The limit on queued signals is the sender's to hear of.
            while let Err(error) = realtime::send(std::process::id(), number, n) {
                match error {
                    sigrt::Error::SignalQueueFull { .. } => thread::yield_now(),
                    other => return Err(other),
                }
            }
            if n % 1000 == 0 {
                work.send(n).ok();
            }
        }
        Ok(())
    });
    let (mut received, mut worked) = (0, 0);
    let mut other_work = Some(other_work);
    while received < SIGNALS {
        let never = crossbeam_channel::never();
        select! {
            recv(signals) -> signal => {
                assert_eq!(signal?.value(), Some(received));
                received += 1;
            }
            recv(other_work.as_ref().unwrap_or(&never)) -> done => match done {
                Ok(_) => worked += 1,
                Err(_) => other_work = None,
            },
        }
    }
    match sender.join() {
        Ok(done) => done?,
        Err(_) => return Err("the sender has panicked".into()),
    }
    println!("self_pipe: {received} signals in order, and {worked} pieces of other work");
    Ok(())
}
