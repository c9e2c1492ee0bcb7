// SPDX-License-Identifier: MIT OR Apache-2.0

//! GPIO lines of the system as sources: edges with the time and the order that the kernel gives them.
//!
//! The kernel's interface reads a line in a thread, so of edges that come faster than that thread runs it tells one.
//! Lines that the module has made sources of (`device:NAME`) have an event for each.

use gpiocdev::Request;
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, EventClock, Value};

use crate::error::{Error, Failure};
use crate::map::{Entry, Line, Pull};
use crate::pins::Edge;

/// A line that has been requested.
#[derive(Debug)]
pub(crate) struct Gpio {
    pub(crate) request: Request,
    /// Number of the last edge.
    last: u32,
}

/// An edge, or that some were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) level: bool,
    pub(crate) time: u64,
    /// Edges before this one that the kernel had no room for.
    pub(crate) missed: u64,
}

/// Edges that the kernel keeps for us; it takes no more.
const KEPT: u32 = 1024;

impl Gpio {
    /// Requests the line of an entry as an input; also tells its level.
    pub(crate) fn request(line: &Line, entry: &Entry) -> Result<(Self, bool), Failure> {
        let name = match line {
            Line::Named(name) => name.clone(),
            Line::Numbered { chip, offset } => format!("{}/{offset}", chip.display()),
        };
        let fail = |error: &dyn std::fmt::Display| {
            Failure::new(Error::Os, format!("gpio:{name}: {error}"))
        };
        let mut builder = Request::builder();
        match line {
            Line::Named(name) => {
                let found = gpiocdev::find_named_line(name)
                    .ok_or_else(|| fail(&"no line has that name (`gpioinfo` lists them)"))?;
                builder.with_found_line(&found);
            }
            Line::Numbered { chip, offset } => {
                builder.on_chip(chip).with_line(*offset);
            }
        }
        builder
            .with_consumer("app-shim")
            .with_kernel_event_buffer_size(KEPT)
            .as_input()
            .with_event_clock(EventClock::Monotonic)
            // A pin has a level, which follows every edge; a vector alone has the edges that are asked for.
            .with_edge_detection(match (entry.pin, entry.edge) {
                (None, Some(Edge::Rising)) => EdgeDetection::RisingEdge,
                (None, Some(Edge::Falling)) => EdgeDetection::FallingEdge,
                _ => EdgeDetection::BothEdges,
            });
        if let Some(pull) = entry.pull {
            builder.with_bias(match pull {
                Pull::None => Bias::Disabled,
                Pull::Up => Bias::PullUp,
                Pull::Down => Bias::PullDown,
            });
        }
        if entry.active_low {
            builder.as_active_low();
        }
        let request = builder.request().map_err(|error| fail(&error))?;
        let level = request.lone_value().map_err(|error| fail(&error))?;
        Ok((Self { request, last: 0 }, level == Value::Active))
    }

    /// The next edge, if there is one.
    pub(crate) fn next(&mut self) -> gpiocdev::Result<Option<Change>> {
        if !self.request.has_edge_event()? {
            return Ok(None);
        }
        // `read_edge_event` of gpiocdev 0.8.0 takes eight events from the kernel and returns one.
        let mut words = [0; 16];
        let room = words.get_mut(..self.request.edge_event_u64_size());
        let room = room.unwrap_or_default();
        let got = self.request.read_edge_events_into_slice(room)?;
        let edge = self
            .request
            .edge_event_from_slice(room.get(..got).unwrap_or_default())?;
        // The kernel numbers the edges of a line from 1.
        let missed = edge.line_seqno.wrapping_sub(self.last).saturating_sub(1);
        self.last = edge.line_seqno;
        Ok(Some(Change {
            level: edge.kind == EdgeKind::Rising,
            time: edge.timestamp_ns,
            missed: missed.into(),
        }))
    }
}
