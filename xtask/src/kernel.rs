//! Guest kernels: one per flavour, built once for everything that goes into them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cache::{self, Key};
use crate::kconfig;
use crate::paths;
use crate::room;
use crate::run::{long, step};
use crate::source;
use crate::tools::{self, Tools};

/// Which checks a kernel has built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Lock order, sleeping in atomic context, freed memory: for the tests.
    Checked,
    /// No checks at all: for figures.
    Lean,
    /// Clang, KASAN, kmemleak, KCOV, fault injection: slow and thorough.
    Debug,
}

impl Flavor {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Lean => "lean",
            Self::Debug => "debug",
        }
    }
}

/// A kernel that is ready to be used.
pub(crate) struct Kernel {
    pub(crate) flavor: Flavor,
    pub(crate) source: PathBuf,
    pub(crate) build: PathBuf,
    pub(crate) key: String,
    pub(crate) tools: Tools,
}

impl Kernel {
    /// The bootable image.
    pub(crate) fn image(&self) -> PathBuf {
        self.build.join("arch/x86/boot/bzImage")
    }
}

/// Builds or reuses the kernel of `flavor`.
pub(crate) fn provide(flavor: Flavor, chosen_source: Option<&Path>) -> Result<Kernel> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("guests are x86-64 machines with the host's own programs: this host is another one");
    }
    let cache = paths::cache()?;
    let _lock = cache::lock(&cache)?;
    if !cache.join("kernel").exists() {
        room::require(&cache, room::KERNEL)?;
    }
    let tools = tools::for_kernel(flavor, &cache)?;
    let source = source::provide(chosen_source, &cache)?;

    let fragments = fragments(flavor)?;
    let mut key = Key::new("kernel 1");
    key.add("flavour", flavor.name());
    key.add("source", &source.identity);
    for (name, value) in &tools.versions {
        key.add(name, value);
    }
    let wanted = kconfig::parse(&fragments);
    key.add("options", kconfig::render(&wanted));
    let key_id = key.id();

    let kernels = cache.join("kernel");
    let directory = kernels.join(format!("{}-{key_id}", flavor.name()));
    let kernel = Kernel {
        flavor,
        source: source.directory,
        build: directory.join("build"),
        key: key_id,
        tools,
    };
    if cache::stamp(&directory).is_none() {
        fs::create_dir_all(&kernel.build)?;
        fs::write(directory.join("inputs"), key.listing())?;
        configure(&kernel, &wanted, &directory)?;
        build(&kernel, &directory)?;
        cache::set_stamp(&directory, key.listing())?;
        cache::prune(&kernels, &format!("{}-", flavor.name()), 2, &directory)?;
    }
    Ok(kernel)
}

/// The fragments of a flavour, one after the other: later ones win.
fn fragments(flavor: Flavor) -> Result<String> {
    let directory = paths::clean_root().join("tests/vm/config");
    let mut text = String::new();
    let names: &[&str] = match flavor {
        Flavor::Checked => &["base", "checked"],
        Flavor::Lean => &["base", "lean"],
        Flavor::Debug => &["base", "checked", "debug"],
    };
    for name in names {
        let path = directory.join(name).with_extension("config");
        text += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    }
    Ok(text)
}

/// `allnoconfig` with the wanted options on top, all of which must survive.
fn configure(kernel: &Kernel, wanted: &kconfig::Options, directory: &Path) -> Result<()> {
    let file = directory.join("wanted.config");
    fs::write(&file, kconfig::render(wanted))?;
    let mut command = kernel.tools.make(&kernel.source)?;
    command
        .arg(format!("O={}", kernel.build.display()))
        .arg("allnoconfig")
        .env("KCONFIG_ALLCONFIG", &file);
    let log = directory.join("configure.log");
    long("configuring the kernel", &mut command, &log, |_| false)?;
    let granted = kconfig::parse(&fs::read_to_string(kernel.build.join(".config"))?);
    let refused = kconfig::refused(wanted, &granted);
    if refused.is_empty() {
        return Ok(());
    }
    let mut hint = String::new();
    if refused.iter().any(|line| line.starts_with("CONFIG_RUST:")) {
        // The kernel knows best what it misses.
        let mut command = kernel.tools.make(&kernel.source)?;
        command
            .arg(format!("O={}", kernel.build.display()))
            .arg("rustavailable");
        let log = directory.join("rustavailable.log");
        if let Err(error) = long("asking the kernel about Rust", &mut command, &log, |_| {
            false
        }) {
            hint = format!("\n{error:#}");
        }
    }
    bail!(
        "the kernel refuses options that tests/vm/config asks for:\n  {}{hint}",
        refused.join("\n  ")
    );
}

fn build(kernel: &Kernel, directory: &Path) -> Result<()> {
    step(format!(
        "building the {} kernel in {} (once; log: build.log there)",
        kernel.flavor.name(),
        directory.display()
    ));
    let mut command = kernel.tools.make(&kernel.source)?;
    command
        .arg(format!("O={}", kernel.build.display()))
        .args(["bzImage", "modules"]);
    long(
        &format!("building the {} kernel", kernel.flavor.name()),
        &mut command,
        &directory.join("build.log"),
        is_step,
    )
}

/// Whether a line of Kbuild's output is a file being made: `  CC      mm/util.o`.
pub(crate) fn is_step(line: &str) -> bool {
    line.starts_with("  ") && line[2..].starts_with(|first: char| first.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_from_other_output() {
        assert!(is_step("  CC      mm/util.o\n"));
        assert!(is_step("  RUSTC L rust/core.o\n"));
        assert!(!is_step("make[1]: Entering directory\n"));
        assert!(!is_step("  ^~~~~\n"));
        assert!(!is_step("\n"));
    }
}
