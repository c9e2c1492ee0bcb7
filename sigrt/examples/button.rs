// SPDX-License-Identifier: MIT OR Apache-2.0

//! A button on a GPIO line, debounced by the times that were latched in the interrupt.
//!
//! ```text
//! button [SOURCE]
//! ```
//!
//! With a source's name it counts presses of that button until the source ends. Without, it presses one itself: three
//! times, each with bounces.

use std::error::Error;
use std::time::Duration;

use sigrt::{Delivery, Device, SourceOptions, Subscription};

/// Edges that follow one another faster are the contact's.
const BOUNCE: Duration = Duration::from_millis(2);

/// Counts presses until the source ends: the time of each edge says what it was, however late it is looked at.
fn presses(edges: &Subscription) -> u32 {
    let mut last = None;
    let mut count = 0;
    for delivery in edges {
        match delivery {
            Delivery::Event(edge) => {
                let bounces = last.is_some_and(|last| edge.time.saturating_sub(last) < BOUNCE);
                last = Some(edge.time);
                if edge.value == Some(1) && !bounces {
                    count += 1;
                    println!("button: pressed at {:?}", edge.time);
                }
            }
            Delivery::Gap(gap) => eprintln!("button: {gap}"),
            Delivery::Gone(_) => break,
        }
    }
    count
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(name) = std::env::args().nth(1) {
        let edges = Device::auto()?.subscription().subscribe(name).start()?;
        println!("button: pressed {} times", presses(&edges));
        return Ok(());
    }
    let device = Device::loopback();
    let button = device.create_source(SourceOptions::new("button"))?;
    let edges = device.subscription().subscribe(&button).start()?;
    for _ in 0..3 {
        // Pressing, with the contact bouncing, and releasing. A batch has one time.
        let mut contact = button.batch();
        for level in [1, 0, 1, 0, 1] {
            contact.push(0, Some(level), b"")?;
        }
        contact.send()?;
        std::thread::sleep(2 * BOUNCE);
        button.post(Some(0), b"")?;
        std::thread::sleep(2 * BOUNCE);
    }
    drop(button);
    println!("button: pressed {} times", presses(&edges));
    Ok(())
}
