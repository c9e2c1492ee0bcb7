// SPDX-License-Identifier: MIT OR Apache-2.0

//! The socket that a broker listens on: made, or passed on by systemd.

use std::env;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, UnixAddr, bind, connect, getsockname,
    getsockopt, listen, shutdown, socket, sockopt,
};

use super::peers::Admission;
use crate::sys;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    pub(super) admission: Admission,
    /// Of a file that goes with this.
    made: Option<Made>,
}

#[derive(Debug)]
struct Made {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// Keeps others from replacing it; the file stays, since removing it could not be done safely.
    _lock: Flock<File>,
}

fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// A `SOCK_SEQPACKET` socket.
pub(super) fn seqpacket(flags: SockFlag) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | flags;
    socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)
}

/// Connects to the broker at `path`; with `SOCK_NONBLOCK`, without waiting until it has time.
pub(super) fn connected(path: &Path, flags: SockFlag) -> io::Result<OwnedFd> {
    let socket = seqpacket(flags)?;
    let address = UnixAddr::new(path)?;
    loop {
        match connect(socket.as_raw_fd(), &address) {
            Ok(()) => return Ok(socket),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

impl Listener {
    /// Makes a socket file with that mode. One that a broker has left behind is replaced, one in use is not.
    ///
    /// # Errors
    ///
    /// `AddrInUse`: another broker listens there. `AlreadyExists`: it is something else than a socket.
    pub(super) fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        let in_use = || {
            let text = format!("another broker serves {}", path.display());
            io::Error::new(io::ErrorKind::AddrInUse, text)
        };
        // Whoever holds the lock may replace the file: two brokers that start at once do not both find it stale.
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&lock_path)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            if errno == Errno::EWOULDBLOCK {
                in_use()
            } else {
                errno.into()
            }
        })?;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(found) if !found.file_type().is_socket() => {
                let text = format!("{} is there and is no socket", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
            }
            // It may have been made by something that does not lock, systemd for instance.
            Ok(_) => match connected(path, SockFlag::SOCK_NONBLOCK) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    fs::remove_file(path)?;
                }
                _ => return Err(in_use()),
            },
        }
        let socket = seqpacket(SockFlag::SOCK_NONBLOCK)?;
        bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        // Nobody can connect before it listens.
        fs::set_permissions(path, Permissions::from_mode(mode & 0o777))?;
        listen(&socket, Backlog::new(BACKLOG)?)?;
        let found = fs::symlink_metadata(path)?;
        Ok(Self {
            socket,
            admission: Admission {
                uid: user(),
                gid: found.gid(),
                mode: found.mode(),
            },
            made: Some(Made {
                path: path.to_owned(),
                device: found.dev(),
                inode: found.ino(),
                _lock: lock,
            }),
        })
    }

    /// Takes the socket that systemd has passed to this process, if it has. One in the abstract namespace lets in root
    /// and this user only.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: not exactly one, or not a `SOCK_SEQPACKET` Unix socket that listens.
    pub(super) fn inherited() -> io::Result<Option<Self>> {
        let number = |name| {
            env::var(name)
                .ok()
                .and_then(|text| text.parse::<u32>().ok())
        };
        let Some(count) = number("LISTEN_FDS") else {
            return Ok(None);
        };
        if number("LISTEN_PID") != Some(sys::process_id()) {
            return Ok(None);
        }
        let bad = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
        if count != 1 {
            return Err(bad("LISTEN_FDS: exactly one socket is needed"));
        }
        let socket = sys::inherited_socket()?;
        let listens = getsockopt(&socket, sockopt::AcceptConn).unwrap_or(false);
        if !listens || getsockopt(&socket, sockopt::SockType) != Ok(SockType::SeqPacket) {
            return Err(bad("LISTEN_FDS: not a listening SOCK_SEQPACKET socket"));
        }
        let address: UnixAddr =
            getsockname(socket.as_raw_fd()).map_err(|_| bad("LISTEN_FDS: not a Unix socket"))?;
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(socket.as_fd(), nix::fcntl::FcntlArg::F_SETFL(flags))?;
        let file = address.path().and_then(|path| fs::metadata(path).ok());
        Ok(Some(Self {
            socket,
            admission: Admission {
                uid: user(),
                gid: file.as_ref().map_or(0, MetadataExt::gid),
                mode: file.as_ref().map_or(0, MetadataExt::mode),
            },
            made: None,
        }))
    }
}

impl Listener {
    /// Lets nobody connect any more, unless somebody else listens there as well; returns whether it did.
    pub(super) fn retire(&self) -> bool {
        // One that systemd has passed on is for the next broker too.
        self.made.is_some() && shutdown(self.socket.as_raw_fd(), Shutdown::Both).is_ok()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(made) = &self.made
            // Somebody may have put another there.
            && let Ok(found) = fs::symlink_metadata(&made.path)
            && (found.dev(), found.ino()) == (made.device, made.inode)
        {
            fs::remove_file(&made.path).ok();
        }
    }
}
