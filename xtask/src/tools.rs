//! The programs that a kernel build and a guest need: found, installed or built.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::apt::{self, Missing, OtherSuites};
use crate::cache;
use crate::kernel::Flavor;
use crate::run::{first_line, long, output, step, tied};

/// The oldest bindgen that the kernel's Rust code is generated with correctly by
/// a current rustc (Documentation/process/changes.rst of 7.2 names 0.71.1).
const BINDGEN_MIN: [u32; 3] = [0, 71, 1];

/// The bindgen that is built where there is none, or an older one.
const BINDGEN: &str = "0.72.1";

/// What a kernel or module build is done with.
pub(crate) struct Tools {
    /// Directories to search first: bindgen's, and that of the very rustc in use.
    path: Vec<PathBuf>,
    libclang: PathBuf,
    rust_library: PathBuf,
    /// Arguments for `make` that choose the C compiler.
    make: Vec<String>,
    /// Everything that has a say in the result, one line each.
    pub(crate) versions: Vec<(&'static str, String)>,
}

impl Tools {
    /// `make` for `source`, in a known environment.
    pub(crate) fn make(&self, source: &Path) -> Result<Command> {
        let mut command = tied(Path::new("make"));
        let old_path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(self.path.iter().cloned().chain(env::split_paths(&old_path)))
            .context("PATH")?;
        // What the caller happens to have set must not reach into the result.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let prefixes = ["KBUILD_", "MAKE", "CARGO", "RUSTC", "RUSTFLAGS", "LLVM"];
            let names = [
                "ARCH",
                "CROSS_COMPILE",
                "KCFLAGS",
                "KRUSTFLAGS",
                "CFLAGS",
                "MFLAGS",
                "O",
            ];
            if prefixes.iter().any(|prefix| text.starts_with(prefix)) || names.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        command
            .arg("-C")
            .arg(source)
            .arg(format!("-j{}", jobs()))
            .args(&self.make)
            .env("PATH", path)
            .env("LIBCLANG_PATH", &self.libclang)
            .env("RUST_LIB_SRC", &self.rust_library)
            .env("LC_ALL", "C")
            // The same inputs give the same kernel.
            .env("KBUILD_BUILD_USER", "rtnotify")
            .env("KBUILD_BUILD_HOST", "xtask")
            .env("KBUILD_BUILD_TIMESTAMP", "2026-01-01 00:00:00 UTC")
            .env("KBUILD_BUILD_VERSION", "1");
        Ok(command)
    }
}

/// How many jobs to run at once.
pub(crate) fn jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Whether `program` is on the search path.
fn have(program: &str) -> bool {
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .any(|directory| directory.join(program).is_file())
}

/// Finds or provides all that a kernel of `flavor` needs.
pub(crate) fn for_kernel(flavor: Flavor, cache: &Path) -> Result<Tools> {
    let mut missing = Vec::new();
    let mut need = |present: bool, what: &'static str, package: &'static str| {
        if !present {
            missing.push(Missing { what, package });
        }
    };
    for (program, package) in [
        ("gcc", "gcc"),
        ("ld", "binutils"),
        ("make", "make"),
        ("flex", "flex"),
        ("bison", "bison"),
        ("bc", "bc"),
        ("perl", "perl"),
        ("tar", "tar"),
        ("xz", "xz-utils"),
    ] {
        need(have(program), program, package);
    }
    let header = |name: &str| {
        ["/usr/include", "/usr/local/include"]
            .iter()
            .any(|dir| Path::new(dir).join(name).exists())
    };
    need(header("gelf.h"), "the ELF library's headers", "libelf-dev");
    need(header("stdio.h"), "the C library's headers", "libc6-dev");
    need(libclang().is_some(), "libclang", "libclang1-19");
    let llvm = llvm_suffix();
    if flavor == Flavor::Debug && llvm.is_none() {
        need(false, "clang", "clang-19");
        need(false, "lld", "lld-19");
        need(false, "LLVM's binary tools", "llvm-19");
    }
    apt::install(&missing)?;

    let libclang = libclang().context("libclang is not found, even after installing it")?;
    let llvm = llvm.or_else(llvm_suffix);
    let (make, compiler) = if flavor == Flavor::Debug {
        let suffix = llvm.context("clang is not found, even after installing it")?;
        let version = first_line(&format!("clang{suffix}"), &["--version"]);
        (
            vec![format!(
                "LLVM={}",
                if suffix.is_empty() { "1" } else { &suffix }
            )],
            version,
        )
    } else {
        (Vec::new(), first_line("gcc", &["--version"]))
    };
    let compiler = compiler.context("the C compiler does not run")?;
    let linker = first_line("ld", &["--version"]).unwrap_or_default();

    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let root = crate::paths::clean_root();
    let in_tree =
        |arguments: &[&str]| output(Command::new(&rustc).args(arguments).current_dir(&root));
    let sysroot = PathBuf::from(in_tree(&["--print", "sysroot"])?.trim());
    let verbose = in_tree(&["-vV"])?;
    let release = verbose
        .lines()
        .find_map(|line| line.strip_prefix("release: "))
        .context("rustc -vV does not name a release")?
        .to_owned();
    let bindgen = bindgen(cache)?;
    let rust_library = rust_library(&sysroot, &release, cache)?;

    let mut path = vec![sysroot.join("bin")];
    let mut bindgen_version = String::new();
    if let Some(bindgen) = &bindgen {
        path.push(bindgen.parent().unwrap_or(Path::new("/")).to_owned());
        bindgen_version = first_line(&bindgen.to_string_lossy(), &["--version"])
            .with_context(|| format!("{} does not run", bindgen.display()))?;
    }
    Ok(Tools {
        versions: vec![
            ("C compiler", compiler),
            ("linker", linker),
            ("rustc", verbose),
            ("bindgen", bindgen_version),
            ("libclang", libclang.to_string_lossy().into_owned()),
            ("Rust library sources", release),
        ],
        path,
        libclang: libclang.parent().unwrap_or(Path::new("/")).to_owned(),
        rust_library,
        make,
    })
}

/// The libclang with the highest version, where Linux distributions put it.
fn libclang() -> Option<PathBuf> {
    let mut directories: Vec<PathBuf> = Vec::new();
    if let Some(set) = env::var_os("LIBCLANG_PATH") {
        directories.push(set.into());
    }
    directories.extend(
        fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"))
            .map(|entry| entry.path().join("lib")),
    );
    for fixed in [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/lib",
    ] {
        directories.push(fixed.into());
    }
    directories
        .iter()
        .flat_map(|directory| fs::read_dir(directory).into_iter().flatten().flatten())
        .filter_map(|entry| {
            let version = libclang_version(&entry.file_name().to_string_lossy())?;
            // A link may point nowhere.
            entry.path().exists().then(|| (version, entry.path()))
        })
        .max_by(|a, b| a.0.cmp(&b.0))
        .map(|(_, path)| path)
}

/// The version in the file name of a libclang, 0 where it names none.
fn libclang_version(name: &str) -> Option<u32> {
    let rest = name.strip_prefix("libclang")?;
    if rest.starts_with("-cpp") || !rest.contains(".so") {
        return None;
    }
    if !rest.starts_with(['-', '.']) {
        return None;
    }
    let digits = |text: &str| {
        text.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .ok()
    };
    let before = rest.strip_prefix('-').and_then(digits);
    let after = rest
        .split_once(".so.")
        .and_then(|(_, version)| digits(version));
    Some(before.or(after).unwrap_or(0))
}

/// The suffix, such as `-19`, of the newest complete set of LLVM programs.
fn llvm_suffix() -> Option<String> {
    let complete = |suffix: &str| {
        [
            "clang",
            "ld.lld",
            "llvm-ar",
            "llvm-nm",
            "llvm-objcopy",
            "llvm-strip",
            "llvm-readelf",
        ]
        .iter()
        .all(|program| have(&format!("{program}{suffix}")))
    };
    // Older ones than 17 do not know what KASAN needs for Rust code.
    (17..40)
        .rev()
        .map(|version| format!("-{version}"))
        .find(|suffix| complete(suffix))
}

/// A bindgen that is new enough: from the search path, or built into the cache.
fn bindgen(cache: &Path) -> Result<Option<PathBuf>> {
    let tools = cache.join("tools");
    let ours = tools.join(format!("bindgen-{BINDGEN}"));
    let ours_binary = ours.join("bin/bindgen");
    if cache::stamp(&ours).is_some() {
        return Ok(Some(ours_binary));
    }
    if let Some(directory) = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .find(|directory| directory.join("bindgen").is_file())
    {
        let program = directory.join("bindgen");
        let line = first_line(&program.to_string_lossy(), &["--version"]).unwrap_or_default();
        if version(&line).is_some_and(|version| version >= BINDGEN_MIN) {
            return Ok(Some(program));
        }
        step(format!(
            "{line} is older than 0.71.1, building {BINDGEN} instead"
        ));
    }
    fs::create_dir_all(&tools)?;
    cache::clear_stamp(&ours)?;
    let build = tools.join("bindgen.build");
    let mut command = tied(Path::new("cargo"));
    command
        .args(["install", "--locked", "--force", "--root"])
        .arg(&ours)
        .arg(format!("bindgen-cli@{BINDGEN}"))
        // Not the work tree's: its settings are not meant for this.
        .current_dir(&tools)
        .env("CARGO_TARGET_DIR", &build)
        // A program that runs for seconds need not be optimised for minutes.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    long(
        &format!("building bindgen {BINDGEN}"),
        &mut command,
        &tools.join("bindgen.log"),
        |line| line.trim_start().starts_with("Compiling"),
    )?;
    cache::remove(&build)?;
    cache::set_stamp(&ours, BINDGEN)?;
    Ok(Some(ours_binary))
}

/// The first three numbers of a version in `text`.
fn version(text: &str) -> Option<[u32; 3]> {
    let word = text.split_ascii_whitespace().find(|word| {
        word.trim_start_matches('v')
            .starts_with(|first: char| first.is_ascii_digit())
    })?;
    let mut numbers = word
        .trim_start_matches('v')
        .split(['.', '-', '+'])
        .map(str::parse);
    Some([
        numbers.next()?.ok()?,
        numbers.next().and_then(Result::ok).unwrap_or(0),
        numbers.next().and_then(Result::ok).unwrap_or(0),
    ])
}

/// The sources of Rust's `core` for exactly the rustc in use: the toolchain's own
/// if it has them, else those of Debian's package of the same release.
fn rust_library(sysroot: &Path, release: &str, cache: &Path) -> Result<PathBuf> {
    let is_library = |path: &Path| path.join("core/src/lib.rs").exists();
    if let Some(set) = env::var_os("RUST_LIB_SRC").map(PathBuf::from)
        && is_library(&set)
    {
        return Ok(set);
    }
    let own = sysroot.join("lib/rustlib/src/rust/library");
    if is_library(&own) {
        return Ok(own);
    }
    let directory = cache.join("tools").join(format!("rust-src-{release}"));
    if let Some(library) = cache::stamp(&directory) {
        return Ok(directory.join(library));
    }
    let how = format!(
        "rustc {release} comes without its library sources, which the kernel's Rust code needs: \
         `rustup component add rust-src`, or set RUST_LIB_SRC to the `library` directory of \
         Rust {release}"
    );
    step(format!(
        "no library sources beside rustc {release}: looking for Debian's rust-src"
    ));
    let suites = OtherSuites::update(&cache.join("apt")).context(how.clone())?;
    // `1.95.0+dfsg1-2~bpo13+1` is release 1.95.0.
    let of_release = |version: &str| {
        version
            .strip_prefix(release)
            .is_some_and(|rest| rest.starts_with(['+', '-', '~']))
    };
    let versions = suites.versions("rust-src", of_release)?;
    let Some(version) = versions.first() else {
        bail!(how)
    };
    let partial = directory.with_added_extension("partial");
    cache::remove(&partial)?;
    cache::remove(&directory)?;
    suites.unpack("rust-src", version, &partial)?;
    // The package's /usr/lib/rustlib/… is a link; the files are here.
    let sources = partial.join("usr/src");
    let library = fs::read_dir(&sources)?
        .flatten()
        .map(|entry| entry.path().join("library"))
        .find(|path| is_library(path))
        .with_context(|| format!("rust-src {version} is not laid out as expected"))?;
    let relative = library
        .strip_prefix(&partial)?
        .to_string_lossy()
        .into_owned();
    fs::rename(&partial, &directory)?;
    cache::set_stamp(&directory, &relative)?;
    Ok(directory.join(relative))
}

/// Finds or installs what the tests on this machine need besides a Rust toolchain: C and C++ compilers, for
/// what is for C programs, `pkg-config` and `cmake`, which are to find it, and groff, for the manual pages.
pub(crate) fn for_native_tests() -> Result<()> {
    let mut missing = Vec::new();
    let mut need = |present: bool, what: &'static str, package: &'static str| {
        if !present {
            missing.push(Missing { what, package });
        }
    };
    need(have("gcc"), "gcc", "gcc");
    need(have("make"), "make", "make");
    // The tests know the names of Debian's packages of one version, too.
    let clang = have("clang") || (11..40).any(|version| have(&format!("clang-{version}")));
    need(clang, "clang", "clang");
    need(have("groff"), "groff", "groff-base");
    need(have("g++"), "g++", "g++");
    need(have("pkg-config"), "pkg-config", "pkg-config");
    need(have("cmake"), "cmake", "cmake");
    apt::install(&missing)
}

/// Finds or installs QEMU; its program name.
pub(crate) fn qemu() -> Result<OsString> {
    let program = "qemu-system-x86_64";
    if !have(program) {
        apt::install(&[Missing {
            what: program,
            package: "qemu-system-x86",
        }])?;
    }
    Ok(program.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("bindgen 0.72.1"), Some([0, 72, 1]));
        assert_eq!(version("bindgen 0.60.1-dev"), Some([0, 60, 1]));
        assert_eq!(version("bindgen"), None);
        assert!(version("bindgen 0.100.0").unwrap() > BINDGEN_MIN);
        assert!(version("bindgen 0.60.1").unwrap() < BINDGEN_MIN);
    }

    #[test]
    fn libclang_is_told_from_its_neighbours() {
        assert_eq!(libclang_version("libclang-19.so.19"), Some(19));
        assert_eq!(libclang_version("libclang-14.so.1"), Some(14));
        assert_eq!(libclang_version("libclang.so.13"), Some(13));
        assert_eq!(libclang_version("libclang.so"), Some(0));
        assert_eq!(libclang_version("libclang-cpp.so.14"), None);
        assert_eq!(libclang_version("libclang-cpp14.so"), None);
        assert_eq!(libclang_version("libclangBasic.a"), None);
    }
}
