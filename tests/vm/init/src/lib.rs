//! What `xtask` (outside) and PID 1 (inside the guest) must agree on.
//!
//! Two things cross the border: one *run description*, which travels inside the
//! initial RAM disk and says what to run, and a stream of *frames* over one
//! virtio serial port, which carries the command's input and output. Kernel
//! messages use the serial console instead, so that the two never mix, and so
//! does the verdict: a line that starts with [`VERDICT`].
//!
//! Runs on both sides, allocates freely, needs no locks.

pub mod frame;
pub mod run;

/// Name of the virtio serial port that carries the frames.
pub const PORT: &str = "rtnotify";

/// 9P mount tag under which the host's root is shared.
pub const MOUNT_TAG: &str = "host";

/// Where the run description lies in the initial RAM disk.
pub const RUN_FILE: &str = "/run.description";

/// Directory of the initial RAM disk that holds the kernel modules.
pub const MODULE_DIR: &str = "/modules";

/// Start of the one line that PID 1 writes to the kernel console at the end.
///
/// What follows is `exit N`, the status of the command as a shell would put it,
/// or `failed: TEXT` where the command's status does not matter any more.
pub const VERDICT: &str = "rtnotify-vm: verdict ";

/// Start of the line with which the guest-side test runner ends:
/// `rtnotify-vm: tests N passed, N failed`.
pub const TESTS: &str = "rtnotify-vm: tests ";
