//! The kernel's source: Debian's newest package of the supported series, or any
//! tree or archive that the user names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::apt::OtherSuites;
use crate::cache;
use crate::run::{long, step, tied};

/// The series that the module is written for.
pub(crate) const SERIES: &str = "7.2";

/// A source tree and what identifies its content.
pub(crate) struct Source {
    pub(crate) directory: PathBuf,
    pub(crate) identity: String,
}

/// Provides the source: `chosen` by the user, or the one in the cache, or, where
/// there is none yet, Debian's newest.
pub(crate) fn provide(chosen: Option<&Path>, cache: &Path) -> Result<Source> {
    match chosen {
        Some(path) if path.is_dir() => from_directory(path),
        Some(path) => from_archive(path, cache),
        None => from_debian(cache),
    }
}

/// A tree that belongs to the user: nothing is written into it.
fn from_directory(path: &Path) -> Result<Source> {
    let directory = path.canonicalize()?;
    let makefile = fs::read_to_string(directory.join("Makefile"))
        .with_context(|| format!("{} is not a kernel tree", directory.display()))?;
    check_series(&makefile, &directory)?;
    // The path is part of the identity because the build directory holds it;
    // make itself notices files that change.
    let identity = format!(
        "{} Makefile {}",
        directory.display(),
        cache::hash(makefile.as_bytes())
    );
    Ok(Source {
        directory,
        identity,
    })
}

/// An archive that belongs to the user, unpacked into the cache.
fn from_archive(path: &Path, cache: &Path) -> Result<Source> {
    if !path.is_file() {
        bail!("--source {}: no such directory or archive", path.display());
    }
    let identity = format!("archive-{}", cache::hash_file(path)?);
    let directory = cache.join("source").join(&identity);
    if cache::stamp(&directory).is_none() {
        unpack_tar(path, &directory)?;
        let makefile = fs::read_to_string(directory.join("Makefile"))
            .with_context(|| format!("{} holds no kernel tree", path.display()))?;
        check_series(&makefile, path)?;
        cache::set_stamp(&directory, &identity)?;
    }
    Ok(Source {
        directory,
        identity,
    })
}

/// Debian's package: the one in the cache, else the mirror's newest.
fn from_debian(cache: &Path) -> Result<Source> {
    let package = format!("linux-source-{SERIES}");
    let sources = cache.join("source");
    let current = sources.join("current");
    if let Ok(identity) = fs::read_to_string(&current) {
        let directory = sources.join(&identity);
        if cache::stamp(&directory).is_some() {
            return Ok(Source {
                directory,
                identity,
            });
        }
    }
    let elsewhere = format!(
        "the kernel source is Debian's package {package}; where the mirror does not have it \
         (any more), name any {SERIES} tree or archive: --source DIR|TARBALL"
    );
    let suites = OtherSuites::update(&cache.join("apt")).context(elsewhere.clone())?;
    let versions = suites
        .versions(&package, |_| true)
        .context(elsewhere.clone())?;
    let Some(version) = versions.first() else {
        bail!(elsewhere)
    };
    let identity = format!("{package}_{}", version.replace(['~', ':', '/'], "-"));
    let directory = sources.join(&identity);
    if cache::stamp(&directory).is_none() {
        let unpacked = sources.join("package.partial");
        cache::remove(&unpacked)?;
        fs::create_dir_all(&sources)?;
        suites
            .unpack(&package, version, &unpacked)
            .context(elsewhere)?;
        let archive = fs::read_dir(unpacked.join("usr/src"))?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains(".tar"))
            .with_context(|| format!("{package} {version} holds no archive"))?;
        unpack_tar(&archive, &directory)?;
        cache::remove(&unpacked)?;
        cache::set_stamp(&directory, &identity)?;
    }
    cache::write_atomically(&current, identity.as_bytes())?;
    step(format!("kernel source: {package} {version}"));
    Ok(Source {
        directory,
        identity,
    })
}

/// Unpacks a kernel archive so that `directory` is the top of the tree; complete
/// or not there at all.
fn unpack_tar(archive: &Path, directory: &Path) -> Result<()> {
    let partial = directory.with_added_extension("partial");
    cache::remove(&partial)?;
    cache::remove(directory)?;
    fs::create_dir_all(&partial)?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let mut command: Command = tied(Path::new("tar"));
    command
        .arg("-xf")
        .arg(archive)
        .args(["--strip-components=1", "--no-same-owner", "-C"]);
    command.arg(&partial);
    long(
        &format!("unpacking {name}"),
        &mut command,
        &directory.with_added_extension("log"),
        |_| false,
    )?;
    fs::rename(&partial, directory).with_context(|| format!("{}", directory.display()))
}

/// The module follows one series of the kernel's internal interface.
fn check_series(makefile: &str, what: &Path) -> Result<()> {
    let found = series(makefile);
    if found.as_deref() != Some(SERIES) {
        bail!(
            "{} is Linux {}; the module is written for {SERIES}",
            what.display(),
            found.as_deref().unwrap_or("of an unknown version")
        );
    }
    Ok(())
}

fn series(makefile: &str) -> Option<String> {
    let value = |name: &str| {
        makefile.lines().find_map(|line| {
            line.strip_prefix(name)?
                .trim_start()
                .strip_prefix('=')
                .map(str::trim)
        })
    };
    Some(format!("{}.{}", value("VERSION")?, value("PATCHLEVEL")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_read_from_the_makefile() {
        let makefile = "# SPDX\nVERSION = 7\nPATCHLEVEL = 2\nSUBLEVEL = 13\nEXTRAVERSION =\n";
        assert_eq!(series(makefile).as_deref(), Some("7.2"));
        assert!(check_series(makefile, Path::new("x")).is_ok());
        let other = makefile.replace("PATCHLEVEL = 2", "PATCHLEVEL = 1");
        let error = check_series(&other, Path::new("x"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("Linux 7.1"), "{error}");
        assert_eq!(series("all:\n"), None);
    }
}
