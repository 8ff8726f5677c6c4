//! A case with a resource manager like Gunyah's: VMs are allocated, started, stopped and reset, their 16-bit IDs are
//! used again, and some VMs crash in the middle of a call.
//!
//! The SPMC keeps account of each VM: it is created before its first message, destroyed once, and sends no message
//! while it does not exist.

use crate::framework::case::{Case, Outcome, Why};
use crate::framework::ffa::{FRAMEWORK, message as number};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{config, cores, ffa};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

pub const CASES: &[Case] = &[Case::new("lifecycle/gunyah", thousand_lives).secure(account)];

/// The number of IDs. It is small, so that each ID is used again and again.
const IDS: u64 = 8;
/// The first ID. It is high, to use all 15 bits of a VM's ID.
const FIRST: u64 = 0x7ff0;

const REQ: u32 = ffa::DIRECT_REQ | ffa::SMC64;
const RESP: u32 = ffa::DIRECT_RESP | ffa::SMC64;

/// IDs in use.
static TAKEN: AtomicU32 = AtomicU32::new(0);

fn allocate() -> u64 {
    loop {
        let taken = TAKEN.load(SeqCst);
        let id = u64::from((!taken).trailing_zeros());
        if id < IDS
            && TAKEN
                .compare_exchange(taken, taken | 1 << id, SeqCst, SeqCst)
                .is_ok()
        {
            return FIRST + id;
        }
        core::hint::spin_loop();
    }
}

fn deallocate(vm: u64) {
    TAKEN.fetch_and(!(1 << (vm - FIRST)), SeqCst);
}

/// Sends message `what` about `vm` to the SPMC, and repeats it as often as the SPMC asks.
fn tell(what: u64, vm: u64) -> Outcome {
    for _ in 0..10 {
        let got = ffa::call(
            ffa::DIRECT_REQ,
            &[ffa::route(0, ffa::SPMC), FRAMEWORK | what, 0, 0, vm],
        );
        ensure_eq!(
            got.x(2),
            FRAMEWORK | (what + 1),
            "w2 of the answer to message {what}"
        );
        match got.w(3) as i32 {
            0 => return Ok(()),
            ffa::RETRY => {}
            other => crate::fail!("message {what} about VM {vm:#x}: {other}"),
        }
    }
    crate::fail!("message {what} about VM {vm:#x} is not accepted")
}

/// Begins a call of the VM, which is preempted once.
fn call_begun(vm: u64, word: u64) -> Result<Regs, Why> {
    let got = ffa::call(REQ, &[ffa::route(vm, ffa::SPMC), 0, word]);
    ensure_eq!(got.function(), ffa::INTERRUPT, "the call of VM {vm:#x}");
    Ok(got)
}

fn life(n: u64) -> Outcome {
    let vm = allocate();
    tell(number::VM_CREATED, vm)?;
    for word in 0..n % 4 {
        call_begun(vm, word)?;
        let got = ffa::call(ffa::RUN, &[ffa::route(0x8000, vm)]);
        ensure_eq!(got.function(), RESP, "the call of VM {vm:#x} after FFA_RUN");
        ensure_eq!(got.x(1), ffa::route(ffa::SPMC, vm), "w1 of its answer");
        ensure_eq!(got.x(3), word + vm, "x3 of its answer");
    }
    if n.is_multiple_of(3) {
        // The VM crashes: its call is not run to its end.
        call_begun(vm, 0xdead)?;
    }
    tell(number::VM_DESTROYED, vm)?;
    deallocate(vm);
    Ok(())
}

/// A thousand VMs live and end on all cores. Afterwards no VM is left.
fn thousand_lives() -> Outcome {
    TAKEN.store(0, SeqCst);
    let each = 1000 * config::rounds() / cores::count() as u64;
    cores::on_each(|core| (0..each).try_for_each(|n| life(n + core as u64)))?;
    let left = ffa::call(REQ, &[ffa::route(0, ffa::SPMC), 0, COUNT]);
    ensure_eq!(left.x(3), 0, "VMs that the SPMC still knows");
    ensure!(left.x(4) >= each, "the SPMC saw {} lives", left.x(4));
    Ok(())
}

/// The value that asks the SPMC how many VMs exist, and how many have existed.
const COUNT: u64 = 0xc001;

// The SPMC's account: a VM is absent, waits for a retry, is there, or is in a call (with its word).
const ABSENT: u32 = 0;
const COMING: u32 = 1;
const THERE: u32 = 2;
const GOING: u32 = 3;
const IN_CALL: u32 = 0x1_0000;

static VMS: [AtomicU32; IDS as usize] = [const { AtomicU32::new(ABSENT) }; IDS as usize];
static LIVES: AtomicU32 = AtomicU32::new(0);

fn account(s: &Secure, message: &Regs) -> Option<Regs> {
    let function = message.function();
    let framework = message.x(2) & FRAMEWORK != 0;
    if function == REQ && !framework && message.x(3) == COUNT {
        let known = VMS.iter().filter(|vm| vm.load(SeqCst) != ABSENT).count() as u64;
        return Some(ffa::response(
            message,
            &[known, u64::from(LIVES.load(SeqCst))],
        ));
    }
    let vm = match function {
        ffa::RUN => message.x(1) & 0xffff,
        ffa::DIRECT_REQ if framework => message.x(5),
        REQ => message.x(1) >> 16,
        _ => return None,
    };
    let state = VMS.get(vm.wrapping_sub(FIRST) as usize)?;
    let was = state.load(SeqCst);
    match (function, message.x(2) & 0xff) {
        (ffa::DIRECT_REQ, what @ (number::VM_CREATED | number::VM_DESTROYED)) => {
            let created = what == number::VM_CREATED;
            let (status, now) = match was {
                ABSENT if created => (ffa::RETRY, COMING),
                COMING if created => (0, THERE),
                // The VM may be in a call that was not run to its end.
                THERE | IN_CALL.. if !created => (ffa::RETRY, GOING),
                GOING if !created => {
                    LIVES.fetch_add(1, SeqCst);
                    (0, ABSENT)
                }
                _ => {
                    s.fail(format_args!(
                        "message {what} about VM {vm:#x} in state {was}"
                    ));
                    (ffa::INVALID_PARAMETERS, was)
                }
            };
            state.store(now, SeqCst);
            Some(ffa::framework_response(message, what + 1, status))
        }
        (REQ, _) => {
            s.expect_eq(
                u64::from(was),
                u64::from(THERE),
                "the state of a VM that calls",
            );
            state.store(IN_CALL | message.w(3), SeqCst);
            Some(ffa::request(ffa::INTERRUPT, &[ffa::route(0x8000, vm)]))
        }
        (ffa::RUN, _) => {
            s.expect(was >= IN_CALL, "a VM without a call is run");
            state.store(THERE, SeqCst);
            Some(ffa::request(
                RESP,
                &[ffa::route(ffa::SPMC, vm), 0, u64::from(was & !IN_CALL) + vm],
            ))
        }
        _ => None,
    }
}
