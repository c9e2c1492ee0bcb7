// SPDX-License-Identifier: GPL-2.0

//! QEMU's `edu` device on the producer interface: a monolithic program's driver half.
//!
//! A process writes a request, `{ id: u32, n: u32 }`, to the source `edu`; the device computes the factorial
//! and interrupts; the interrupt handler reads the result and posts `{ id, n, result }` as an event of kind 1
//! with the result, n! modulo 2^32, also as its value. Up to [`REQUESTS`] requests wait; one more gets
//! `EAGAIN`. A process that calls with `{ n: u32 }` gets n! as its answer and nothing is posted.
//!
//! There is no lock: writes and calls are serialised by rtnotify, so the ring of requests has one producer, and the
//! device's only interrupt is its one consumer. `pending` counts requests that are not answered yet; whoever
//! finds the device idle starts it.
//!
//! Device: `docs/specs/edu.rst` in QEMU's source.

use kernel::{
    device::{Bound, Core},
    devres::Devres,
    io::Io,
    irq::{self, IrqReturn},
    pci,
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed, Release},
        Arc,
    },
};
use rtnotify_producer::{Callee, Source, Token, Writer};

#[path = "../../include/rtnotify_producer.rs"]
mod rtnotify_producer;

/// Requests that can wait, a power of two.
const REQUESTS: usize = 64;
/// PCI class of the device: other.
const CLASS: u32 = 0x00_ff00;
/// PCI device number.
const DEVICE: u16 = 0x11e8;
/// Kind of the events posted.
const KIND_FACTORIAL: u16 = 1;

/// Registers, all 32 bits wide.
mod regs {
    pub(super) const ID: usize = 0x00;
    pub(super) const FACTORIAL: usize = 0x08;
    pub(super) const STATUS: usize = 0x20;
    pub(super) const IRQ_STATUS: usize = 0x24;
    pub(super) const IRQ_ACK: usize = 0x64;
    /// Size of the register window.
    pub(super) const END: usize = 0x100;

    /// `ID`: the low half is constant.
    pub(super) const ID_MAGIC: u32 = 0xed;
    /// `STATUS`: interrupt when the factorial is there.
    pub(super) const STATUS_IRQ: u32 = 0x80;
    /// `IRQ_STATUS`: the factorial is there.
    pub(super) const IRQ_FACTORIAL: u32 = 1;
}

type Registers = pci::Bar<'static, { regs::END }>;

/// What the two halves share.
struct Edu {
    registers: Devres<Registers>,
    /// Requests, `id << 32 | n`.
    ring: [Atomic<u64>; REQUESTS],
    /// The call that each request came with; 0: none, it was written.
    tokens: [Atomic<u64>; REQUESTS],
    /// Next request to write; changed by the writer only.
    tail: Atomic<usize>,
    /// Request that the device computes; changed by the interrupt handler only.
    head: Atomic<usize>,
    /// Requests not answered.
    pending: Atomic<i32>,
    /// The interrupt handler is in place: processes can find the source before.
    ready: Atomic<bool>,
}

impl Edu {
    fn start(registers: &Registers, request: u64) {
        // The low half is the number.
        registers.write32(request as u32, regs::FACTORIAL);
    }

    /// Has the device compute; `token` is 0 or a call to answer.
    fn enqueue(&self, token: Token, request: u64) -> Result {
        if !self.ready.load(Acquire) || self.pending.load(Acquire) as usize >= REQUESTS {
            return Err(EAGAIN);
        }
        let registers = self.registers.try_access().ok_or(ENODEV)?;
        let tail = self.tail.load(Relaxed);
        self.ring[tail % REQUESTS].store(request, Relaxed);
        self.tokens[tail % REQUESTS].store(token, Relaxed);
        self.tail.store(tail.wrapping_add(1), Release);
        // Full ordering: the interrupt handler that finds this request also finds it in the ring.
        if self.pending.fetch_add(1, Full) == 0 {
            Self::start(&registers, request);
        }
        Ok(())
    }
}

impl Writer for Edu {
    fn write(&self, _kind: u16, _value: u64, message: &[u8]) -> Result {
        let message: [u8; 8] = message.try_into().map_err(|_| EINVAL)?;
        let [a, b, c, d, e, f, g, h] = message;
        let id = u32::from_ne_bytes([a, b, c, d]);
        let n = u32::from_ne_bytes([e, f, g, h]);
        let request = u64::from(id) << 32 | u64::from(n);
        self.enqueue(0, request)
    }
}

impl Callee for Edu {
    fn call(&self, token: Token, _kind: u16, _value: u64, message: &[u8], room: usize) -> Result {
        let message: [u8; 4] = message.try_into().map_err(|_| EINVAL)?;
        // The result has four bytes; do not compute what cannot be taken.
        if room < message.len() {
            return Err(EMSGSIZE);
        }
        self.enqueue(token, u32::from_ne_bytes(message).into())
    }
}

/// The interrupt handler's half.
struct Handler {
    edu: Arc<Edu>,
    source: Arc<Source>,
}

impl irq::Handler for Handler {
    fn handle(&self, device: &kernel::device::Device<Bound>) -> IrqReturn {
        let Ok(registers) = self.edu.registers.access(device) else {
            return IrqReturn::None;
        };
        let status = registers.read32(regs::IRQ_STATUS);
        if status == 0 {
            return IrqReturn::None;
        }
        let result = registers.read32(regs::FACTORIAL);
        registers.write32(status, regs::IRQ_ACK);
        // The interrupt can also be raised by hand, by writing to the device.
        if status & regs::IRQ_FACTORIAL == 0 || self.edu.pending.load(Acquire) == 0 {
            return IrqReturn::Handled;
        }

        let head = self.edu.head.load(Relaxed);
        let request = self.edu.ring[head % REQUESTS].load(Relaxed);
        match self.edu.tokens[head % REQUESTS].load(Relaxed) {
            0 => {
                let mut answer = [0; 12];
                answer[..4].copy_from_slice(&((request >> 32) as u32).to_ne_bytes());
                answer[4..8].copy_from_slice(&(request as u32).to_ne_bytes());
                answer[8..].copy_from_slice(&result.to_ne_bytes());
                // Who refuses it finds a gap in its stream, so there is nothing to do here.
                let _ = self
                    .source
                    .post(KIND_FACTORIAL, Some(result.into()), &answer);
            }
            // If the caller has given up, nobody wants to know.
            token => drop(self.source.complete(token, Ok(&result.to_ne_bytes()))),
        }

        let next = head.wrapping_add(1);
        self.edu.head.store(next, Relaxed);
        if self.edu.pending.fetch_add(-1, Full) > 1 {
            Edu::start(registers, self.edu.ring[next % REQUESTS].load(Relaxed));
        }
        IrqReturn::Handled
    }
}

/// A bound device. The fields are dropped in this order: first the interrupt, then the source, which waits
/// for a running write, then what both used.
#[pin_data]
struct EduData {
    #[pin]
    irq: irq::Registration<Handler>,
    source: Arc<Source>,
    edu: Arc<Edu>,
}

struct EduDriver;

kernel::pci_device_table!(
    PCI_TABLE,
    MODULE_PCI_TABLE,
    <EduDriver as pci::Driver>::IdInfo,
    // The vendor, 0x1234, is not one that the abstraction knows; `probe` looks closer.
    [(pci::DeviceId::from_class(CLASS, 0xff_ffff), ())]
);

impl pci::Driver for EduDriver {
    type IdInfo = ();
    type Data<'bound> = EduData;

    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: &'bound Self::IdInfo,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        pin_init::pin_init_scope(move || {
            if pdev.device_id() != DEVICE {
                return Err(ENODEV);
            }
            pdev.enable_device_mem()?;
            pdev.set_master();
            let registers = pdev.iomap_region_sized::<{ regs::END }>(0, c"rtnotify_edu")?;
            if registers.read32(regs::ID) & 0xffff != regs::ID_MAGIC {
                return Err(ENODEV);
            }
            registers.write32(regs::STATUS_IRQ, regs::STATUS);

            let edu = Arc::new(
                Edu {
                    registers: registers.into_devres()?,
                    ring: [const { Atomic::new(0) }; REQUESTS],
                    tokens: [const { Atomic::new(0) }; REQUESTS],
                    tail: Atomic::new(0),
                    head: Atomic::new(0),
                    pending: Atomic::new(0),
                    ready: Atomic::new(false),
                },
                GFP_KERNEL,
            )?;
            // SAFETY: `EduData` keeps `edu` until the source is dropped.
            let source = unsafe { Source::with_server(c"edu", 64, Arc::as_ptr(&edu)) }?;
            let source = Arc::new(source, GFP_KERNEL)?;
            let handler = Handler {
                edu: edu.clone(),
                source: source.clone(),
            };
            let vectors = pdev.alloc_irq_vectors(1, 1, pci::IrqTypes::all())?;
            Ok(try_pin_init!(EduData {
                irq <- pdev.request_irq(
                    *vectors.start(),
                    irq::Flags::SHARED,
                    c"rtnotify_edu",
                    Ok(handler),
                ),
                _: {
                    edu.ready.store(true, Release);
                },
                source,
                edu,
            }))
        })
    }
}

kernel::module_pci_driver! {
    type: EduDriver,
    name: "rtnotify_edu",
    authors: ["The rtnotify authors"],
    description: "QEMU edu device as an rtnotify source",
    license: "GPL v2",
}
