//! Writes the initial RAM disk: the cpio "new ASCII" format, as the kernel
//! reads it (Documentation/driver-api/early-userspace/buffer-format.rst).

/// An archive in the making.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

impl Archive {
    /// Adds a directory.
    pub(crate) fn directory(&mut self, path: &str) {
        self.entry(path, 0o040_755, 2, (0, 0), &[]);
    }

    /// Adds a file with these permission bits.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, 0o100_000 | mode, 1, (0, 0), content);
    }

    /// Adds a character device.
    pub(crate) fn device(&mut self, path: &str, mode: u32, number: (u32, u32)) {
        self.entry(path, 0o020_000 | mode, 1, number, &[]);
    }

    /// The finished archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.inode = 0;
        self.entry("TRAILER!!!", 0, 1, (0, 0), &[]);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, links: u32, device: (u32, u32), content: &[u8]) {
        let name = path.trim_start_matches('/');
        self.inode += 1;
        self.bytes.extend_from_slice(b"070701");
        let fields = [
            self.inode,
            mode,
            0, // owner
            0, // group
            links,
            0, // time of change: the same content gives the same archive
            content.len() as u32,
            0, // device that holds the file
            0,
            device.0,
            device.1,
            name.len() as u32 + 1,
            0, // checksum, unused in this variant
        ];
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads entries back, as the kernel's init/initramfs.c does.
    fn entries(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            assert_eq!(&bytes[..6], b"070701");
            let field = |index: usize| {
                let text = str::from_utf8(&bytes[6 + index * 8..14 + index * 8]).unwrap();
                u32::from_str_radix(text, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name = String::from_utf8(bytes[110..110 + name_size - 1].to_vec()).unwrap();
            assert_eq!(bytes[110 + name_size - 1], 0);
            let start = (110 + name_size).next_multiple_of(4);
            if name == "TRAILER!!!" {
                return found;
            }
            found.push((name, mode, bytes[start..start + size].to_vec()));
            bytes = &bytes[(start + size).next_multiple_of(4)..];
        }
    }

    #[test]
    fn entries_come_back_as_written() {
        let mut archive = Archive::default();
        archive.directory("/dev");
        archive.device("/dev/console", 0o600, (5, 1));
        for size in 0..6 {
            archive.file(
                &format!("/{}", "f".repeat(size + 1)),
                0o755,
                &vec![b'x'; size],
            );
        }
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 512, 0);
        let found = entries(&bytes);
        assert_eq!(found[0], ("dev".into(), 0o040_755, vec![]));
        assert_eq!(found[1], ("dev/console".into(), 0o020_600, vec![]));
        for (size, entry) in found[2..].iter().enumerate() {
            assert_eq!(*entry, ("f".repeat(size + 1), 0o100_755, vec![b'x'; size]));
        }
    }
}
