// SPDX-License-Identifier: MIT OR Apache-2.0

//! A service on tokio: events without a thread, and an end on `SIGTERM` with the account of everything.
//!
//! Jobs come from a source of its own, a hundred of them, and then it tells itself to end.

use std::error::Error;
use std::time::Duration;

use futures_lite::StreamExt;
use sigrt::{Delivery, Device, Source, SourceOptions};
use tokio::signal::unix::{SignalKind, signal};

/// Jobs that come.
const JOBS: u64 = 100;

/// Whoever gives the service its work.
async fn producer(jobs: Source) -> Result<(), sigrt::Error> {
    for n in 0..JOBS {
        jobs.post(Some(n), format!("job {n}").as_bytes())?;
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::loopback();
    let jobs = device.create_source(SourceOptions::new("jobs"))?;
    let mut stream = device
        .subscription()
        .subscribe(&jobs)
        .start_polled()?
        .into_tokio()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let working = tokio::spawn(producer(jobs));
    let mut done = 0;
    loop {
        tokio::select! {
            delivery = stream.next() => match delivery {
                Some(Ok(Delivery::Event(event))) => {
                    assert_eq!(event.payload, format!("job {done}"));
                    done += 1;
                    if done == JOBS {
                        // What an administrator would do.
                        nix::sys::signal::raise(nix::sys::signal::SIGTERM)?;
                    }
                }
                Some(Ok(Delivery::Gap(gap))) => return Err(gap.to_string().into()),
                Some(Ok(Delivery::Gone(_))) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err("the stream has ended".into()),
            },
            _ = terminate.recv() => break,
        }
    }
    working.await??;
    let stats = stream.stats()?;
    println!("service: {done} jobs done, {} lost", stats.lost());
    Ok(())
}
