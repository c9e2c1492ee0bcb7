//! What lies in the cache, and why it is never half of something.
//!
//! Everything is named by a hash of what went into it. A directory is complete
//! when the stamp file in it exists, which is written last and renamed into
//! place; what lies there without a stamp was interrupted, and is continued or
//! made again. One lock file keeps two runs apart; the system drops the lock
//! when its holder ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// Holds the lock on a directory until dropped.
pub(crate) struct Lock {
    _file: File,
}

/// Locks `directory`, waiting for another run to finish.
pub(crate) fn lock(directory: &Path) -> Result<Lock> {
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let path = directory.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!(
                "xtask: waiting for another run that uses {}",
                directory.display()
            );
            file.lock()
                .with_context(|| format!("locking {}", path.display()))?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("locking {}", path.display()));
        }
    }
    Ok(Lock { _file: file })
}

/// Collects named inputs into a key. Names and lengths are hashed too, so that
/// no two different lists of inputs run together into the same bytes.
#[derive(Clone, Default)]
pub(crate) struct Key {
    hasher: Sha256,
    listing: String,
}

impl Key {
    /// A key for one kind of thing.
    pub(crate) fn new(kind: &str) -> Self {
        let mut key = Self::default();
        key.add("kind", kind);
        key
    }

    /// Adds one input.
    pub(crate) fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        for part in [name.as_bytes(), value] {
            self.hasher.update((part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
        let shown = String::from_utf8_lossy(value);
        if shown.len() <= 200 && !shown.contains('\n') {
            self.listing += &format!("{name}: {shown}\n");
        } else {
            self.listing += &format!("{name}: {} bytes, {}\n", value.len(), hash(value));
        }
    }

    /// The first 16 hexadecimal digits of the hash.
    pub(crate) fn id(&self) -> String {
        hex(&self.hasher.clone().finalize())
    }

    /// The inputs in readable form, to be kept beside the result.
    pub(crate) fn listing(&self) -> &str {
        &self.listing
    }
}

/// A short hash of `bytes`: 16 hexadecimal digits.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A short hash of a file's content, without holding it in memory.
pub(crate) fn hash_file(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = std::io::Read::read(&mut file, &mut buffer)?;
        if count == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

fn hex(digest: &[u8]) -> String {
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The stamp of `directory` if it is complete.
pub(crate) fn stamp(directory: &Path) -> Option<String> {
    fs::read_to_string(directory.join("complete")).ok()
}

/// Marks `directory` as complete.
pub(crate) fn set_stamp(directory: &Path, content: &str) -> Result<()> {
    write_atomically(&directory.join("complete"), content.as_bytes())
}

/// Marks `directory` as incomplete, before anything in it changes.
pub(crate) fn clear_stamp(directory: &Path) -> Result<()> {
    match fs::remove_file(directory.join("complete")) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("in {}", directory.display())),
    }
}

/// Writes a file so that it is either the old one or the whole new one.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let partial = path.with_added_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Removes `directory` with all that is in it, if it is there.
pub(crate) fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Keeps the `keep` newest complete entries of `directory` whose names start with
/// `prefix`, and always `current`.
pub(crate) fn prune(directory: &Path, prefix: &str, keep: usize, current: &Path) -> Result<()> {
    let mut entries: Vec<(std::time::SystemTime, PathBuf)> = fs::read_dir(directory)?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .filter(|path| path != current)
        .map(|path| {
            let time = fs::metadata(path.join("complete")).and_then(|data| data.modified());
            (time.unwrap_or(std::time::UNIX_EPOCH), path)
        })
        .collect();
    entries.sort();
    while entries.len() + 1 > keep {
        remove(&entries.remove(0).1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_every_name_and_value() {
        let key = |pairs: &[(&str, &str)]| {
            let mut key = Key::new("test");
            for (name, value) in pairs {
                key.add(name, value);
            }
            key.id()
        };
        let base = key(&[("a", "1"), ("b", "2")]);
        assert_eq!(base, key(&[("a", "1"), ("b", "2")]));
        assert_ne!(base, key(&[("a", "1"), ("b", "3")]));
        assert_ne!(base, key(&[("a", "1"), ("c", "2")]));
        assert_ne!(base, key(&[("b", "2"), ("a", "1")]));
        assert_ne!(base, key(&[("a", "1")]));
        // The same bytes, cut elsewhere.
        assert_ne!(key(&[("ab", "c")]), key(&[("a", "bc")]));
        assert_eq!(base.len(), 16);
    }

    #[test]
    fn a_directory_is_complete_only_with_its_stamp() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(stamp(directory.path()), None);
        set_stamp(directory.path(), "x").unwrap();
        assert_eq!(stamp(directory.path()).as_deref(), Some("x"));
        clear_stamp(directory.path()).unwrap();
        clear_stamp(directory.path()).unwrap();
        assert_eq!(stamp(directory.path()), None);
    }

    #[test]
    fn pruning_keeps_the_current_and_the_newest() {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str, age: u64| {
            let path = directory.path().join(name);
            fs::create_dir(&path).unwrap();
            set_stamp(&path, "x").unwrap();
            let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
            File::options()
                .write(true)
                .open(path.join("complete"))
                .and_then(|file| file.set_modified(time))
                .unwrap();
            path
        };
        let oldest = make("lean-1", 300);
        let older = make("lean-2", 200);
        let newer = make("lean-3", 100);
        let other = make("debug-1", 900);
        prune(directory.path(), "lean-", 2, &oldest).unwrap();
        assert!(oldest.exists() && newer.exists() && other.exists());
        assert!(!older.exists());
    }
}
