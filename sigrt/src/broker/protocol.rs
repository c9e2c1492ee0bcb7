// SPDX-License-Identifier: MIT OR Apache-2.0

//! What goes over the sockets; `docs/broker.md` has the tables.
//!
//! Everything that comes in is taken for hostile: it is looked at through [`Head::split`] and [`structure`], which accept
//! exactly what a client of this version sends.

use nix::errno::Errno;
use rtnotify_core::machine::Signal;
use rtnotify_core::plain::{Layout, Plain as _};

use super::remote::{Answer, Found, Task};
use crate::client::Access;

/// First argument of a hello.
pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"rtnotify");
/// Second argument of a hello: changes with any of this.
pub(crate) const VERSION: u64 = 1;

/// Bytes of a head.
pub(crate) const HEAD: usize = 32;
/// Most bytes behind a head; the rest goes through a memfd. The system's default buffers hold several such messages.
pub(crate) const INLINE: usize = 64 << 10;
/// A buffer that any message fits in.
pub(crate) const MESSAGE: usize = HEAD + INLINE;

pub(crate) const HELLO: u32 = 1;
pub(crate) const READ: u32 = 2;
pub(crate) const PREAD: u32 = 3;
pub(crate) const MAP: u32 = 4;
pub(crate) const POLL: u32 = 5;
pub(crate) const WRITE: u32 = 6;
pub(crate) const CLOSE: u32 = 7;
pub(crate) const POLLABLE: u32 = 8;

/// Of a hello: registers, subscribes, reads.
const READS: u32 = 1;
/// Of a hello: creates sources, posts.
const WRITES: u32 = 2;
/// Of a hello: waits in `read` and `write`.
const BLOCKS: u32 = 4;

/// Of a poll's result.
pub(crate) const READABLE: u64 = 1;
/// Of a poll's result.
pub(crate) const WRITABLE: u64 = 2;

/// What a hello asks for, in a word.
pub(crate) fn access_to_word(access: Access, blocking: bool) -> u32 {
    let reads = if access.reads() { READS } else { 0 };
    let writes = if access.writes() { WRITES } else { 0 };
    reads | writes | if blocking { BLOCKS } else { 0 }
}

/// The reverse of [`access_to_word`]; `None` for nonsense.
pub(crate) fn access_from_word(word: u32) -> Option<(Access, bool)> {
    let access = match word & (READS | WRITES) {
        READS => Access::Read,
        WRITES => Access::Write,
        both if both == READS | WRITES => Access::ReadWrite,
        _ => return None,
    };
    (word & !(READS | WRITES | BLOCKS) == 0).then_some((access, word & BLOCKS != 0))
}

/// What every message on a client's socket starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// What is asked, or answered.
    pub(crate) what: u32,
    /// The client's number for it.
    pub(crate) id: u32,
    /// Reply: errno. Hello: access.
    pub(crate) word: u32,
    /// Bytes behind the head, or in the memfd.
    pub(crate) len: u32,
    /// First argument or result.
    pub(crate) a: u64,
    /// Second argument or result.
    pub(crate) b: u64,
}

impl Head {
    /// The bytes that are sent.
    pub(crate) fn to_bytes(self) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        self.what.put(&mut out);
        self.id.put(&mut out[4..]);
        self.word.put(&mut out[8..]);
        self.len.put(&mut out[12..]);
        self.a.put(&mut out[16..]);
        self.b.put(&mut out[24..]);
        out
    }

    /// Splits a message into head and the rest; `None` if it is too short for one.
    pub(crate) fn split(message: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = message.split_first_chunk::<HEAD>()?;
        let head = Self {
            what: u32::get(head),
            id: u32::get(&head[4..]),
            word: u32::get(&head[8..]),
            len: u32::get(&head[12..]),
            a: u64::get(&head[16..]),
            b: u64::get(&head[24..]),
        };
        Some((head, rest))
    }

    /// The error of a reply.
    pub(crate) fn result(&self) -> Result<(), Errno> {
        match self.word {
            0 => Ok(()),
            raw => Err(Errno::from_raw(raw as i32)),
        }
    }
}

/// A structure of the ABI, exactly as long as it is, that claims to be so long.
pub(crate) fn structure<T: Layout>(bytes: &[u8]) -> Result<T, Errno> {
    if bytes.len() != T::SIZE || u32::get(bytes) as usize != T::SIZE {
        return Err(Errno::EINVAL);
    }
    Ok(T::get(bytes))
}

/// The bytes of a structure.
pub(crate) fn bytes_of<T: Layout>(value: &T) -> Vec<u8> {
    let mut out = vec![0; T::SIZE];
    value.put(&mut out);
    out
}

/// Bytes of an order or an answer: lane, what, six of zero, a handle.
pub(crate) const NOTE: usize = 16;

/// An order as it is sent.
pub(crate) fn order_to_bytes(lane: u8, task: Task) -> [u8; NOTE] {
    let (what, value) = match task {
        Task::Look => (0, 0),
        Task::Ring(Signal::Queued { handle }) => (1, handle),
        Task::Ring(Signal::Fallback) => (2, 0),
        Task::End => (3, 0),
    };
    note(lane, what, value)
}

/// The reverse of [`order_to_bytes`].
pub(crate) fn order_from_bytes(bytes: &[u8]) -> Option<(u8, Task)> {
    let (lane, what, value) = from_note(bytes)?;
    let task = match what {
        0 => Task::Look,
        1 => Task::Ring(Signal::Queued { handle: value }),
        2 => Task::Ring(Signal::Fallback),
        3 => Task::End,
        _ => return None,
    };
    Some((lane, task))
}

/// An answer as it is sent.
pub(crate) fn answer_to_bytes(answer: Answer) -> [u8; NOTE] {
    let what = match answer.found {
        Found::Pending(false) => 0,
        Found::Pending(true) => 1,
        Found::Sent => 2,
        Found::Refused => 3,
        Found::Unhandled => 4,
        Found::Exited(false) => 5,
        Found::Exited(true) => 6,
        Found::Left(false) => 7,
        Found::Left(true) => 8,
    };
    note(answer.lane, what, 0)
}

/// The reverse of [`answer_to_bytes`].
pub(crate) fn answer_from_bytes(bytes: &[u8]) -> Option<Answer> {
    let (lane, what, _) = from_note(bytes)?;
    let found = match what {
        0 => Found::Pending(false),
        1 => Found::Pending(true),
        2 => Found::Sent,
        3 => Found::Refused,
        4 => Found::Unhandled,
        5 => Found::Exited(false),
        6 => Found::Exited(true),
        7 => Found::Left(false),
        8 => Found::Left(true),
        _ => return None,
    };
    Some(Answer { lane, found })
}

fn note(lane: u8, what: u8, value: u64) -> [u8; NOTE] {
    let mut out = [0; NOTE];
    (out[0], out[1]) = (lane, what);
    value.put(&mut out[8..]);
    out
}

fn from_note(bytes: &[u8]) -> Option<(u8, u8, u64)> {
    if bytes.len() != NOTE || bytes[2..8] != [0; 6] {
        return None;
    }
    Some((bytes[0], bytes[1], u64::get(&bytes[8..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_notes_come_back() {
        let head = Head {
            what: 1,
            id: 2,
            word: 3,
            len: 4,
            a: 5,
            b: 6,
        };
        assert_eq!(Head::split(&head.to_bytes()), Some((head, &[][..])));
        assert_eq!(Head::split(&head.to_bytes()[1..]), None);
        for task in [
            Task::Look,
            Task::Ring(Signal::Queued { handle: 7 << 40 }),
            Task::Ring(Signal::Fallback),
            Task::End,
        ] {
            assert_eq!(order_from_bytes(&order_to_bytes(3, task)), Some((3, task)));
        }
        for found in [
            Found::Pending(false),
            Found::Pending(true),
            Found::Sent,
            Found::Refused,
            Found::Unhandled,
            Found::Exited(false),
            Found::Exited(true),
            Found::Left(false),
            Found::Left(true),
        ] {
            let answer = Answer { lane: 1, found };
            assert_eq!(answer_from_bytes(&answer_to_bytes(answer)), Some(answer));
        }
        assert_eq!(answer_from_bytes(&note(0, 9, 0)), None);
        assert_eq!(order_from_bytes(&note(0, 4, 0)), None);
        assert_eq!(answer_from_bytes(&[0; NOTE + 1]), None);
    }

    #[test]
    fn access_comes_back() {
        for access in [Access::Read, Access::Write, Access::ReadWrite] {
            for blocking in [false, true] {
                let word = access_to_word(access, blocking);
                assert_eq!(access_from_word(word), Some((access, blocking)));
            }
        }
        for nonsense in [0, 4, 8, 1 << 31 | 3] {
            assert_eq!(access_from_word(nonsense), None);
        }
    }
}
