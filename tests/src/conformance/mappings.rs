// SPDX-License-Identifier: MIT OR Apache-2.0

//! Payloads mapped by their handles.

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::Access;

use crate::harness::Backend;
use crate::ledger::payload;
use crate::rig::{Rig, request};

fn rig(backend: &Backend, flags: u32) -> Rig {
    let mut asked = request(abi::MODE_PER_EVENT);
    asked.flags = flags;
    Rig::new(backend, asked)
}

fn handle(rig: &Rig) -> u64 {
    let taken = rig.ring();
    assert!(rig.has_handle(&taken), "{taken:?}");
    taken.value
}

/// A mapping shows the payload and nothing else: zeroes follow it. It stays as it is whatever is posted then.
pub fn mapping_shows_one_payload(backend: &Backend) {
    let rig = rig(backend, 0);
    let lens = [1, 8, 9, 100, 2048, 2049, 4095, 4096, 4097, 100_000];
    let mut mapped = Vec::new();
    for (n, len) in (0..).zip(lens) {
        rig.post(&payload(n, len));
        let pages = len.next_multiple_of(4096);
        mapped.push((n, len, rig.subscriber.map(handle(&rig), pages).unwrap()));
        // Mapping has consumed it, as a complete pread does.
        assert_eq!(rig.stats().queued, 0);
    }
    for n in 100..200 {
        rig.post(&payload(n, n as usize * 50));
        let handle = handle(&rig);
        let mut buffer = vec![0; 10_000];
        let got = rig.subscriber.pread(&mut buffer, handle).unwrap();
        assert_eq!(buffer[..got], payload(n, n as usize * 50));
    }
    for (n, len, mapping) in &mapped {
        assert_eq!(mapping[..*len], payload(*n, *len), "{len} bytes");
        assert!(
            mapping[*len..].iter().all(|&b| b == 0),
            "behind {len} bytes"
        );
        assert_eq!(mapping.len(), len.next_multiple_of(4096));
    }
    drop(mapped);
    assert_eq!(rig.stats().quota_used, 0, "unmapping gives it back");
}

/// Where a pread keeps the event, mapping does; several mappings of it show the same.
pub fn mapping_can_keep_the_event(backend: &Backend) {
    let mut rig = rig(backend, abi::REG_PREAD_KEEP);
    rig.post(&payload(1, 5000));
    let handle = handle(&rig);
    let first = rig.subscriber.map(handle, 5000).unwrap();
    let second = rig.subscriber.map(handle, 1).unwrap();
    assert_eq!(rig.stats().queued, 1);
    assert_eq!(rig.drain(), 1);
    assert_eq!(rig.subscriber.map(handle, 5000).err(), Some(Errno::ESTALE));
    assert_eq!(first[..], payload(1, 5000));
    drop(first);
    assert_eq!(second[0], payload(1, 5000)[0]);
    drop(second);
    assert_eq!(rig.stats().quota_used, 0);
}

/// What cannot be mapped is refused, and nothing is consumed.
pub fn bad_mappings_are_refused(backend: &Backend) {
    let rig = rig(backend, 0);
    rig.post(&payload(1, 5000));
    let long = handle(&rig);
    let map = |handle, len| rig.subscriber.map(handle, len).err();
    assert_eq!(
        map(long, 8193),
        Some(Errno::EINVAL),
        "longer than the payload"
    );
    assert_eq!(map(long, 0), Some(Errno::EINVAL));
    assert_eq!(map(long + 4096, 4096), Some(Errno::EINVAL), "an offset");
    assert_eq!(map(0, 4096), Some(Errno::EINVAL));
    assert_eq!(map(long ^ 1 << 40, 4096), Some(Errno::ESTALE));
    assert_eq!(rig.stats().queued, 1);
    let writer = backend.open(Access::Write, false);
    assert_eq!(writer.map(long, 4096).err(), Some(Errno::EACCES));
    let other = backend.open(Access::Read, false);
    assert_eq!(other.map(long, 4096).err(), Some(Errno::ENOTCONN));
    assert_eq!(map(long, 8192), None);
    assert_eq!(map(long, 4096), Some(Errno::ESTALE), "consumed");
    rig.post(&[]);
    let empty = handle(&rig);
    assert_eq!(rig.subscriber.map(empty, 1).err(), Some(Errno::ENODATA));
    assert_eq!(rig.stats().queued, 1);
}
