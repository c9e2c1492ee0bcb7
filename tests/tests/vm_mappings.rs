// SPDX-License-Identifier: MIT OR Apache-2.0

//! Mappings at the level of the memory system: protections, inheritance, splitting, and lifetimes beyond the event,
//! the registration and the file.

use nix::errno::Errno;
use rtnotify_tests::harness::{Backend, eventually, isolated};
use rtnotify_tests::ledger::payload;
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, request};
use sigrt::abi;

fn check(name: &str, test: fn(&Backend)) {
    isolated(name, &Backend::module(), test);
}

/// A rig that keeps what is mapped, with room for little more.
fn rig(backend: &Backend) -> Rig {
    let mut asked = request(abi::MODE_PER_EVENT);
    (asked.flags, asked.quota) = (0, 1 << 16);
    Rig::new(backend, asked)
}

#[test]
fn written_and_executed_mappings_are_refused() {
    check("written_and_executed_mappings_are_refused", |backend| {
        let rig = rig(backend);
        rig.post(&payload(1, 5000));
        let handle = rig.ring().value;
        let fd = rig.subscriber.fd().unwrap();
        let map = |prot, flags| raw::map(fd, 4096, prot, flags, handle as i64);
        for prot in [
            libc::PROT_WRITE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::PROT_READ | libc::PROT_EXEC,
        ] {
            assert_eq!(map(prot, libc::MAP_SHARED).err(), Some(Errno::EACCES));
        }
        let private = map(libc::PROT_READ, libc::MAP_PRIVATE).err();
        assert_eq!(private, Some(Errno::EINVAL));
        assert_eq!(rig.stats().queued, 1, "nothing was consumed");
        let area = map(libc::PROT_READ, libc::MAP_SHARED).unwrap();
        for prot in [libc::PROT_WRITE, libc::PROT_EXEC] {
            let regained = area.protect(libc::PROT_READ | prot);
            assert_eq!(regained, Err(Errno::EACCES));
        }
        assert_eq!(area.protect(libc::PROT_NONE), Ok(()));
        assert_eq!(area.protect(libc::PROT_READ), Ok(()));
        assert_eq!(area.bytes()[..100], payload(1, 5000)[..100]);
        // A pipe or a ring that held the page would see what is there next.
        let (_reader, writer) = nix::unistd::pipe().unwrap();
        assert!(raw::splice_pages(&writer, area.bytes()).is_err());
    });
}

#[test]
fn block_is_pinned_until_the_last_area_is_gone() {
    check("block_is_pinned_until_the_last_area_is_gone", |backend| {
        let rig = rig(backend);
        rig.post(&payload(1, 30_000));
        let handle = rig.ring().value;
        let fd = rig.subscriber.fd().unwrap();
        let area = raw::map(
            fd,
            8 * 4096,
            libc::PROT_READ,
            libc::MAP_SHARED,
            handle as i64,
        );
        let area = area.unwrap();
        let stats = rig.stats();
        assert_eq!(
            (stats.queued, stats.consumed, stats.quota_used),
            (0, 1, 32_768)
        );
        // Only the other half of the quota is free.
        for n in 0..10 {
            rig.post(&payload(100 + n, 15_000));
        }
        let stats = rig.stats();
        assert_eq!((stats.queued, stats.lost_quota), (2, 8));
        // A hole in the middle makes two areas.
        area.unmap(3 * 4096, 4096);
        assert_eq!(rig.stats().quota_used, 65_536);
        assert_eq!(area.bytes()[..100], payload(1, 30_000)[..100]);
        let tail = &payload(1, 30_000)[5 * 4096..];
        assert_eq!(area.bytes()[5 * 4096..][..tail.len()], *tail);
        // A child inherits them, and outlives ours.
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let child = raw::fork_child(|| {
            let mut byte = [0];
            nix::unistd::read(&reader, &mut byte).unwrap();
            let same = area.bytes()[..100] == payload(1, 30_000)[..100];
            std::process::ExitCode::from(u8::from(!same))
        });
        area.unmap(0, 8 * 4096);
        assert_eq!(rig.stats().quota_used, 65_536, "the child has it still");
        nix::unistd::write(&writer, b"!").unwrap();
        raw::expect_success(child);
        eventually("the block is free", || rig.stats().quota_used == 32_768);
    });
}

#[test]
fn mapping_outlives_registration_and_file() {
    check("mapping_outlives_registration_and_file", |backend| {
        let rig = rig(backend);
        rig.post(&payload(1, 5000));
        let handle = rig.ring().value;
        let mapping = rig.subscriber.map(handle, 5000).unwrap();
        rig.subscriber.unregister().unwrap();
        assert_eq!(mapping[..], payload(1, 5000));
        // The next registration has an arena of its own.
        let mut asked = request(abi::MODE_PER_EVENT);
        (asked.flags, asked.quota) = (0, 8192);
        rig.subscriber.register(&mut asked).unwrap();
        rig.subscriber.subscribe(rig.source, None).unwrap();
        rig.post(&payload(2, 5000));
        let second = rig.subscriber.map(rig.ring().value, 5000).unwrap();
        assert_eq!(rig.stats().quota_used, 8192);
        assert_eq!(mapping[..], payload(1, 5000));
        drop(mapping);
        assert_eq!(rig.stats().quota_used, 8192, "of another registration");
        drop(rig);
        assert_eq!(second[..], payload(2, 5000));
    });
}
