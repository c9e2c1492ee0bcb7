//! Installing `app-shim` for C programs: libraries, headers, and what `pkg-config` and `cmake` read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{paths, run};

/// Builds the libraries and puts everything below `prefix`; what was installed.
pub(crate) fn command(prefix: &Path, debug: bool) -> Result<Vec<PathBuf>> {
    let profile = if debug { "dev" } else { "release" };
    run::run(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([
                "build",
                "--package",
                "app-shim",
                "--lib",
                "--profile",
                profile,
            ])
            .current_dir(paths::root()),
    )?;
    let built = paths::target().join(if debug { "debug" } else { "release" });
    install(&paths::clean_root().join("app-shim"), &built, prefix)
}

/// Copies from the folder of the crate and from that of its libraries.
fn install(home: &Path, built: &Path, prefix: &Path) -> Result<Vec<PathBuf>> {
    let mut done = Vec::new();
    let library = prefix.join("lib");
    for name in ["libapp_shim.a", "libapp_shim.so"] {
        copy(&built.join(name), &library.join(name), &mut done)?;
    }
    copy_all(
        &home.join("include"),
        &prefix.join("include/app_shim"),
        &mut done,
    )?;
    let templates = home.join("pkg");
    for (from, to) in [
        ("app_shim.pc.in", "pkgconfig/app_shim.pc"),
        (
            "app_shim-config.cmake",
            "cmake/app_shim/app_shim-config.cmake",
        ),
        (
            "app_shim-config-version.cmake.in",
            "cmake/app_shim/app_shim-config-version.cmake",
        ),
    ] {
        let from = templates.join(from);
        let text = fs::read_to_string(&from).with_context(|| from.display().to_string())?;
        let to = library.join(to);
        make_parent(&to)?;
        fs::write(&to, text.replace("@VERSION@", env!("CARGO_PKG_VERSION")))
            .with_context(|| to.display().to_string())?;
        done.push(to);
    }
    Ok(done)
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().context("a file in no folder")?;
    fs::create_dir_all(parent).with_context(|| parent.display().to_string())
}

fn copy(from: &Path, to: &Path, done: &mut Vec<PathBuf>) -> Result<()> {
    make_parent(to)?;
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    done.push(to.to_owned());
    Ok(())
}

fn copy_all(from: &Path, to: &Path, done: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| from.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_all(&from, &to, done)?;
        } else {
            copy(&from, &to, done)?;
        }
    }
    Ok(())
}
