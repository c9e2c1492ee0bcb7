// SPDX-License-Identifier: GPL-2.0

//! `/dev/rtnotify`: its file operations.
//!
//! The kernel's own abstraction of misc devices sets no owner (so that the module could be removed under an
//! open file) and has neither `poll` nor `flush`; hence a table of our own.

use super::{
    abi,
    client::Client,
    error, ffi, inspect, ioctl,
    mapping::Mapping,
    memory::Memory,
    outbox::Outbox,
    posting::{Message, COPY_LOCKED, RUN},
    source::{self, Given, Source},
};
use core::{mem::MaybeUninit, pin::Pin};
use kernel::{
    bindings,
    error::{from_result, to_result},
    ffi::{c_char, c_int, c_long, c_uint, c_ulong},
    fs::{
        file::flags::{O_ACCMODE, O_NONBLOCK, O_RDONLY, O_WRONLY},
        File,
    },
    prelude::*,
    seq_file::SeqFile,
    str::CStr,
    sync::{poll::PollTable, Arc, ArcBorrow},
    types::{ForeignOwnable, Opaque},
    uaccess::{UserPtr, UserSlice},
};

const NAME: &CStr = c"rtnotify";

/// Longest `write` that is copied to the stack, in bytes.
const SMALL_WRITE: usize = 256;

/// The registered device; removing it is the last step of unloading.
#[pin_data(PinnedDrop)]
pub(crate) struct Device {
    #[pin]
    misc: Opaque<bindings::miscdevice>,
}

// SAFETY: `misc_register` and `misc_deregister` may be called from any thread.
unsafe impl Send for Device {}
// SAFETY: Nothing can be done with a shared reference.
unsafe impl Sync for Device {}

impl Device {
    /// Registers the device node, mode 0660.
    pub(crate) fn register() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            misc <- Opaque::try_ffi_init(|slot: *mut bindings::miscdevice| {
                let misc = bindings::miscdevice {
                    minor: bindings::MISC_DYNAMIC_MINOR as c_int,
                    name: NAME.as_char_ptr(),
                    fops: &FILE_OPERATIONS.0,
                    mode: 0o660,
                    ..Default::default()
                };
                // SAFETY: The slot is valid for writing.
                unsafe { slot.write(misc) };
                // SAFETY: The slot is initialised and pinned until `drop` deregisters it.
                to_result(unsafe { bindings::misc_register(slot) })
            }),
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Device {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: It was registered when `Self` was made.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}

/// The table, which never changes.
struct FileOperations(bindings::file_operations);

// SAFETY: The table is never written.
unsafe impl Sync for FileOperations {}

static FILE_OPERATIONS: FileOperations = {
    // SAFETY: All fields of the table may be zero.
    let none: bindings::file_operations = unsafe { MaybeUninit::zeroed().assume_init() };
    FileOperations(bindings::file_operations {
        owner: super::THIS_MODULE.as_ptr(),
        open: Some(open),
        release: Some(release),
        flush: Some(flush),
        read: Some(read),
        write: Some(write),
        poll: Some(poll),
        mmap: Some(mmap),
        fasync: Some(fasync),
        unlocked_ioctl: Some(unlocked_ioctl),
        compat_ioctl: Some(compat_ioctl),
        show_fdinfo: Some(show_fdinfo),
        ..none
    })
};

/// The client of an open file.
///
/// # Safety
///
/// `file` is an open file of this device, for as long as the result is used.
unsafe fn client<'a>(file: *mut bindings::file) -> ArcBorrow<'a, Client> {
    // SAFETY: `open` put it there, and only `release` takes it away.
    unsafe { Arc::borrow((*file).private_data) }
}

/// Whether the file was opened for reading and for writing.
pub(crate) fn access(file: &File) -> (bool, bool) {
    let mode = file.flags() & O_ACCMODE;
    (mode != O_WRONLY, mode != O_RDONLY)
}

/// # Safety
///
/// Called by the kernel as `open`.
unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    from_result(|| {
        let client = Client::new()?;
        // SAFETY: The file is being opened, so it is ours alone.
        unsafe {
            (*file).private_data = client.into_foreign();
            ffi::rtnotify_file_opened(file);
        }
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel as `release`.
unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `open` put it there; nobody uses the file any more.
    let client: Arc<Client> = unsafe { Arc::from_foreign((*file).private_data) };
    client.as_arc_borrow().release();
    0
}

/// # Safety
///
/// Called by the kernel as `flush`: a descriptor is being closed by the calling process.
unsafe extern "C" fn flush(file: *mut bindings::file, _id: bindings::fl_owner_t) -> c_int {
    // SAFETY: The file is open.
    unsafe { client(file).flush(file) };
    0
}

/// # Safety
///
/// Called by the kernel as `read`.
unsafe extern "C" fn read(
    file: *mut bindings::file,
    buffer: *mut c_char,
    len: usize,
    position: *mut bindings::loff_t,
) -> isize {
    // SAFETY: The file is open.
    let (client, file) = unsafe { (client(file), File::from_raw_file(file)) };
    let mut out = UserSlice::new(UserPtr::from_ptr(buffer.cast()), len).writer();
    let result = if position.is_null() {
        client.read(&mut out, file.flags() & O_NONBLOCK != 0, 0)
    } else {
        // SAFETY: `pread` passes a valid position.
        client.read_handle(unsafe { *position } as u64, &mut out)
    };
    match result {
        Ok(len) => len as isize,
        Err(e) => e.to_errno() as isize,
    }
}

/// # Safety
///
/// Called by the kernel as `write`.
unsafe extern "C" fn write(
    file: *mut bindings::file,
    buffer: *const c_char,
    len: usize,
    _position: *mut bindings::loff_t,
) -> isize {
    // SAFETY: The file is open.
    let nonblock = unsafe { File::from_raw_file(file) }.flags() & O_NONBLOCK != 0;
    // SAFETY: As above.
    let client = unsafe { client(file) };
    let buffer = UserPtr::from_ptr(buffer.cast_mut().cast());
    match write_posts(client, buffer, len, nonblock) {
        Ok(len) => len as isize,
        Err(e) => e.to_errno() as isize,
    }
}

/// Takes a batch of messages: all of it is checked before any of it is posted.
///
/// If one is not taken (a driver refuses it, or the wait for room ends), the length of those before it is
/// returned, or its error if it is the first.
fn write_posts(
    client: ArcBorrow<'_, Client>,
    buffer: UserPtr,
    len: usize,
    nonblock: bool,
) -> Result<usize> {
    if len > abi::MAX_WRITE {
        return Err(EMSGSIZE);
    }
    let mut reader = UserSlice::new(buffer, len).reader();
    let mut small = [0; SMALL_WRITE];
    let mut large = Memory::new();
    let bytes: &[u8] = match small.get_mut(..len) {
        Some(bytes) => {
            reader.read_slice(bytes)?;
            bytes
        }
        None => {
            reader.read_all(&mut large, GFP_KERNEL_ACCOUNT)?;
            &large
        }
    };

    let mut rest = bytes;
    if rest.is_empty() {
        return Err(EINVAL);
    }
    let mut sources = Lookup {
        client,
        found: None,
    };
    let mut outbox = None;
    while !rest.is_empty() {
        let frame = Frame::split(rest)?;
        let source = sources.find(frame.post.source)?;
        source.check_write(&frame.post, frame.len())?;
        if let Payload::At(offset) = frame.payload {
            let outbox: &Outbox = match &mut outbox {
                Some(outbox) => outbox,
                none => none.insert(client.outbox()?),
            };
            outbox.part(offset, frame.len())?;
        }
        rest = frame.next;
    }

    // All of a batch together waits no longer than one message would.
    let deadline = if nonblock { Some(0) } else { client.write_deadline() };
    let mut rest = bytes;
    while !rest.is_empty() {
        let frame = Frame::split(rest)?;
        let (result, after) = match (sources.find(frame.post.source), &frame.payload) {
            (Err(e), _) => (Err(e), frame.next),
            (Ok(source), Payload::Here(payload)) => {
                if source.posts_at_once() && payload.len() <= COPY_LOCKED {
                    post_run(source, rest)?
                } else {
                    let given = Given::Own(payload);
                    let (kind, value) = (frame.post.kind, frame.value());
                    (source.write(kind, value, given, deadline), frame.next)
                }
            }
            (Ok(source), Payload::At(offset)) => {
                // It was there when the batch was checked, and is as long as it was.
                let part = outbox.as_ref().ok_or(ENXIO)?.part(*offset, frame.len())?;
                let given = Given::Shared(&part);
                let (kind, value) = (frame.post.kind, frame.value());
                (source.write(kind, value, given, deadline), frame.next)
            }
        };
        if let Err(e) = result {
            let done = bytes.len() - rest.len();
            return if done > 0 { Ok(done) } else { Err(e) };
        }
        rest = after;
    }
    Ok(bytes.len())
}

/// Posts as many messages for one source from the start of a batch as can be posted together. Returns what
/// follows them.
fn post_run<'a>(source: &Source, batch: &'a [u8]) -> Result<(Result, &'a [u8])> {
    let mut messages = [const { Message::NOTHING }; RUN];
    let mut count = 0;
    let mut rest = batch;
    while count < RUN && !rest.is_empty() {
        let frame = Frame::split(rest)?;
        let Payload::Here(payload) = frame.payload else {
            break;
        };
        if frame.post.source != source.number || payload.len() > COPY_LOCKED {
            break;
        }
        messages[count] = Message {
            kind: frame.post.kind,
            value: frame.value(),
            payload,
        };
        count += 1;
        rest = frame.next;
    }
    let messages = messages.get(..count).unwrap_or(&[]);
    Ok((source.post_run(messages, source::now()), rest))
}

/// Finds sources by number; most batches are for one source, and most files are written to for one.
struct Lookup<'a> {
    client: ArcBorrow<'a, Client>,
    found: Option<Arc<Source>>,
}

impl Lookup<'_> {
    /// # Errors
    ///
    /// `ENOENT`.
    fn find(&mut self, number: u32) -> Result<&Source> {
        let found = match self.found.take() {
            Some(source) if source.number == number => source,
            _ => self.client.source_to_write(number)?,
        };
        Ok(self.found.insert(found))
    }
}

/// A message of a batch.
struct Frame<'a> {
    post: abi::Post,
    payload: Payload<'a>,
    /// What follows.
    next: &'a [u8],
}

/// Where the payload of a message is.
enum Payload<'a> {
    Here(&'a [u8]),
    /// At that place in the outbox.
    At(u64),
}

impl<'a> Frame<'a> {
    /// The first message of a batch.
    fn split(bytes: &'a [u8]) -> Result<Self> {
        let head: &[u8; abi::Post::BYTES] = bytes.first_chunk().ok_or(EINVAL)?;
        let post = abi::Post::from_bytes(head);
        if post.size as usize != abi::Post::BYTES
            || post.flags & !(abi::POST_VALUE | abi::POST_REFERENCE) != 0
            || post.kind >= abi::FIRST_RESERVED_KIND
            || post.reserved != 0
            || (post.flags & abi::POST_VALUE == 0 && post.value != 0)
        {
            return Err(EINVAL);
        }
        let rest = &bytes[abi::Post::BYTES..];
        if post.flags & abi::POST_REFERENCE != 0 {
            let (offset, next) = rest.split_first_chunk().ok_or(EINVAL)?;
            return Ok(Self {
                post,
                payload: Payload::At(u64::from_ne_bytes(*offset)),
                next,
            });
        }
        let len = post.payload_len as usize;
        let payload = rest.get(..len).ok_or(EINVAL)?;
        Ok(Self {
            post,
            payload: Payload::Here(payload),
            // The last message may go without its padding.
            next: rest.get(abi::frame_align(len)..).unwrap_or(&[]),
        })
    }

    fn len(&self) -> usize {
        self.post.payload_len as usize
    }

    fn value(&self) -> Option<u64> {
        (self.post.flags & abi::POST_VALUE != 0).then_some(self.post.value)
    }
}

/// # Safety
///
/// Called by the kernel as `poll`.
unsafe extern "C" fn poll(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: The file is open and the table valid or null.
    let (client, file, table) = unsafe {
        (
            client(file),
            File::from_raw_file(file),
            PollTable::from_raw(table),
        )
    };
    let mut events = 0;
    let readable = client.poll(file, &table);
    if readable != 0 {
        events |= bindings::POLLIN | bindings::POLLRDNORM;
    }
    if access(file).1 {
        // Where a write would wait for room depends on the source, so this says nothing about it.
        events |= bindings::POLLOUT | bindings::POLLWRNORM;
    }
    events
}

/// # Safety
///
/// Called by the kernel as `mmap`.
unsafe extern "C" fn mmap(
    file: *mut bindings::file,
    vma: *mut bindings::vm_area_struct,
) -> c_int {
    // SAFETY: The file is open.
    let client = unsafe { client(file) };
    // SAFETY: The area is new, and of this file.
    match unsafe { Mapping::create(client, vma) } {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}

/// # Safety
///
/// Called by the kernel as `fasync`: `O_ASYNC` is being set or cleared, or the file is about to be released.
unsafe extern "C" fn fasync(fd: c_int, file: *mut bindings::file, on: c_int) -> c_int {
    from_result(|| {
        // SAFETY: The file is open.
        let client = unsafe { client(file) };
        // SAFETY: It is the client's own file, and the arguments are the kernel's.
        unsafe { client.sigio.change(fd, file, on) }?;
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel as `unlocked_ioctl`.
unsafe extern "C" fn unlocked_ioctl(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: The file is open.
    let (client, file) = unsafe { (client(file), File::from_raw_file(file)) };
    match ioctl::ioctl(client, file, command, argument) {
        Ok(()) => 0,
        Err(e) => e.to_errno() as c_long,
    }
}

/// # Safety
///
/// Called by the kernel as `compat_ioctl`.
///
/// A 32-bit program would get half of each handle.
unsafe extern "C" fn compat_ioctl(
    _file: *mut bindings::file,
    _command: c_uint,
    _argument: c_ulong,
) -> c_long {
    error::not_supported().to_errno() as c_long
}

/// # Safety
///
/// Called by the kernel as `show_fdinfo`.
unsafe extern "C" fn show_fdinfo(out: *mut bindings::seq_file, file: *mut bindings::file) {
    // SAFETY: The file is open.
    let client = unsafe { client(file) };
    // SAFETY: The kernel passes the file that is being written, to this thread alone.
    inspect::show_fdinfo(unsafe { SeqFile::from_raw(out) }, &client);
}
