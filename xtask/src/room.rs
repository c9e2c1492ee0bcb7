//! Whether a disk has room for what is to be built: said before the work, because a disk that fills up in the midst of
//! it shows as one strange error after another.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

const GIB: f64 = (1_u64 << 30) as f64;

/// A guest kernel from nothing: the source (1.8 GiB), the tools, the build.
pub(crate) const KERNEL: f64 = 4.0;

/// What Cargo, the compilers of C and the guest leave in the target directory.
pub(crate) const TESTS: f64 = 4.0;

/// The same where an earlier run has left most of it.
pub(crate) const TESTS_AGAIN: f64 = 1.0;

/// An error unless there are `needed` GiB where `path` is, or will be.
pub(crate) fn require(path: &Path, needed: f64) -> Result<()> {
    let path = std::path::absolute(path)?;
    let existing = path.ancestors().find(|place| place.exists());
    let existing = existing.with_context(|| path.display().to_string())?;
    let disk = rustix::fs::statvfs(existing).with_context(|| existing.display().to_string())?;
    let free = (disk.f_bavail as f64) * (disk.f_frsize as f64) / GIB;
    if free < needed {
        bail!(
            "the disk with {} has {free:.1} GiB left, and about {needed} GiB are needed: `cargo clean` empties target/, \
             `cargo xtask clean-cache` the cache of kernels; CARGO_TARGET_DIR and RTNOTIFY_CACHE move them elsewhere",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_is_said_with_the_place_and_both_figures() {
        let place = std::env::temp_dir().join("not/yet/there");
        require(&place, 0.0).unwrap();
        let error = require(&place, 1e9).unwrap_err().to_string();
        assert!(error.contains("not/yet/there"), "{error}");
        assert!(
            error.contains("GiB left, and about 1000000000 GiB"),
            "{error}"
        );
    }

    #[test]
    fn a_relative_path_is_looked_up() {
        require(Path::new("target-of-another-name"), 0.0).unwrap();
    }
}
