// SPDX-License-Identifier: MIT OR Apache-2.0

//! Finds out that a service routine calls what it must not, before it does.
//!
//! Calls from one loaded object to another go through its global offset table. With the checker on, the entries
//! for functions that are not async-signal-safe, or that wait, are made to point to small pieces of code that
//! look whether a service routine is calling, report it if so, and go on to the function itself with all
//! arguments as they were. So it works for statically and dynamically linked programs alike, without another
//! library and without starting the program anew. What the C library calls inside itself is not seen, which is
//! right: the outermost call is the one to name. Objects that are loaded later are not seen either.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::core::Core;

/// What is wrong with a function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Not async-signal-safe.
    Unsafe,
    /// Waits, or may.
    Waits,
    /// Both.
    Both,
}

/// The functions: those of the C library that take its locks, and those that wait.
static FUNCTIONS: [(&CStr, Kind); COUNT] = {
    use Kind::{Both, Unsafe, Waits};
    [
        (c"malloc", Unsafe),
        (c"calloc", Unsafe),
        (c"realloc", Unsafe),
        (c"free", Unsafe),
        (c"posix_memalign", Unsafe),
        (c"aligned_alloc", Unsafe),
        (c"strdup", Unsafe),
        (c"strndup", Unsafe),
        (c"asprintf", Unsafe),
        (c"printf", Unsafe),
        (c"fprintf", Unsafe),
        (c"vprintf", Unsafe),
        (c"vfprintf", Unsafe),
        (c"dprintf", Unsafe),
        (c"sprintf", Unsafe),
        (c"snprintf", Unsafe),
        (c"vsnprintf", Unsafe),
        (c"__printf_chk", Unsafe),
        (c"__fprintf_chk", Unsafe),
        (c"__sprintf_chk", Unsafe),
        (c"__snprintf_chk", Unsafe),
        (c"puts", Unsafe),
        (c"putchar", Unsafe),
        (c"fputs", Unsafe),
        (c"fputc", Unsafe),
        (c"putc", Unsafe),
        (c"fwrite", Unsafe),
        (c"fread", Unsafe),
        (c"fgets", Unsafe),
        (c"fgetc", Unsafe),
        (c"getc", Unsafe),
        (c"getchar", Unsafe),
        (c"scanf", Unsafe),
        (c"fflush", Unsafe),
        (c"fopen", Unsafe),
        (c"fclose", Unsafe),
        (c"perror", Unsafe),
        (c"syslog", Unsafe),
        (c"rand", Unsafe),
        (c"srand", Unsafe),
        (c"random", Unsafe),
        (c"localtime", Unsafe),
        (c"localtime_r", Unsafe),
        (c"gmtime", Unsafe),
        (c"ctime", Unsafe),
        (c"mktime", Unsafe),
        (c"strftime", Unsafe),
        (c"setenv", Unsafe),
        (c"exit", Unsafe),
        (c"pthread_create", Unsafe),
        (c"pthread_mutex_lock", Unsafe),
        (c"pthread_mutex_unlock", Unsafe),
        (c"pthread_rwlock_rdlock", Unsafe),
        (c"pthread_rwlock_wrlock", Unsafe),
        (c"pthread_cond_signal", Unsafe),
        (c"pthread_cond_broadcast", Unsafe),
        (c"pthread_cond_wait", Both),
        (c"pthread_cond_timedwait", Both),
        (c"pthread_join", Both),
        (c"sem_wait", Both),
        (c"sem_timedwait", Both),
        (c"sleep", Waits),
        (c"usleep", Waits),
        (c"nanosleep", Waits),
        (c"clock_nanosleep", Waits),
        (c"select", Waits),
        (c"poll", Waits),
        (c"epoll_wait", Waits),
        (c"pause", Waits),
        (c"wait", Waits),
        (c"waitpid", Waits),
        (c"sigwait", Waits),
    ]
};

const COUNT: usize = 72;

/// Where the functions themselves are; filled in before any entry is changed.
static REAL: [AtomicUsize; COUNT] = [const { AtomicUsize::new(0) }; COUNT];

/// The controller whose service routines are looked at; null: none.
static CORE: AtomicUsize = AtomicUsize::new(0);

/// Called by each piece of code with its number; says where to go on.
extern "C" fn look(index: usize) -> usize {
    // SAFETY: 0, or a reference that `install` was given for good.
    let core = unsafe { (CORE.load(Ordering::Acquire) as *const Core).as_ref() };
    if let (Some(core), Some((name, kind))) = (core, FUNCTIONS.get(index)) {
        let name = name.to_str().unwrap_or("?");
        crate::check::interposed(core, name, *kind != Kind::Waits, *kind != Kind::Unsafe);
    }
    REAL.get(index)
        .map_or(0, |real| real.load(Ordering::Relaxed))
}

/// The piece of code for function number `N`: keeps all registers that can carry arguments.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "C" fn stub<const N: usize>() {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbp, 0",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "sub rsp, 192",
        "mov [rsp], rdi",
        "mov [rsp + 8], rsi",
        "mov [rsp + 16], rdx",
        "mov [rsp + 24], rcx",
        "mov [rsp + 32], r8",
        "mov [rsp + 40], r9",
        "mov [rsp + 48], rax",
        "movaps [rsp + 64], xmm0",
        "movaps [rsp + 80], xmm1",
        "movaps [rsp + 96], xmm2",
        "movaps [rsp + 112], xmm3",
        "movaps [rsp + 128], xmm4",
        "movaps [rsp + 144], xmm5",
        "movaps [rsp + 160], xmm6",
        "movaps [rsp + 176], xmm7",
        "mov edi, {index}",
        "call {look}",
        "mov r11, rax",
        "mov rdi, [rsp]",
        "mov rsi, [rsp + 8]",
        "mov rdx, [rsp + 16]",
        "mov rcx, [rsp + 24]",
        "mov r8, [rsp + 32]",
        "mov r9, [rsp + 40]",
        "mov rax, [rsp + 48]",
        "movaps xmm0, [rsp + 64]",
        "movaps xmm1, [rsp + 80]",
        "movaps xmm2, [rsp + 96]",
        "movaps xmm3, [rsp + 112]",
        "movaps xmm4, [rsp + 128]",
        "movaps xmm5, [rsp + 144]",
        "movaps xmm6, [rsp + 160]",
        "movaps xmm7, [rsp + 176]",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "jmp r11",
        ".cfi_endproc",
        index = const N,
        look = sym look,
    );
}

#[cfg(target_arch = "x86_64")]
fn stubs() -> [usize; COUNT] {
    macro_rules! all {
        ($($n:literal)*) => { [$(stub::<$n> as extern "C" fn() as usize),*] };
    }
    all!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35
         36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68
         69 70 71)
}

/// Has the calls of every object that is loaded now looked at; false where this is not offered.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn install(_core: &'static Core) -> bool {
    false
}

/// Has the calls of every object that is loaded now looked at; false where this is not offered.
#[cfg(target_arch = "x86_64")]
pub(crate) fn install(core: &'static Core) -> bool {
    CORE.store(ptr::from_ref(core) as usize, Ordering::Release);
    for ((name, _), real) in FUNCTIONS.iter().zip(&REAL) {
        // SAFETY: the name ends with a zero byte; the default scope is searched as for any call.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        // Zero: its entries stay as they are.
        real.store(found as usize, Ordering::Relaxed);
    }
    let stubs = stubs();
    let data = ptr::from_ref(&stubs).cast_mut().cast();
    // SAFETY: the callback keeps to its signature and uses the data only during the call.
    unsafe { libc::dl_iterate_phdr(Some(object), data) };
    true
}

/// One loaded object: looks for the functions among its relocations.
#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn object(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the loader hands over a valid description.
    let info = unsafe { &*info };
    // SAFETY: the data are those of `install`, which waits for this.
    let stubs = unsafe { &*data.cast::<[usize; COUNT]>() };
    // SAFETY: so many program headers are there.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let base = info.dlpi_addr as usize;
    let Some(dynamic) = headers.iter().find(|h| h.p_type == libc::PT_DYNAMIC) else {
        return 0;
    };
    let relocations = Relocations::of(base, base + dynamic.p_vaddr as usize);
    let Some(relocations) = relocations else {
        return 0;
    };
    for table in relocations.tables {
        for n in 0..table.1 / size_of::<Rela>() {
            let at = table.0 + n * size_of::<Rela>();
            // SAFETY: it lies in a table of the loaded object, of the length that its dynamic section gives.
            let rela = unsafe { ptr::read_unaligned(at as *const Rela) };
            // R_X86_64_GLOB_DAT and R_X86_64_JUMP_SLOT: an entry that holds a function's address, no more.
            if !matches!(rela.info as u32, 6 | 7) {
                continue;
            }
            let name = relocations.name((rela.info >> 32) as usize);
            let found = FUNCTIONS.iter().position(|(n, _)| *n == name);
            let real = found.and_then(|f| REAL.get(f));
            if let (Some(real), Some(stub)) = (real, found.and_then(|f| stubs.get(f)))
                && real.load(Ordering::Relaxed) != 0
            {
                replace(base + rela.offset as usize, *stub);
            }
        }
    }
    0
}

/// A relocation with addend (`elf(5)`, `Elf64_Rela`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Rela {
    offset: u64,
    info: u64,
    addend: i64,
}

/// What of a dynamic section matters here.
struct Relocations {
    /// Address and length in bytes of the tables of relocations.
    tables: [(usize, usize); 2],
    symbols: usize,
    strings: usize,
}

impl Relocations {
    fn of(base: usize, mut at: usize) -> Option<Self> {
        let mut values = [0_usize; 26];
        loop {
            // SAFETY: the dynamic section is an array of pairs that ends with a pair of tag 0.
            let [tag, value] = unsafe { ptr::read_unaligned(at as *const [usize; 2]) };
            if tag == 0 {
                break;
            }
            if let Some(place) = values.get_mut(tag) {
                *place = value;
            }
            at += size_of::<[usize; 2]>();
        }
        // The C library's loader has made these addresses absolute already, except in the vDSO.
        let address = |tag: usize| match values.get(tag) {
            Some(0) | None => 0,
            Some(&value) if value < base => base + value,
            Some(&value) => value,
        };
        let (strings, symbols) = (address(5), address(6));
        if strings == 0 || symbols == 0 {
            return None;
        }
        Some(Self {
            // DT_RELA with DT_RELASZ, DT_JMPREL with DT_PLTRELSZ.
            tables: [
                (address(7), if address(7) == 0 { 0 } else { values[8] }),
                (address(23), if address(23) == 0 { 0 } else { values[2] }),
            ],
            symbols,
            strings,
        })
    }

    fn name(&self, symbol: usize) -> &CStr {
        // An entry has 24 bytes (Elf64_Sym) and begins with the name's offset.
        let entry = self.symbols + symbol * 24;
        // SAFETY: the relocation names this symbol of the same object.
        let name = unsafe { ptr::read_unaligned(entry as *const u32) };
        // SAFETY: so does the symbol name this string, which ends with a zero byte.
        unsafe { CStr::from_ptr((self.strings + name as usize) as *const c_char) }
    }
}

/// Puts an address into an entry, which may be read-only by now.
fn replace(entry: usize, address: usize) {
    const PAGE: usize = 4096;
    let page = entry & !(PAGE - 1);
    // SAFETY: the page holds an entry of a loaded object; being writable as well harms nobody.
    let done = unsafe {
        libc::mprotect(
            page as *mut c_void,
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
        )
    };
    if done == 0 {
        // SAFETY: entries are aligned words; whoever reads this one meanwhile gets the old or the new address.
        unsafe { &*(entry as *const AtomicUsize) }.store(address, Ordering::SeqCst);
    }
}
