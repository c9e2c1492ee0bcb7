// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `cargo xtask install-shim` installs is found by `pkg-config` and `cmake`, and programs are built with it.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{home, run};

#[track_caller]
fn done(command: &mut Command) -> String {
    let output = run(command, Duration::from_mins(15));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn install(prefix: &Path) {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    done(
        Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--package", "xtask", "--"])
            .args(["install-shim", "--debug", "--prefix"])
            .arg(prefix)
            .env("CARGO_TARGET_DIR", target)
            .current_dir(home()),
    );
}

#[test]
fn programs_are_built_with_what_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    // Relocatable: found where it is moved to.
    let first = folder.path().join("first");
    install(&first);
    let prefix = folder.path().join("prefix");
    fs::rename(first, &prefix).unwrap();
    let source = home().join("tests/c/services.c");

    let packages = prefix.join("lib/pkgconfig");
    let config = |what: &[&str]| {
        done(
            Command::new("pkg-config")
                .args(what)
                .arg("app_shim")
                .env("PKG_CONFIG_PATH", &packages),
        )
    };
    assert_eq!(config(&["--modversion"]).trim(), env!("CARGO_PKG_VERSION"));
    let compat = config(&["--variable=compat"]);
    assert!(
        compat.trim().ends_with("include/app_shim/compat"),
        "{compat}"
    );
    let flags = config(&["--cflags", "--libs"]);
    let program = folder.path().join("services");
    done(
        Command::new("gcc")
            .arg(&source)
            .arg("-o")
            .arg(&program)
            .args(flags.split_whitespace()),
    );
    let said = done(common::program(&program).env("LD_LIBRARY_PATH", prefix.join("lib")));
    assert_eq!(said, "a 42 and text\nplain\n");

    fs::write(
        folder.path().join("CMakeLists.txt"),
        format!(
            "cmake_minimum_required(VERSION 3.16)\nproject(test C)\n\
             find_package(app_shim {} REQUIRED)\n\
             foreach(kind shared static)\n  add_executable(${{kind}} {})\n  \
             target_link_libraries(${{kind}} app_shim::${{kind}})\nendforeach()\n\
             get_filename_component(headers \"${{app_shim_COMPAT_DIR}}\" DIRECTORY)\n\
             if(NOT EXISTS \"${{headers}}/app_shim.h\")\n  \
             message(FATAL_ERROR ${{app_shim_COMPAT_DIR}})\nendif()\n",
            env!("CARGO_PKG_VERSION"),
            source.display()
        ),
    )
    .unwrap();
    let build = folder.path().join("build");
    done(
        Command::new("cmake")
            .arg("-S")
            .arg(folder.path())
            .arg("-B")
            .arg(&build)
            .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())),
    );
    done(Command::new("cmake").arg("--build").arg(&build));
    for kind in ["shared", "static"] {
        let said = done(&mut common::program(&build.join(kind)));
        assert_eq!(said, "a 42 and text\nplain\n");
    }
}
