//! Loading and unloading kernel modules: those of the run, and one by hand.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// How long a module may stay in use after the last process has ended.
const UNLOAD_PATIENCE: Duration = Duration::from_secs(5);

/// Module files to load, opened by path before the root changes.
pub(crate) struct Modules {
    files: Vec<(String, File)>,
    loaded: Vec<String>,
}

impl Modules {
    /// Opens `names` below `directory`.
    pub(crate) fn open(directory: &str, names: &[impl AsRef<OsStr>]) -> Result<Self, String> {
        let mut files = Vec::new();
        for name in names {
            let path: PathBuf = Path::new(directory).join(name.as_ref());
            let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            files.push((kernel_name(&path), file));
        }
        Ok(Self {
            files,
            loaded: Vec::new(),
        })
    }

    /// Loads them in order. Parameters come from the kernel command line, as
    /// `NAME.parameter=value`, like those of built-in code.
    pub(crate) fn load(&mut self) -> Result<(), String> {
        let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
        for (name, file) in self.files.drain(..) {
            let parameters = CString::new(parameters(&command_line, &name))
                .map_err(|_| "NUL byte on the kernel command line".to_owned())?;
            rustix::system::finit_module(&file, &parameters, 0)
                .map_err(|error| format!("the module {name} does not load: {error}"))?;
            self.loaded.push(name);
        }
        Ok(())
    }

    /// Unloads what was loaded, last first. To be called when no other process
    /// is left: a module that is still in use then has lost a reference.
    pub(crate) fn unload(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + UNLOAD_PATIENCE;
        while let Some(name) = self.loaded.pop() {
            let c_name = CString::new(name.clone()).map_err(|error| error.to_string())?;
            loop {
                // O_NONBLOCK: report a module in use instead of waiting for it.
                match rustix::system::delete_module(&c_name, 0o4000) {
                    // NOENT: the command has unloaded it itself.
                    Ok(()) | Err(Errno::NOENT) => break,
                    Err(Errno::AGAIN | Errno::BUSY) if Instant::now() < deadline => {
                        thread::sleep(Duration::from_millis(20));
                    }
                    Err(error) => {
                        return Err(format!(
                            "the module {name} cannot be unloaded after every process has ended: {error}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

/// `insmod FILE [PARAMETER=VALUE…]`, since the host may not have that program.
pub(crate) fn insmod(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let load = || -> Result<(), String> {
        let path = PathBuf::from(args.next().ok_or("no module named")?);
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let words: Vec<_> = args
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let parameters = CString::new(words.join(" ")).map_err(|error| error.to_string())?;
        rustix::system::finit_module(&file, &parameters, 0)
            .map_err(|error| format!("{}: {error}", path.display()))
    };
    match load() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("insmod: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The name by which the kernel knows the module in file `path`.
fn kernel_name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .replace('-', "_")
}

/// The parameters for `module` on a kernel command line.
fn parameters(command_line: &str, module: &str) -> String {
    command_line
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix(module)?.strip_prefix('.'))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_one_module_only() {
        let line = "console=ttyS0 rtnotify.a=1 rtnotify_edu.a=2 rtnotify.b=x\n";
        assert_eq!(parameters(line, "rtnotify"), "a=1 b=x");
        assert_eq!(parameters(line, "rtnotify_edu"), "a=2");
        assert_eq!(parameters(line, "edu"), "");
    }

    #[test]
    fn dashes_become_underscores() {
        assert_eq!(kernel_name(Path::new("/modules/a-b.ko")), "a_b");
    }
}
