// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the tests of the facades with a model have in common: building programs with it, and what they say.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::common::{
    Compiler, LIMIT, compilers, headers, home, library_folder, must, program, run_with,
};

/// A facade: folder of its headers and model, and the dialect of its programs.
pub(crate) struct Facade {
    pub(crate) name: &'static str,
    pub(crate) dialect: &'static str,
    /// Those that its model knows.
    pub(crate) modes: &'static [&'static str],
}

impl Facade {
    fn include(&self) -> PathBuf {
        home().join("include/compat").join(self.name)
    }

    /// Builds a program as a user would, its model being in the library; once, since a program that runs cannot be written.
    pub(crate) fn build(&self, compiler: &Compiler, source: &Path, optimise: &str) -> PathBuf {
        static BUILT: Mutex<BTreeMap<PathBuf, Arc<OnceLock<()>>>> = Mutex::new(BTreeMap::new());
        let name = source.file_name().unwrap().to_str().unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(&compiler.c)
            .join(format!("{name}-{}{optimise}", self.name));
        let once = {
            let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(built.entry(path.clone()).or_default())
        };
        once.get_or_init(|| self.link(compiler, source, optimise, &path));
        path
    }

    fn link(&self, compiler: &Compiler, source: &Path, optimise: &str, path: &Path) {
        let (command, dialect) = if source.extension() == Some(OsStr::new("cpp")) {
            (&compiler.cxx, "gnu++11")
        } else {
            (&compiler.c, self.dialect)
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).unwrap();
        }
        must(
            Command::new(command)
                .arg(format!("-std={dialect}"))
                .args(["-g", optimise, "-Wall", "-Werror", "-Wno-unused-result"])
                .arg("-I")
                .arg(self.include())
                .arg(source)
                .arg("-o")
                .arg(path)
                .arg(library_folder().join("libapp_shim.a"))
                .args(["-lpthread", "-ldl", "-lm"]),
        );
    }
}

/// Runs a program that reads `input`; what it wrote.
#[track_caller]
pub(crate) fn said(path: &Path, variables: &[(&str, &OsStr)], input: &str) -> String {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    let output = run_with(
        program(path).envs(variables.iter().copied()),
        Stdio::from(file),
        LIMIT,
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{} {variables:?}: {}\n{text}{}",
        path.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

pub(crate) fn legacy(name: &str) -> PathBuf {
    home().join("examples/legacy").join(name)
}

impl Facade {
    /// In every mode, by every compiler, with and without optimisation, a legacy program says that.
    #[track_caller]
    pub(crate) fn always_says(
        &self,
        name: &str,
        more: &[(&str, &OsStr)],
        input: &str,
        expected: &str,
    ) {
        for (compiler, optimise) in compilers().iter().zip(["-O0", "-O2"]) {
            let path = self.build(compiler, &legacy(&format!("{name}.c")), optimise);
            for &mode in self.modes {
                let mut variables = vec![("APP_SHIM_MODE", OsStr::new(mode))];
                variables.extend_from_slice(more);
                assert_eq!(
                    said(&path, &variables, input),
                    expected,
                    "{name} {mode} {} {optimise}",
                    compiler.c
                );
            }
        }
    }

    /// Every program in `tests/c` of these names, by every compiler, with and without optimisation, in every mode and
    /// time, says that.
    #[track_caller]
    pub(crate) fn programs_say(&self, sources: &[&str], times: &[&str], expected: &str) {
        for compiler in compilers() {
            for source in sources {
                for optimise in ["-O0", "-O2"] {
                    let path =
                        self.build(&compiler, &home().join("tests/c").join(source), optimise);
                    for (&mode, &time) in self
                        .modes
                        .iter()
                        .flat_map(|m| times.iter().map(move |t| (m, t)))
                    {
                        let variables = [
                            ("APP_SHIM_MODE", OsStr::new(mode)),
                            ("APP_SHIM_TIME", OsStr::new(time)),
                        ];
                        assert_eq!(
                            said(&path, &variables, ""),
                            expected,
                            "{source} {mode} {time} {optimise} {}",
                            compiler.c
                        );
                    }
                }
            }
        }
    }

    /// Each header is all that a unit includes.
    pub(crate) fn headers_compile_alone(&self) {
        let headers = headers(&self.include());
        assert!(headers.len() >= 4, "{headers:?}");
        let [gcc, clang] = compilers().try_into().unwrap();
        for (command, language, dialect) in [
            (&gcc.c, "c", self.dialect),
            (&gcc.cxx, "c++", "gnu++17"),
            (&clang.c, "c", "gnu11"),
            (&clang.cxx, "c++", "gnu++98"),
        ] {
            for header in &headers {
                must(
                    Command::new(command)
                        .args(["-x", language, &format!("-std={dialect}")])
                        .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
                        .args(["-DF_CPU=16000000UL", "-DBAUD=9600", "-I"])
                        .arg(self.include())
                        .arg("-include")
                        // As programs name it: those that extend the system's look for the next of that name.
                        .arg(header.strip_prefix(self.include()).unwrap())
                        .arg("/dev/null"),
                );
            }
        }
    }
}
