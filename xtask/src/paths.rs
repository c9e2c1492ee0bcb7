//! Where things are: the work tree, Cargo's target directory, the cache.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The root of the work tree.
pub(crate) fn root() -> &'static Path {
    // The manifest's parent: this program is always run by Cargo from the tree
    // that it was compiled in.
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The root, without `..` in it, for commands and messages.
pub(crate) fn clean_root() -> PathBuf {
    root().canonicalize().unwrap_or_else(|_| root().to_owned())
}

/// Cargo's target directory, for logs and for what belongs to this work tree.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => clean_root().join(directory),
        None => clean_root().join("target"),
    }
}

/// The cache that all work trees of one user share.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let directory = set("RTNOTIFY_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("rtnotify")))
        .or_else(|| Some(set("HOME")?.join(".cache/rtnotify")))
        .context("no place for the cache: set RTNOTIFY_CACHE or HOME")?;
    std::path::absolute(&directory).context("RTNOTIFY_CACHE")
}
