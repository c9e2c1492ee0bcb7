// SPDX-License-Identifier: GPL-2.0

//! The `ioctl` commands: copying, checking, dispatching.
//!
//! Every structure starts with its size. A program built against a newer header passes a longer one, which is
//! taken if what this module does not know is zero; a shorter one than this version's is refused.

use super::{
    abi, call,
    client::Client,
    file::access,
    limits::{Charge, Resource},
    source::{self, Owned},
};
use kernel::{
    fs::{file::flags::O_NONBLOCK, File},
    prelude::*,
    sync::ArcBorrow,
    uaccess::{UserPtr, UserSlice},
};

/// Longest structure that will ever make sense.
const MAX_SIZE: usize = 4096;

/// Reads an argument of at least `N` bytes.
///
/// # Errors
///
/// `EINVAL`: misaligned, or shorter than this version's. `E2BIG`: longer, and not zero there, or absurdly
/// long. `EFAULT`.
fn read<const N: usize>(argument: usize) -> Result<[u8; N]> {
    if argument % align_of::<u64>() != 0 {
        return Err(EINVAL);
    }
    let mut size = [0; 4];
    UserSlice::new(UserPtr::from_addr(argument), size.len())
        .reader()
        .read_slice(&mut size)?;
    let size = u32::from_ne_bytes(size) as usize;
    if size < N {
        return Err(EINVAL);
    }
    if size > MAX_SIZE {
        return Err(E2BIG);
    }
    let mut reader = UserSlice::new(UserPtr::from_addr(argument), size).reader();
    let mut known = [0; N];
    reader.read_slice(&mut known)?;
    while !reader.is_empty() {
        let mut unknown = [0; 64];
        let len = unknown.len().min(reader.len());
        reader.read_slice(&mut unknown[..len])?;
        if unknown.iter().any(|&byte| byte != 0) {
            return Err(E2BIG);
        }
    }
    Ok(known)
}

fn write(argument: usize, bytes: &[u8]) -> Result {
    UserSlice::new(UserPtr::from_addr(argument), bytes.len())
        .writer()
        .write_slice(bytes)
}

/// One command.
///
/// # Errors
///
/// `ENOTTY` for an unknown one; for the others see `docs/abi.md`.
pub(crate) fn ioctl(
    client: ArcBorrow<'_, Client>,
    file: &File,
    command: u32,
    argument: usize,
) -> Result {
    let (readable, writable) = access(file);
    match command {
        abi::IOC_REGISTER => {
            let mut request = abi::Register::from_bytes(&read(argument)?);
            if !readable {
                return Err(EBADF);
            }
            // A caller that cannot take the answer must not be left with a registration.
            write(argument, &request.to_bytes())?;
            client.register(&mut request)?;
            write(argument, &request.to_bytes()).inspect_err(|_| {
                let _ = client.unregister();
            })
        }
        abi::IOC_UNREGISTER => {
            let mut request = abi::Unregister::from_bytes(&read(argument)?);
            if request.flags != 0 {
                return Err(EINVAL);
            }
            write(argument, &request.to_bytes())?;
            request.discarded = client.unregister()?;
            write(argument, &request.to_bytes())
        }
        abi::IOC_SUBSCRIBE => {
            let request = abi::Subscribe::from_bytes(&read(argument)?);
            client.subscribe(&request)
        }
        abi::IOC_UNSUBSCRIBE => {
            let request = abi::Unsubscribe::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved != 0 {
                return Err(EINVAL);
            }
            client.unsubscribe(request.source)
        }
        abi::IOC_LIST_SOURCES => {
            let mut request = abi::ListSources::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved != [0; 2] {
                return Err(EINVAL);
            }
            let infos = source::list(request.first)?;
            let count = infos.len().min(request.capacity as usize);
            let mut entries = UserSlice::new(
                UserPtr::from_addr(request.entries as usize),
                count * abi::SourceInfo::BYTES,
            )
            .writer();
            for info in &infos[..count] {
                entries.write_slice(&info.to_bytes())?;
            }
            request.count = count as u32;
            request.total = infos.len() as u32;
            write(argument, &request.to_bytes())
        }
        abi::IOC_CREATE_SOURCE => {
            let mut request = abi::CreateSource::from_bytes(&read(argument)?);
            if !writable {
                return Err(EBADF);
            }
            write(argument, &request.to_bytes())?;
            let mut owned = client.owned.lock();
            owned.reserve(1, GFP_KERNEL_ACCOUNT)?;
            let charge = Charge::new(Resource::Sources, 1)?;
            let source = Owned::create(&mut request)?;
            if let Err(e) = write(argument, &request.to_bytes()) {
                source.remove();
                return Err(e);
            }
            owned.push((source, charge), GFP_KERNEL_ACCOUNT)?;
            Ok(())
        }
        abi::IOC_DESTROY_SOURCE => {
            let request = abi::DestroySource::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved != 0 {
                return Err(EINVAL);
            }
            let mut owned = client.owned.lock();
            let Some(index) = owned
                .iter()
                .position(|(source, _)| source.number() == request.number)
            else {
                source::find(request.number)?;
                return Err(EPERM);
            };
            let (source, _charge) = owned.remove(index).map_err(|_| ENOENT)?;
            drop(owned);
            source.remove();
            Ok(())
        }
        abi::IOC_STATS => {
            let request = abi::Stats::from_bytes(&read(argument)?);
            if request.flags != 0 {
                return Err(EINVAL);
            }
            write(argument, &client.stats().to_bytes())
        }
        abi::IOC_ADD_LANE => {
            let mut request = abi::Lane::from_bytes(&read(argument)?);
            if !readable {
                return Err(EBADF);
            }
            // As good as certain to succeed afterwards: a lane cannot be taken back.
            write(argument, &request.to_bytes())?;
            client.add_lane(&mut request)?;
            write(argument, &request.to_bytes())
        }
        abi::IOC_SET_MODE => {
            let request = abi::SetMode::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved != 0 {
                return Err(EINVAL);
            }
            client.with_registration(|registration| registration.set_mode(&request))
        }
        abi::IOC_ARM => {
            let request = abi::Arm::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved != 0 {
                return Err(EINVAL);
            }
            client.sync();
            client.with_registration(|registration| registration.arm(request.signo))
        }
        abi::IOC_MAP_RING => {
            let mut request = abi::Ring::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved != [0; 2] {
                return Err(EINVAL);
            }
            if !readable {
                return Err(EBADF);
            }
            write(argument, &request.to_bytes())?;
            client.map_ring(&mut request)?;
            write(argument, &request.to_bytes())
        }
        abi::IOC_MAP_OUTBOX => {
            let mut request = abi::Outbox::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved != [0; 2] {
                return Err(EINVAL);
            }
            if !writable {
                return Err(EBADF);
            }
            // As good as certain to succeed afterwards: an outbox cannot be taken back.
            write(argument, &request.to_bytes())?;
            client.map_outbox(&mut request)?;
            write(argument, &request.to_bytes())
        }
        abi::IOC_SET_TIMEOUTS => {
            let request = abi::Timeouts::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved != [0; 2] {
                return Err(EINVAL);
            }
            client.set_timeouts(request.read_ns, request.write_ns);
            Ok(())
        }
        abi::IOC_READ => {
            let mut request = abi::Read::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved0 != 0 || request.reserved != 0 {
                return Err(EINVAL);
            }
            if !readable {
                return Err(EBADF);
            }
            // What cannot be reported must not be consumed.
            write(argument, &request.to_bytes())?;
            let buffer = UserPtr::from_addr(request.buffer as usize);
            let mut out = UserSlice::new(buffer, request.len as usize).writer();
            let nonblock = file.flags() & O_NONBLOCK != 0;
            request.read = client.read(&mut out, nonblock, request.signo)? as u64;
            write(argument, &request.to_bytes())
        }
        abi::IOC_CALL => {
            let mut request = abi::Call::from_bytes(&read(argument)?);
            if !writable {
                return Err(EBADF);
            }
            write(argument, &request.to_bytes())?;
            call::call(&client, &mut request)?;
            write(argument, &request.to_bytes())
        }
        abi::IOC_STREAM_GAP => {
            let request = abi::StreamGap::from_bytes(&read(argument)?);
            if request.flags != 0 || request.reserved0 != 0 || request.reserved != 0 {
                return Err(EINVAL);
            }
            write(argument, &client.stream_gap()?.to_bytes())
        }
        _ => Err(ENOTTY),
    }
}
