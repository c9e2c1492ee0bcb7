//! Frames on the virtio serial port: a kind, a length, the bytes.
//!
//! One port carries everything because a serial port has no end of file and no
//! flow control that the guest could wait on before it powers off: with frames
//! the end of each stream is explicit, and [`Kind::Exit`] is answered by
//! [`Kind::Bye`], after which nothing can be lost.

use std::io::{self, Read, Write};

/// Longest body of one frame, in bytes.
pub const MAX: usize = 32 * 1024;

/// What a frame carries. The numbers are the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Host to guest: bytes for the command's standard input.
    Stdin = 1,
    /// Host to guest: standard input has ended. No body.
    StdinEnd = 2,
    /// Host to guest: new terminal size, rows then columns, each `u16` little-endian.
    Resize = 3,
    /// Host to guest: every byte up to the exit has arrived. No body.
    Bye = 4,
    /// Guest to host: bytes of standard output, or of the terminal.
    Stdout = 5,
    /// Guest to host: bytes of standard error.
    Stderr = 6,
    /// Guest to host: both outputs have ended. No body.
    Exit = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Stdin,
            2 => Self::StdinEnd,
            3 => Self::Resize,
            4 => Self::Bye,
            5 => Self::Stdout,
            6 => Self::Stderr,
            7 => Self::Exit,
            _ => return None,
        })
    }
}

/// Writes one frame in a single `write_all`, so that writers which share a lock
/// never interleave.
///
/// # Panics
///
/// If `body` is longer than [`MAX`].
pub fn write(out: &mut impl Write, kind: Kind, body: &[u8]) -> io::Result<()> {
    assert!(body.len() <= MAX, "frame too long: {}", body.len());
    let mut bytes = Vec::with_capacity(5 + body.len());
    bytes.push(kind as u8);
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(body);
    out.write_all(&bytes)?;
    out.flush()
}

/// Reads one frame, or `None` at a clean end.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] for an unknown kind or an impossible length,
/// [`io::ErrorKind::UnexpectedEof`] for an end inside a frame.
pub fn read(input: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut head = [0_u8; 5];
    let mut got = 0;
    while got < head.len() {
        match input.read(&mut head[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let kind = Kind::from_byte(head[0]);
    let (Some(kind), true) = (kind, length <= MAX) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("not a frame: kind {}, length {length}", head[0]),
        ));
    };
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some((kind, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_written() {
        let mut wire = Vec::new();
        write(&mut wire, Kind::Stdout, b"hello").unwrap();
        write(&mut wire, Kind::Exit, b"").unwrap();
        let mut input = &wire[..];
        assert_eq!(
            read(&mut input).unwrap(),
            Some((Kind::Stdout, b"hello".to_vec()))
        );
        assert_eq!(read(&mut input).unwrap(), Some((Kind::Exit, Vec::new())));
        assert_eq!(read(&mut input).unwrap(), None);
    }

    #[test]
    fn garbage_and_truncation_are_errors() {
        let unknown = read(&mut &[99_u8, 0, 0, 0, 0][..]).unwrap_err();
        assert_eq!(unknown.kind(), io::ErrorKind::InvalidData);
        let huge = read(&mut &[5_u8, 255, 255, 255, 255][..]).unwrap_err();
        assert_eq!(huge.kind(), io::ErrorKind::InvalidData);
        let short = read(&mut &[5_u8, 4, 0, 0, 0, b'x'][..]).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
        let head = read(&mut &[5_u8, 4][..]).unwrap_err();
        assert_eq!(head.kind(), io::ErrorKind::UnexpectedEof);
    }
}
