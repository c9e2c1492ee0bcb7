//! The guest's initial RAM disk: PID 1, the modules, and what to run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use rtnotify_vm_init::run::Run;
use rtnotify_vm_init::{MODULE_DIR, RUN_FILE};

use crate::cpio::Archive;
use crate::paths;
use crate::run::run;

/// The target that PID 1 is built for: the host's, with the C library linked in.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds PID 1. It has a target directory of its own, so that its flags do not
/// make Cargo forget every other build.
pub(crate) fn build_init() -> Result<PathBuf> {
    let target = paths::target().join("vm-init");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args([
            "build",
            "--quiet",
            "-p",
            "rtnotify-vm-init",
            "--profile",
            "vm-init",
        ])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target)
        .current_dir(paths::clean_root())
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    run(&mut command).context("building PID 1 of the guest (tests/vm/init)")?;
    Ok(target.join(TARGET).join("vm-init/rtnotify-vm-init"))
}

/// Builds the RAM disk for one run.
pub(crate) fn ram_disk(init: &Path, modules: &[PathBuf], run: &Run) -> Result<Vec<u8>> {
    let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
    let mut archive = Archive::default();
    for directory in ["dev", "proc", "sys", "host", "layer", "root", MODULE_DIR] {
        archive.directory(directory);
    }
    // The kernel opens the console for PID 1 before anything is mounted.
    archive.device("dev/console", 0o600, (5, 1));
    archive.file("init", 0o755, &read(init)?);
    for module in modules {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        archive.file(&format!("{MODULE_DIR}/{name}"), 0o644, &read(module)?);
    }
    archive.file(RUN_FILE, 0o644, &run.encode());
    Ok(archive.finish())
}
