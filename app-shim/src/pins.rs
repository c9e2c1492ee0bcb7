// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pins: levels as of the events that have been served, edges, outputs. Under the kernel lock.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{Error, Result};

/// Pins of a controller.
pub const PINS: usize = 256;

/// On which events of a pin its vector's routine runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// None: the level follows the events in order, no more.
    #[default]
    None,
    /// Low before, high after.
    Rising,
    /// High before, low after.
    Falling,
    /// Another level than before.
    Change,
    /// Low after.
    Low,
    /// High after.
    High,
}

impl Edge {
    /// All, in the order of their numbers in the C interface.
    pub(crate) const ALL: [Self; 6] = [
        Self::None,
        Self::Rising,
        Self::Falling,
        Self::Change,
        Self::Low,
        Self::High,
    ];

    fn matches(self, old: bool, new: bool) -> bool {
        match self {
            Self::None => false,
            Self::Rising => !old && new,
            Self::Falling => old && !new,
            Self::Change => old != new,
            Self::Low => !new,
            Self::High => new,
        }
    }
}

/// A pin's direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PinMode {
    /// Input.
    #[default]
    Input,
    /// Output.
    Output,
    /// Input, high where nothing drives it.
    PullUp,
    /// Input, low where nothing drives it.
    PullDown,
}

impl PinMode {
    /// All, in the order of their numbers in the C interface.
    pub(crate) const ALL: [Self; 4] = [Self::Input, Self::Output, Self::PullUp, Self::PullDown];
}

#[derive(Clone, Copy, Debug, Default)]
struct Pin {
    vector: Option<usize>,
    edge: Edge,
    mode: PinMode,
    /// As of the last event that was served.
    level: bool,
    /// Something has driven it.
    driven: bool,
    output: bool,
}

/// The levels of all pins, 8 in a byte, for who reads them as memory.
pub(crate) type Image = [AtomicU8; PINS / 8];

#[derive(Debug)]
pub(crate) struct Pins {
    all: Vec<Pin>,
    image: Option<&'static Image>,
}

impl Pins {
    pub(crate) fn new() -> Self {
        Self {
            all: vec![Pin::default(); PINS],
            image: None,
        }
    }

    fn get(&mut self, pin: u32) -> Result<&mut Pin> {
        self.all.get_mut(pin as usize).ok_or(Error::Invalid)
    }

    /// Keeps this image up to date from now on.
    pub(crate) fn show_in(&mut self, image: &'static Image) {
        self.image = Some(image);
        for pin in 0..PINS as u32 {
            self.show(pin);
        }
    }

    /// A pin has changed.
    fn show(&mut self, pin: u32) {
        let (Some(image), Ok(level)) = (self.image, self.read(pin)) else {
            return;
        };
        if let Some(byte) = image.get(pin as usize / 8) {
            let bit = 1 << (pin % 8);
            if level {
                byte.fetch_or(bit, Ordering::SeqCst);
            } else {
                byte.fetch_and(!bit, Ordering::SeqCst);
            }
        }
    }

    pub(crate) fn attach(&mut self, pin: u32, vector: usize, edge: Edge) -> Result<()> {
        let pin = self.get(pin)?;
        pin.vector = Some(vector);
        pin.edge = edge;
        Ok(())
    }

    pub(crate) fn detach(&mut self, pin: u32) -> Result<()> {
        let pin = self.get(pin)?;
        if pin.vector.is_none() || pin.edge == Edge::None {
            return Err(Error::NotConnected);
        }
        // Its events keep their place in the order of that vector's; only the routine is not called for them.
        pin.edge = Edge::None;
        Ok(())
    }

    /// The level that a pin has before its first event, unless it has one.
    pub(crate) fn begin(&mut self, number: u32, level: bool) -> Result<()> {
        let pin = self.get(number)?;
        if !pin.driven {
            pin.level = level;
            pin.driven = true;
            self.show(number);
        }
        Ok(())
    }

    /// The vector of a pin; without one, the level that was raised is in force at once.
    pub(crate) fn raised(&mut self, number: u32, level: bool) -> Result<Option<usize>> {
        let pin = self.get(number)?;
        let vector = pin.vector;
        if vector.is_none() {
            pin.level = level;
            pin.driven = true;
            self.show(number);
        }
        Ok(vector)
    }

    /// An event is served: puts the new level in force; whether the routine is to run.
    pub(crate) fn serve(&mut self, number: u32, level: bool) -> bool {
        let Ok(pin) = self.get(number) else {
            return false;
        };
        let old = if pin.driven {
            pin.level
        } else {
            pin.mode == PinMode::PullUp
        };
        pin.level = level;
        pin.driven = true;
        let matches = pin.edge.matches(old, level);
        self.show(number);
        matches
    }

    pub(crate) fn read(&mut self, pin: u32) -> Result<bool> {
        let pin = self.get(pin)?;
        Ok(match pin.mode {
            PinMode::Output => pin.output,
            PinMode::PullUp if !pin.driven => true,
            PinMode::PullDown if !pin.driven => false,
            _ => pin.level,
        })
    }

    /// Whether it is an output now, and its mode.
    pub(crate) fn mode(&mut self, pin: u32) -> Result<PinMode> {
        Ok(self.get(pin)?.mode)
    }

    pub(crate) fn set_mode(&mut self, pin: u32, mode: PinMode) -> Result<()> {
        self.get(pin)?.mode = mode;
        self.show(pin);
        Ok(())
    }

    /// Whether it is an output, so that somebody wants to be told.
    pub(crate) fn write(&mut self, number: u32, level: bool) -> Result<bool> {
        let pin = self.get(number)?;
        pin.output = level;
        match (pin.mode, level) {
            (PinMode::Input, true) => pin.mode = PinMode::PullUp,
            (PinMode::PullUp, false) => pin.mode = PinMode::Input,
            _ => {}
        }
        let is_output = pin.mode == PinMode::Output;
        self.show(number);
        Ok(is_output)
    }
}
