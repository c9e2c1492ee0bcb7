//! Debian packages: installing what is missing, and fetching single packages
//! from other suites of the machine's own mirror without touching its sources.
//!
//! The second kind works in a state directory of its own inside the cache. The
//! mirror's address and its keyring are read from the machine's configuration,
//! and apt itself checks signatures and hashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{long, output, run, step};

/// Suites in which a package may be, besides the machine's own.
const SUITES: [&str; 4] = ["trixie", "trixie-backports", "forky", "sid"];

/// A package that provides something this run needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    /// What is missing, as a reader would name it.
    pub(crate) what: &'static str,
    /// The Debian package that has it.
    pub(crate) package: &'static str,
}

/// Installs the packages for `missing` as root; otherwise says how.
pub(crate) fn install(missing: &[Missing]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|item| item.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let names: Vec<&str> = missing.iter().map(|item| item.what).collect();
    let by_hand = format!(
        "apt-get update && apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    if first_apt().is_none() {
        bail!(
            "missing here: {}. On Debian these come from: {by_hand}\n\
             On another system install its packages of the same purpose.",
            names.join(", ")
        );
    }
    if !rustix::process::geteuid().is_root() {
        bail!(
            "missing here: {}. As root, run:\n  {by_hand}",
            names.join(", ")
        );
    }
    step(format!(
        "missing here: {}; installing {}",
        names.join(", "),
        packages.join(" ")
    ));
    let install = || {
        let mut command = Command::new("apt-get");
        command
            .args([
                "install",
                "-y",
                "-q",
                "--no-install-recommends",
                "-o",
                "Dpkg::Use-Pty=0",
            ])
            .args(&packages)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let log = log_file("apt-install.log")?;
    if long("installing packages", &mut install(), &log, |_| false).is_err() {
        // Old package lists name versions that the mirror no longer has.
        let log = log_file("apt-update.log")?;
        let mut update = Command::new("apt-get");
        update.args(["update", "-q"]);
        // One broken third-party source must not stop the rest.
        if let Err(error) = long("updating the package lists", &mut update, &log, |_| false) {
            step(format!("{error:#}"));
        }
        let log = log_file("apt-install.log")?;
        long("installing packages", &mut install(), &log, |_| false)
            .with_context(|| format!("try by hand: {by_hand}"))?;
    }
    Ok(())
}

fn log_file(name: &str) -> Result<PathBuf> {
    let directory = crate::paths::target().join("xtask");
    fs::create_dir_all(&directory)?;
    Ok(directory.join(name))
}

fn first_apt() -> Option<String> {
    crate::run::first_line("apt-get", &["--version"])
}

/// A mirror as the machine's own configuration names it.
#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    uri: String,
    keyring: Option<String>,
}

/// Finds the machine's Debian mirror.
fn mirror() -> Result<Mirror> {
    if first_apt().is_none() {
        bail!("there is no apt here to fetch Debian packages with");
    }
    let targets = |extra: &[&str]| {
        output(
            Command::new("apt-get")
                .arg("indextargets")
                .args(extra)
                .args([
                    "--format",
                    "$(CREATED_BY) $(REPO_URI) $(COMPONENT) $(SOURCESENTRY)",
                ]),
        )
    };
    // Without package lists, as on a fresh machine, apt names its targets only
    // when told not to look at release files.
    let listing = targets(&[])? + &targets(&["--no-release-info"]).unwrap_or_default();
    let (uri, sources) = debian_target(&listing)
        .context("apt's configuration names no Debian mirror on this machine")?;
    let text = sources
        .and_then(|entry| fs::read_to_string(entry.rsplit_once(':').map_or(&*entry, |x| x.0)).ok())
        .unwrap_or_default();
    let default = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let keyring =
        signed_by(&text, &uri).or_else(|| Path::new(default).exists().then(|| default.to_owned()));
    Ok(Mirror { uri, keyring })
}

/// The first target that is the main archive: its address and where it is
/// configured.
fn debian_target(listing: &str) -> Option<(String, Option<String>)> {
    listing.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (created_by, uri, component) = (words.next()?, words.next()?, words.next()?);
        let main_archive = uri.trim_end_matches('/').ends_with("/debian");
        let sources = words.next().filter(|entry| entry.starts_with('/'));
        (created_by == "Packages" && component == "main" && main_archive)
            .then(|| (uri.to_owned(), sources.map(str::to_owned)))
    })
}

/// The keyring file that a sources file names for `uri`, in either of its forms.
fn signed_by(sources: &str, uri: &str) -> Option<String> {
    let uri = uri.trim_end_matches('/');
    let one_line = sources.lines().find_map(|line| {
        let rest = line.trim_start().strip_prefix("deb ")?;
        if !rest.contains(uri) {
            return None;
        }
        let value = rest.split_once("signed-by=")?.1;
        Some(value.split([']', ' ']).next()?.to_owned())
    });
    let stanza = || {
        let stanza = sources.split("\n\n").find(|stanza| stanza.contains(uri))?;
        stanza.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let value = value.trim();
            (name.eq_ignore_ascii_case("signed-by") && value.starts_with('/'))
                .then(|| value.to_owned())
        })
    };
    one_line.or_else(stanza)
}

/// Package lists of the other suites, kept apart from the system's.
pub(crate) struct OtherSuites {
    directory: PathBuf,
}

impl OtherSuites {
    /// Reads the lists anew into `directory`.
    pub(crate) fn update(directory: &Path) -> Result<Self> {
        let this = Self {
            directory: directory.to_owned(),
        };
        let mirror = mirror()?;
        step(format!(
            "reading the package lists of {} from {}",
            SUITES.join(", "),
            mirror.uri.trim_end_matches('/')
        ));
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(directory.join(part))?;
        }
        fs::write(directory.join("status"), "")?;
        let options = mirror
            .keyring
            .map(|path| format!("[signed-by={path}] "))
            .unwrap_or_default();
        let sources: String = SUITES
            .iter()
            .map(|suite| format!("deb {options}{} {suite} main\n", mirror.uri))
            .collect();
        fs::write(directory.join("sources.list"), sources)?;
        let log = directory.join("update.log");
        let mut command = this.apt("apt-get");
        command.args(["update", "-q"]);
        // A suite that the mirror does not have (any more) is no failure while
        // another one has the package.
        if let Err(error) = long("reading package lists", &mut command, &log, |_| false) {
            step(format!(
                "{error:#}\nxtask: going on with the lists that could be read"
            ));
        }
        Ok(this)
    }

    /// An apt program that sees only our lists.
    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let directory = self.directory.display();
        let mut options = vec![
            format!("Dir::State={directory}/state"),
            format!("Dir::State::status={directory}/status"),
            format!("Dir::Cache={directory}/cache"),
            format!("Dir::Etc::sourcelist={directory}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::PDiffs=false".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        if rustix::process::geteuid().is_root() {
            options.push("APT::Sandbox::User=root".to_owned());
        }
        for option in options {
            command.args(["-o", &option]);
        }
        command
    }

    /// The versions of `package`, newest first, that `accept` accepts.
    pub(crate) fn versions(
        &self,
        package: &str,
        accept: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        let listing = output(self.apt("apt-cache").args(["madison", package]))?;
        let mut versions: Vec<String> = madison(&listing)
            .into_iter()
            .filter(|version| accept(version))
            .collect();
        versions.sort_by(|a, b| {
            let newer = |relation| {
                Command::new("dpkg")
                    .args(["--compare-versions", a, relation, b])
                    .status()
                    .is_ok_and(|status| status.success())
            };
            if newer("gt") {
                std::cmp::Ordering::Less
            } else if newer("lt") {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        });
        versions.dedup();
        Ok(versions)
    }

    /// Downloads one version of `package`, verified by apt, and unpacks it into
    /// `into`. The archive file itself is not kept.
    pub(crate) fn unpack(&self, package: &str, version: &str, into: &Path) -> Result<()> {
        let downloads = self.directory.join("download");
        crate::cache::remove(&downloads)?;
        fs::create_dir_all(&downloads)?;
        let log = self.directory.join(format!("download-{package}.log"));
        let mut command = self.apt("apt-get");
        command
            .args(["download", "-q", &format!("{package}={version}")])
            .current_dir(&downloads);
        long(
            &format!("downloading {package} {version}"),
            &mut command,
            &log,
            |_| false,
        )?;
        let archive = fs::read_dir(&downloads)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .with_context(|| format!("apt has downloaded no {package}"))?;
        run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(into))?;
        crate::cache::remove(&downloads)
    }
}

/// The versions in the output of `apt-cache madison`.
fn madison(listing: &str) -> Vec<String> {
    listing
        .lines()
        .filter(|line| line.contains(" Packages"))
        .filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_found_among_the_targets() {
        let listing = "\
Packages https://example.net/node_20.x/ main /etc/apt/sources.list.d/node.sources:1
Packages http://mirror.example/debian-security/ main /etc/apt/sources.list.d/debian.sources:9
DEP-11 http://mirror.example/debian/ main /etc/apt/sources.list.d/debian.sources:1
Packages http://mirror.example/debian/ main /etc/apt/sources.list.d/debian.sources:1
";
        let (uri, sources) = debian_target(listing).unwrap();
        assert_eq!(uri, "http://mirror.example/debian/");
        assert_eq!(
            sources.as_deref(),
            Some("/etc/apt/sources.list.d/debian.sources:1")
        );
        assert_eq!(debian_target(""), None);
    }

    #[test]
    fn both_forms_of_sources_name_their_keyring() {
        let stanzas = "Types: deb\nURIs: http://a.example/debian\nSuites: x\nSigned-By: /k/a.gpg\n\n\
                       Types: deb\nURIs: http://b.example/debian\nSigned-By: /k/b.gpg\n";
        assert_eq!(
            signed_by(stanzas, "http://b.example/debian/").as_deref(),
            Some("/k/b.gpg")
        );
        let lines =
            "# comment\ndeb [arch=amd64 signed-by=/k/c.gpg] http://c.example/debian x main\n";
        assert_eq!(
            signed_by(lines, "http://c.example/debian/").as_deref(),
            Some("/k/c.gpg")
        );
        assert_eq!(
            signed_by(
                "deb http://c.example/debian x main\n",
                "http://c.example/debian/"
            ),
            None
        );
    }

    #[test]
    fn versions_are_read_from_the_listing() {
        let listing = "\
 linux-source-7.2 |   7.2.13-1 | http://m.example/debian sid/main amd64 Packages
 linux-source-7.2 | 7.2.12-1~bpo13+1 | http://m.example/debian trixie-backports/main amd64 Packages
 linux-source-7.2 |   7.2.13-1 | http://m.example/debian sid/main Sources
";
        assert_eq!(madison(listing), ["7.2.13-1", "7.2.12-1~bpo13+1"]);
    }
}
