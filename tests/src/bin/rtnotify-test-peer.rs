// SPDX-License-Identifier: MIT OR Apache-2.0

//! A client of a broker in a process of its own, to be killed: `rtnotify-test-peer ROLE SOCKET SOURCE`.
//!
//! It says `ready` and goes on until it is killed or its standard input ends. Roles:
//!
//! - `subscribe`: receives, and prints a line for every delivery.
//! - `produce`: creates the source and posts numbers to it, as fast as it can.
//! - `fork`: subscribes, creates a source of that name, and forks a child that holds all it has inherited and whose number
//!   it prints.
//! - `exec`: registers for a signal, subscribes, and becomes `sleep` as soon as a line comes in.

use std::io::{self, BufRead as _, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;

use rtnotify_tests::raw;
use rtnotify_tests::rig::request;
use sigrt::client::{Access, Client};
use sigrt::sys::{self, SignalSet};
use sigrt::{Device, Mode, SourceOptions, abi};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, socket, source] = &arguments[..] else {
        return Err("ROLE SOCKET SOURCE".into());
    };
    if role == "exec" {
        return exec(Path::new(socket), source);
    }
    let device = Device::connect(socket)?;
    thread::spawn(|| {
        io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(0);
    });
    match role.as_str() {
        "subscribe" => {
            let subscription = device
                .subscription()
                .mode(Mode::Window)
                .subscribe(source.as_str())
                .start()?;
            println!("ready");
            for delivery in &*subscription {
                println!("{delivery:?}");
            }
            Err(subscription.failure().ok_or("no failure")?.into())
        }
        "produce" => {
            let source = device.create_source(SourceOptions::new(source))?;
            println!("ready");
            for n in 0.. {
                source.post(Some(n), b"some bytes of payload")?;
            }
            Ok(())
        }
        "fork" => {
            let _source = device.create_source(SourceOptions::new(source))?;
            let _subscription = device.subscription().subscribe(source.as_str()).start()?;
            let child = raw::fork_child(|| {
                nix::unistd::pause();
                ExitCode::SUCCESS
            });
            println!("ready");
            println!("{child}");
            nix::unistd::pause();
            Ok(())
        }
        _ => Err("no such role".into()),
    }
}

fn exec(socket: &Path, source: &str) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect(socket, Access::Read, false)?;
    let mut asked = request(abi::MODE_PER_EVENT);
    let signals = SignalSet::of(&[asked.signo as i32, sys::SIGURG]);
    let mask = sys::block(&signals);
    client.register(&mut asked)?;
    let all = client.sources()?;
    let number = all
        .iter()
        .find(|info| sigrt::client::name_of(info) == source)
        .ok_or("no source")?
        .number;
    client.subscribe(number, None)?;
    println!("ready");
    io::stdin().lock().read_line(&mut String::new())?;
    // A doorbell would have its default action there, which kills.
    drop(mask);
    Err(Command::new("sleep").arg("1000").exec().into())
}
