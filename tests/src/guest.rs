// SPDX-License-Identifier: MIT OR Apache-2.0

//! What only the test guest has: other users, module parameters, what `/proc` says of an open file.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use nix::unistd::{Gid, Uid, chown, setgroups, setresgid, setresuid};
use sigrt::DEFAULT_PATH;

/// A user without any rights.
pub const USER: u32 = 4201;
/// Another one.
pub const OTHER_USER: u32 = 4202;
/// The group that may use the device, with [`DeviceGroup`].
pub const GROUP: u32 = 4300;

/// The device node belongs to [`GROUP`] as long as this lives.
#[derive(Debug)]
pub struct DeviceGroup {
    before: u32,
}

impl DeviceGroup {
    /// Gives the node to the group.
    ///
    /// # Panics
    ///
    /// If this is not root.
    #[must_use]
    pub fn give() -> Self {
        let before = fs::metadata(DEFAULT_PATH).unwrap().gid();
        chown(DEFAULT_PATH, None, Some(Gid::from_raw(GROUP))).unwrap();
        Self { before }
    }
}

impl Drop for DeviceGroup {
    fn drop(&mut self) {
        chown(DEFAULT_PATH, None, Some(Gid::from_raw(self.before))).unwrap();
    }
}

/// Turns this process into one of `user`, who has no group but those given and no capability.
///
/// # Panics
///
/// If this is not root.
pub fn become_user(user: u32, groups: &[u32]) {
    let groups: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).unwrap();
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    setresgid(gid, gid, gid).unwrap();
    setresuid(uid, uid, uid).unwrap();
    // Otherwise its files in /proc would belong to root.
    nix::sys::prctl::set_dumpable(true).unwrap();
}

/// A parameter of the module, set to another value as long as this lives.
#[derive(Debug)]
pub struct Parameter {
    path: String,
    before: String,
}

impl Parameter {
    /// Sets it.
    ///
    /// # Panics
    ///
    /// If there is no such parameter, or it cannot be set.
    #[must_use]
    pub fn set(name: &str, value: u64) -> Self {
        let path = format!("/sys/module/rtnotify/parameters/{name}");
        let before = fs::read_to_string(&path).unwrap();
        fs::write(&path, value.to_string()).unwrap();
        Self { path, before }
    }
}

impl Drop for Parameter {
    fn drop(&mut self) {
        fs::write(&self.path, self.before.trim()).unwrap();
    }
}

/// What `/proc/PID/fdinfo/FD` says.
#[derive(Clone, Debug)]
pub struct Fdinfo {
    /// Every line: key and value.
    pub lines: Vec<(String, String)>,
}

impl Fdinfo {
    /// Reads it, as the calling process sees it.
    ///
    /// # Panics
    ///
    /// If there is no such process or descriptor, or a line has no key.
    #[must_use]
    pub fn of(pid: i32, fd: i32) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap();
        let lines = text
            .lines()
            .map(|line| {
                let (key, value) = line.split_once(":\t").unwrap_or_else(|| panic!("{line}"));
                (key.to_owned(), value.to_owned())
            })
            .collect();
        Self { lines }
    }

    /// Reads that of a descriptor of the calling process.
    #[must_use]
    pub fn of_own(fd: BorrowedFd<'_>) -> Self {
        Self::of(std::process::id() as i32, fd.as_raw_fd())
    }

    /// Every value of a key.
    #[must_use]
    pub fn all(&self, key: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter(|(k, _)| k == key);
        lines.map(|(_, value)| &**value).collect()
    }

    /// The value of a key that is there once.
    ///
    /// # Panics
    ///
    /// If it is not there once.
    #[must_use]
    #[track_caller]
    pub fn one(&self, key: &str) -> &str {
        let values = self.all(key);
        assert_eq!(values.len(), 1, "{key} in {self:?}");
        values[0]
    }

    /// The number that [`Fdinfo::one`] is.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    #[track_caller]
    pub fn number(&self, key: &str) -> u64 {
        self.one(key).parse().unwrap()
    }
}

/// The value of `key` in a line of `key=value` words.
#[must_use]
pub fn word<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_ascii_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}
