// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which device a command works on.
//!
//! Everything that says where to connect is here: another way to reach a device is one more option of
//! [`Place`] and one more arm of [`Place::open`].

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use sigrt::Device;

#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The device: a path (the module's device, or the socket of a broker, see `serve`), "loopback" (within this
    /// process only), or "auto" (the module's device if it is there, else the loopback).
    #[arg(
        long,
        short,
        global = true,
        env = "RTNOTIFY_DEVICE",
        value_name = "PATH|loopback|auto",
        help_heading = "Global options"
    )]
    device: Option<String>,
}

impl Place {
    /// The device that was asked for, or the one for commands that other processes take part in.
    pub(crate) fn shared(&self) -> Result<Device> {
        self.open(sigrt::DEFAULT_PATH)
    }

    /// The device that was asked for, or whichever there is.
    pub(crate) fn any(&self) -> Result<Device> {
        self.open("auto")
    }

    fn open(&self, default: &str) -> Result<Device> {
        match self.device.as_deref().unwrap_or(default) {
            "loopback" => Ok(Device::loopback()),
            "auto" => Device::auto().context("cannot open the device"),
            path if is_socket(Path::new(path)) => {
                Device::connect(path).with_context(|| format!("cannot connect to {path}"))
            }
            path => Device::open(path).with_context(|| match &self.device {
                Some(_) if Path::new(path).exists() => format!("cannot open {path}"),
                Some(_) => {
                    format!("cannot open {path} (a broker's? `rtnotify serve --socket {path}`)")
                }
                None => "no device (`rtnotify doctor` says more; `--device loopback` needs none)"
                    .to_owned(),
            }),
        }
    }

    /// Whether a device other than the loopback was named.
    pub(crate) fn names_other_than_loopback(&self) -> bool {
        let name = self.device.as_deref();
        name.is_some_and(|name| !matches!(name, "loopback" | "auto"))
    }

    /// The device node to examine, or a broker's socket.
    pub(crate) fn node(&self) -> &Path {
        Path::new(match self.device.as_deref() {
            None | Some("auto" | "loopback") => sigrt::DEFAULT_PATH,
            Some(path) => path,
        })
    }
}

/// What to call the other end of a device.
pub(crate) fn name(device: &Device) -> &'static str {
    if device.is_kernel() {
        "device"
    } else if device.is_shared() {
        "broker"
    } else {
        "loopback"
    }
}

/// Whether a device is of this process alone, so that nobody else can post or listen there.
pub(crate) fn is_own(device: &Device) -> bool {
    !device.is_shared()
}

/// Whether a broker may be listening there.
pub(crate) fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
}
