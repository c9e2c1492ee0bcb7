//! The run description: what PID 1 is to run, and how.
//!
//! Encoded as `key=value` items that each end in a NUL byte, since neither
//! arguments nor environment strings nor paths can hold one.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// One run of the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The command and its arguments.
    pub argv: Vec<OsString>,
    /// The command's whole environment, as `NAME=VALUE`.
    pub env: Vec<OsString>,
    /// The command's working directory, an absolute path of the host.
    pub cwd: PathBuf,
    /// Rows and columns of the terminal to run in, or `None` for plain pipes.
    pub terminal: Option<(u16, u16)>,
    /// File names below [`crate::MODULE_DIR`], in the order of loading.
    pub modules: Vec<OsString>,
}

impl Run {
    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |key: &str, value: &OsStr| {
            out.extend_from_slice(key.as_bytes());
            out.push(b'=');
            out.extend_from_slice(value.as_bytes());
            out.push(0);
        };
        for arg in &self.argv {
            put("arg", arg);
        }
        for item in &self.env {
            put("env", item);
        }
        put("cwd", self.cwd.as_os_str());
        if let Some((rows, columns)) = self.terminal {
            put("terminal", format!("{rows}x{columns}").as_ref());
        }
        for module in &self.modules {
            put("module", module);
        }
        out
    }

    /// The description in `bytes`.
    ///
    /// # Errors
    ///
    /// A message that names the item which is not understood.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut run = Self::default();
        let Some(bytes) = bytes.strip_suffix(&[0]) else {
            return Err("the run description is cut off".into());
        };
        for item in bytes.split(|&byte| byte == 0) {
            let bad = || format!("run description: {:?}", String::from_utf8_lossy(item));
            let equals = item.iter().position(|&byte| byte == b'=').ok_or_else(bad)?;
            let (key, value) = (&item[..equals], &item[equals + 1..]);
            let owned = OsString::from_vec(value.to_vec());
            match key {
                b"arg" => run.argv.push(owned),
                b"env" => run.env.push(owned),
                b"cwd" => run.cwd = owned.into(),
                b"module" => run.modules.push(owned),
                b"terminal" => {
                    let text = str::from_utf8(value).map_err(|_| bad())?;
                    let (rows, columns) = text.split_once('x').ok_or_else(bad)?;
                    let number = |text: &str| text.parse().map_err(|_| bad());
                    run.terminal = Some((number(rows)?, number(columns)?));
                }
                _ => return Err(bad()),
            }
        }
        Ok(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_comes_back_as_written() {
        let run = Run {
            argv: vec![
                "sh".into(),
                "-c".into(),
                "echo a=b\n".into(),
                OsString::new(),
            ],
            env: vec!["A=".into(), "B=x=y".into()],
            cwd: "/a dir".into(),
            terminal: Some((24, 80)),
            modules: vec!["rtnotify.ko".into()],
        };
        assert_eq!(Run::decode(&run.encode()), Ok(run));
        let plain = Run {
            argv: vec!["true".into()],
            cwd: "/".into(),
            ..Run::default()
        };
        assert_eq!(Run::decode(&plain.encode()), Ok(plain));
    }

    #[test]
    fn a_cut_off_description_is_refused() {
        assert!(Run::decode(b"").is_err());
        assert!(Run::decode(b"arg=tru").is_err());
        assert!(Run::decode(b"what=1\0").is_err());
    }
}
