//! Kernel configuration fragments: what they ask for, and whether it was granted.
//!
//! Kconfig drops an option silently when something that it depends on is not
//! set. A test kernel without lock checking would then pass every test, so each
//! requested option is compared with the final configuration.

use std::collections::BTreeMap;

/// Option name, without `CONFIG_`, to value; `n` for "is not set".
pub(crate) type Options = BTreeMap<String, String>;

/// Reads a fragment or a whole configuration; later lines win.
pub(crate) fn parse(text: &str) -> Options {
    let mut options = Options::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("CONFIG_") {
            if let Some((name, value)) = rest.split_once('=') {
                options.insert(name.to_owned(), value.to_owned());
            }
        } else if let Some(rest) = line.strip_prefix("# CONFIG_")
            && let Some(name) = rest.strip_suffix(" is not set")
        {
            options.insert(name.to_owned(), "n".to_owned());
        }
    }
    options
}

/// The requests of `wanted` that `granted` does not hold, one readable line each.
pub(crate) fn refused(wanted: &Options, granted: &Options) -> Vec<String> {
    wanted
        .iter()
        .filter_map(|(name, value)| {
            let got = granted.get(name).map_or("n", String::as_str);
            (got != value).then(|| format!("CONFIG_{name}: asked for {value}, got {got}"))
        })
        .collect()
}

/// A configuration with all of `wanted` and nothing else, for `allnoconfig`.
pub(crate) fn render(wanted: &Options) -> String {
    wanted
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            if value == "n" {
                text += &format!("# CONFIG_{name} is not set\n");
            } else {
                text += &format!("CONFIG_{name}={value}\n");
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINAL: &str = "#\n# Automatically generated file; DO NOT EDIT.\n#\nCONFIG_SMP=y\n\
                         CONFIG_NR_CPUS=8\n# CONFIG_INET is not set\nCONFIG_NAME=\"a=b\"\n";

    #[test]
    fn what_is_granted_is_not_reported() {
        let wanted = parse("# why\nCONFIG_SMP=y\nCONFIG_NR_CPUS=8\n# CONFIG_INET is not set\n");
        assert_eq!(refused(&wanted, &parse(FINAL)), Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_refusal_is_reported() {
        let wanted = parse(
            "CONFIG_SMP=m\nCONFIG_NR_CPUS=4\nCONFIG_INET=y\nCONFIG_GONE=y\n\
             # CONFIG_NEVER_THERE is not set\nCONFIG_NAME=\"a=b\"\n",
        );
        assert_eq!(
            refused(&wanted, &parse(FINAL)),
            [
                "CONFIG_GONE: asked for y, got n",
                "CONFIG_INET: asked for y, got n",
                "CONFIG_NR_CPUS: asked for 4, got 8",
                "CONFIG_SMP: asked for m, got y",
            ]
        );
    }

    #[test]
    fn later_fragments_win_and_come_out_again() {
        let wanted = parse("CONFIG_A=y\nCONFIG_B=y\n# CONFIG_A is not set\n");
        assert_eq!(render(&wanted), "# CONFIG_A is not set\nCONFIG_B=y\n");
        assert_eq!(parse(&render(&wanted)), wanted);
    }

    #[test]
    fn the_committed_fragments_ask_for_what_they_are_named_after() {
        let read = |name: &str| {
            let path = crate::paths::root().join("tests/vm/config").join(name);
            parse(&std::fs::read_to_string(path).unwrap())
        };
        assert_eq!(read("base.config")["RUST"], "y");
        assert_eq!(read("checked.config")["PROVE_LOCKING"], "y");
        assert_eq!(read("debug.config")["KASAN"], "y");
        assert!(
            !read("lean.config")
                .values()
                .any(|value| value.contains("DEBUG"))
        );
    }
}
