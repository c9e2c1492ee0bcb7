//! Kernel modules, built outside the tree against one of our kernels.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cache::{self, Key};
use crate::kernel::{Kernel, is_step};
use crate::paths;
use crate::run::long;

/// Folders of the work tree that hold modules, by the names of their outputs.
pub(crate) const PRODUCT: &str = "notify-kmod";
/// The test-only module that provokes kernel reports.
pub(crate) const SPLAT: &str = "tests/vm/splat";
/// Test-only modules that tests in the guest load themselves.
pub(crate) const FOR_TESTS: [&str; 2] = ["tests/vm/hardirq", "tests/vm/board"];
/// What drivers in other folders include of the product.
const PRODUCER_HEADER: &str = "notify-kmod/include/rtnotify_producer.h";

/// Builds or reuses the modules of [`FOR_TESTS`], and the product before, whose symbols they use.
pub(crate) fn provide_for_tests(kernel: &Kernel) -> Result<Vec<PathBuf>> {
    provide(kernel, PRODUCT, false)?;
    let mut modules = Vec::new();
    for source in FOR_TESTS {
        modules.extend(provide(kernel, source, false)?);
    }
    Ok(modules)
}

/// Builds or reuses the modules in folder `source` of the work tree; the `.ko`
/// files in the order in which they are to be loaded. With `clippy`, checks with
/// Clippy instead of compiling for use. Those of [`FOR_TESTS`] need the product built.
pub(crate) fn provide(kernel: &Kernel, source: &str, clippy: bool) -> Result<Vec<PathBuf>> {
    let from = paths::clean_root().join(source);
    if !from.join("Kbuild").exists() && !from.join("Makefile").exists() {
        bail!(
            "{} has no Kbuild: there is no module to build",
            from.display()
        );
    }
    let base = paths::target().join("kmod").join(kernel.flavor.name());
    let _lock = cache::lock(&base)?;
    let variant = if clippy { "-clippy" } else { "" };
    let directory = base.join(source.replace('/', "-") + variant);
    let out = directory.join("out");

    let mut key = Key::new("module 1");
    key.add("kernel", &kernel.key);
    key.add("build directory", kernel.build.to_string_lossy().as_bytes());
    for path in files(&from)? {
        let name = path.strip_prefix(&from)?.to_string_lossy().into_owned();
        key.add(
            &name,
            fs::read(&path).with_context(|| path.display().to_string())?,
        );
    }
    let symbols = FOR_TESTS
        .contains(&source)
        .then(|| base.join(PRODUCT).join("out/Module.symvers"));
    if let Some(symbols) = &symbols {
        for path in [symbols, &paths::clean_root().join(PRODUCER_HEADER)] {
            let bytes = fs::read(path).with_context(|| path.display().to_string())?;
            key.add(&path.to_string_lossy(), bytes);
        }
    }
    let id = key.id();
    if cache::stamp(&directory).as_deref() == Some(&*id) {
        return modules(&out);
    }
    // Another kernel's objects cannot be continued with.
    let kernel_mark = directory.join("kernel");
    let same_kernel = fs::read_to_string(&kernel_mark).is_ok_and(|mark| mark == kernel.key);
    cache::clear_stamp(&directory)?;
    if !same_kernel {
        cache::remove(&directory)?;
    }
    fs::create_dir_all(&out)?;
    fs::write(&kernel_mark, &kernel.key)?;

    let mut command = kernel.tools.make(&kernel.source)?;
    command
        .arg(format!("O={}", kernel.build.display()))
        .arg(format!("M={}", from.display()))
        .arg(format!("MO={}", out.display()))
        // Warnings are errors.
        .args(["W=1", "KCFLAGS=-Werror", "KRUSTFLAGS=-Dwarnings"]);
    if let Some(symbols) = &symbols {
        command.arg(format!("KBUILD_EXTRA_SYMBOLS={}", symbols.display()));
    }
    if clippy {
        command.arg("CLIPPY=1");
    }
    command.arg("modules");
    let what = if clippy {
        "checking with Clippy"
    } else {
        "building"
    };
    let what = format!("{what} {source} for the {} kernel", kernel.flavor.name());
    long(&what, &mut command, &directory.join("build.log"), is_step)?;
    let modules = modules(&out)?;
    if modules.is_empty() {
        bail!(
            "{what} has made no .ko file: see {}",
            directory.join("build.log").display()
        );
    }
    cache::set_stamp(&directory, &id)?;
    Ok(modules)
}

/// Every file below `directory` that can be an input of a module, sorted. Left
/// out is what other builds leave there.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let output = [
                ".o", ".ko", ".mod", ".mod.c", ".order", ".symvers", ".cmd", ".swp",
            ];
            if name.starts_with('.')
                || ["target", "fuzz", "tests"].contains(&&*name)
                || output.iter().any(|suffix| name.ends_with(suffix))
            {
                continue;
            }
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The modules of the last build, in the order of `modules.order`. (A plain
/// search would also find those of sources that are gone.)
fn modules(out: &Path) -> Result<Vec<PathBuf>> {
    let order = out.join("modules.order");
    let text = fs::read_to_string(&order).with_context(|| order.display().to_string())?;
    let found = ordered(&text)
        .into_iter()
        .map(|name| out.join(name))
        .collect::<Vec<_>>();
    for path in &found {
        if !path.exists() {
            bail!(
                "{} is listed in modules.order but was not made",
                path.display()
            );
        }
    }
    Ok(found)
}

/// The module files that a `modules.order` names. `rtnotify.ko` comes first: the
/// others use what it exports.
fn ordered(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| Some(format!("{}.ko", line.trim().strip_suffix(".o")?)))
        .collect();
    names.sort_by_key(|name| Path::new(name).file_name() != Some("rtnotify.ko".as_ref()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_module_comes_first() {
        assert_eq!(
            ordered("examples/edu/rtnotify_edu.o\nrtnotify.o\n"),
            ["rtnotify.ko", "examples/edu/rtnotify_edu.ko"]
        );
        assert_eq!(ordered(""), Vec::<String>::new());
    }

    #[test]
    fn only_inputs_go_into_the_key() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "Kbuild",
            "a.rs",
            "a.o",
            "a.ko",
            ".a.o.cmd",
            "Module.symvers",
            "sub/b.c",
        ] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found: Vec<String> = files(directory.path())
            .unwrap()
            .iter()
            .map(|path| {
                path.strip_prefix(directory.path())
                    .unwrap()
                    .display()
                    .to_string()
            })
            .collect();
        assert_eq!(found, ["Kbuild", "a.rs", "sub/b.c"]);
    }
}
