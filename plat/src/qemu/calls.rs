//! SMCs, a Group 0 interrupt and a logical partition of a platform's own, for tests (feature `calls`): nothing in the
//! product's image has any of them.
//!
//! The interrupt is a PPI without a device, which a call makes pending. Its handler and a call talk to a partition;
//! what came of it, another call tells.

use crate::{El3, Group0, Next, Owner, Service};
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use janus_drivers::gic::{SecureGroup, SecureInterrupt, Target, Trigger};
use janus_spmd::{Body, LogicalPartition, Message, Messenger, NotAvailable, Request, World};

/// The interrupt: QEMU's machine has no device on it.
const INTERRUPT: u32 = 18;

/// Its row in the table of secure interrupts.
pub const SECURE: SecureInterrupt = SecureInterrupt {
    intid: INTERRUPT,
    group: SecureGroup::Group0,
    priority: 0,
    trigger: Trigger::Edge,
    target: Target::Any,
};

pub const GROUP0: &[Group0] = &[Group0 {
    intid: INTERRUPT,
    handle,
}];

pub const SERVICES: &[(Owner, &dyn Service)] = &[(Owner::Sip, &Calls)];

pub const PARTITIONS: &[&dyn LogicalPartition] = &[&Caller];

/// The partition in whose name EL3 asks.
struct Caller;

impl LogicalPartition for Caller {
    fn id(&self) -> u16 {
        0xffc1
    }

    fn uuid(&self) -> [u64; 2] {
        [0x4c7a_9b11_5d6e_4f02, 0x8a53_10fe_77c4_21b9]
    }

    fn start(&self, _: &mut dyn Messenger) {}
}

/// The partition that is asked; the test SPMC answers for it, and repeats what it was sent.
const ASKED: u16 = 0x8006;

/// Asks it something. What came of it: 0 and what it said; 1: the SPMC waits for EL3; 2: nobody could be asked.
fn ask(el3: &mut dyn El3, word: u64) -> [u64; 2] {
    let answer = el3.ask(Request::Message(Message {
        sender: Caller.id(),
        receiver: ASKED,
        body: Body::Req32([word as u32, 0, 0, 0, 0]),
    }));
    match answer {
        Ok(answer) => [0, answer[3]],
        Err(NotAvailable::Busy) => [1, 0],
        Err(_) => [2, 0],
    }
}

/// How often the interrupt was handled, on all cores.
static HANDLED: AtomicU64 = AtomicU64::new(0);
/// What the last handler's question came to.
static ANSWER: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// Whether the SPMC runs after the next handler.
static SPMC_NEXT: AtomicU64 = AtomicU64::new(0);

fn handle(el3: &mut dyn El3) -> Next {
    let count = HANDLED.fetch_add(1, Relaxed).wrapping_add(1);
    let answer = ask(el3, count | 0x100);
    for (slot, value) in ANSWER.iter().zip(answer) {
        slot.store(value, Relaxed);
    }
    if SPMC_NEXT.swap(0, Relaxed) == 1 {
        Next::Spmc
    } else {
        Next::Resume
    }
}

/// Makes the interrupt pending at core `index`: GICR_ISPENDR0 of its redistributor.
fn raise(index: usize) {
    let register = 0x080a_0000 + 0x1_0200 + 0x2_0000 * index;
    // SAFETY: a register of this machine's GIC, mapped as a device; writing ones changes only what they name.
    unsafe { with_exposed_provenance_mut::<u32>(register).write_volatile(1 << INTERRUPT) };
}

/// The calls, all SMC64.
struct Calls;

impl Service for Calls {
    fn call(&self, el3: &mut dyn El3, from: World, function: u32) -> bool {
        let [_, x1, ..] = *el3.registers(from);
        let answer = match function {
            // Who calls, where, and with what.
            0xc200_0001 => [(from == World::Secure) as u64, el3.index() as u64, x1],
            // Raises the interrupt here; x1: whether the SPMC runs next.
            0xc200_0002 => {
                SPMC_NEXT.store(x1, Relaxed);
                raise(el3.index());
                [0; 3]
            }
            // What the handler did.
            0xc200_0003 => [
                HANDLED.load(Relaxed),
                ANSWER[0].load(Relaxed),
                ANSWER[1].load(Relaxed),
            ],
            // Asks the partition x1.
            0xc200_0004 => {
                let [came_to, said] = ask(el3, x1);
                [came_to, said, 0]
            }
            // Has the normal world go on x1 bytes further on; x0: whether it can.
            0xc200_0005 if from == World::Normal => {
                let (elr, spsr) = el3.normal_state();
                let set = el3.set_normal_state(elr.wrapping_add(x1), spsr);
                [set.is_err() as u64, 0, 0]
            }
            _ => return false,
        };
        if let Some(registers) = el3.registers(from).first_chunk_mut() {
            *registers = answer;
        }
        true
    }
}
