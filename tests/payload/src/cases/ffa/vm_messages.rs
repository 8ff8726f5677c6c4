//! Cases about the framework messages "VM created" and "VM destroyed": all answers that a partition may give, and
//! senders that are refused.

use crate::arch::{MAX_CORES, gic};
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::ffa::{FRAMEWORK, message as number};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, irq};
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("ffa/vm-messages", vm_messages).secure(vm_messages_secure),
    Case::new("ffa/vm-message-codes", codes).secure(codes_secure),
    Case::new("ffa/vm-message-interrupt", interrupt).secure(interrupt_secure),
    Case::new("ffa/no-impostor", no_impostor)
        .secure(no_impostor_secure)
        .needs(Needs::JANUS),
];

/// Sends the hypervisor's message `what` about VM `vm`, with a handle that the receiver can check.
pub fn vm_message(function: u32, receiver: u64, what: u64, vm: u64) -> Regs {
    ffa::call(
        function,
        &[
            ffa::route(ffa::HYPERVISOR, receiver),
            FRAMEWORK | what,
            0x1111_0000 | vm,
            0x2222_0000 | vm,
            vm,
        ],
    )
}

/// Checks the answer to such a message and returns its status.
pub fn status(
    got: &Regs,
    function: u32,
    receiver: u64,
    what: u64,
) -> Result<i32, crate::framework::case::Why> {
    ensure_eq!(
        got.function(),
        function + 1,
        "answer to framework message {what}"
    );
    ensure_eq!(
        got.x(1),
        ffa::route(receiver, ffa::HYPERVISOR),
        "w1 of the answer"
    );
    ensure_eq!(got.x(2), FRAMEWORK | (what + 1), "w2 of the answer");
    Ok(got.w(3) as i32)
}

/// The number of times that the SPMC answers RETRY before it accepts a message.
const RETRIES: u32 = 5;

/// "VM created" is repeated until it is accepted, then "VM destroyed". First each attempt comes from the next core;
/// then all cores do this at the same time with VMs of their own. The receivers are the SPMC and a partition behind it.
fn vm_messages() -> Outcome {
    for (receiver, function) in [
        (ffa::SPMC, ffa::DIRECT_REQ),
        (0x8003, ffa::DIRECT_REQ),
        (ffa::SPMC, ffa::DIRECT_REQ | ffa::SMC64),
    ] {
        for what in [number::VM_CREATED, number::VM_DESTROYED] {
            for attempt in 0..=RETRIES {
                cores::on(attempt as usize % cores::count(), |_| {
                    let got = vm_message(function, receiver, what, 100);
                    let want = if attempt < RETRIES { ffa::RETRY } else { 0 };
                    ensure_eq!(
                        status(&got, function, receiver, what)?,
                        want,
                        "status of message {what}, attempt {attempt}"
                    );
                    Ok(())
                })?;
            }
        }
    }
    cores::on_each(|core| {
        for what in [number::VM_CREATED, number::VM_DESTROYED] {
            for attempt in 0..=RETRIES {
                let got = vm_message(ffa::DIRECT_REQ, ffa::SPMC, what, core as u64 + 1);
                let want = if attempt < RETRIES { ffa::RETRY } else { 0 };
                ensure_eq!(
                    status(&got, ffa::DIRECT_REQ, ffa::SPMC, what)?,
                    want,
                    "status of message {what}, attempt {attempt}"
                );
            }
        }
        Ok(())
    })
}

/// The number of attempts so far per VM. VM 0 is that of the first part.
static ATTEMPTS: [AtomicU32; MAX_CORES + 1] = [const { AtomicU32::new(0) }; MAX_CORES + 1];

fn vm_messages_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() & !ffa::SMC64 != ffa::DIRECT_REQ {
        return None;
    }
    let what = message.x(2) & 0xff;
    let vm = message.x(5);
    s.expect_eq(message.x(1) >> 16, ffa::HYPERVISOR, "sender");
    s.expect(
        what == number::VM_CREATED || what == number::VM_DESTROYED,
        "not a VM message",
    );
    s.expect_eq(message.x(2), FRAMEWORK | what, "w2");
    s.expect_eq(message.x(3), 0x1111_0000 | vm, "w3, the handle");
    s.expect_eq(message.x(4), 0x2222_0000 | vm, "w4, the handle");
    let attempts = &ATTEMPTS[if vm == 100 {
        0
    } else {
        vm as usize % MAX_CORES
    }];
    let status = if attempts.fetch_add(1, SeqCst) < RETRIES {
        ffa::RETRY
    } else {
        0
    };
    if status == 0 {
        attempts.store(0, SeqCst);
    }
    Some(ffa::framework_response(message, what + 1, status))
}

/// Statuses that cross unchanged, known and unknown ones.
const STATUSES: [i32; 10] = [-1, -2, -3, -4, -5, -6, -7, -8, -77, 0x1234];

fn codes() -> Outcome {
    cores::on_each(|_| {
        for what in [number::VM_CREATED, number::VM_DESTROYED] {
            for (i, want) in STATUSES.into_iter().enumerate() {
                let got = vm_message(ffa::DIRECT_REQ, ffa::SPMC, what, i as u64);
                ensure_eq!(
                    status(&got, ffa::DIRECT_REQ, ffa::SPMC, what)?,
                    want,
                    "status of message {what}"
                );
            }
        }
        Ok(())
    })
}

fn codes_secure(_: &Secure, message: &Regs) -> Option<Regs> {
    let status = *STATUSES.get(message.x(5) as usize)?;
    (message.function() == ffa::DIRECT_REQ)
        .then(|| ffa::framework_response(message, (message.x(2) & 0xff) + 1, status))
}

/// The doorbell that the SPMC rings inside the call: an SGI of the normal world.
const DOORBELL: u32 = 5;

/// An interrupt that the SPMC raises during the call arrives right after it.
fn interrupt() -> Outcome {
    irq::install(DOORBELL, irq::count_only);
    cores::on_each(|core| {
        gic::enable(core, DOORBELL);
        for round in 1..=20 {
            let before = irq::count(core, DOORBELL);
            let got = vm_message(ffa::DIRECT_REQ, ffa::SPMC, number::VM_CREATED, 1);
            ensure_eq!(
                status(&got, ffa::DIRECT_REQ, ffa::SPMC, number::VM_CREATED)?,
                ffa::RETRY,
                "status"
            );
            let came =
                crate::arch::timer::wait_until(5, || irq::count(core, DOORBELL) == before + 1);
            crate::ensure!(came, "the doorbell of round {round} did not come");
        }
        Ok(())
    })
}

fn interrupt_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    gic::send_sgi_other_world(s.core, DOORBELL);
    Some(ffa::framework_response(
        message,
        number::VM_CREATED_RESPONSE,
        ffa::RETRY,
    ))
}

/// The normal world cannot send messages in the name of the SPMD or of the secure world, nor the SPMD's own
/// messages: it gets INVALID_PARAMETERS, and the SPMC does not see the message.
fn no_impostor() -> Outcome {
    cores::on_each(|_| {
        for function in [ffa::DIRECT_REQ, ffa::DIRECT_REQ | ffa::SMC64] {
            for (sender, receiver) in [
                (0xffff, 0x8000),
                (0x8000, 0x8000),
                (0x8001, 0x8003),
                (0, 1),
                (1, 0),
                (0, 0xffff),
                (1, 0x7fff),
            ] {
                let got = ffa::call(function, &[ffa::route(sender, receiver)]);
                ffa::expect_error(&got, ffa::INVALID_PARAMETERS, "a request between wrong IDs")?;
            }
            for what in (0..=255).filter(|n| *n != number::VM_CREATED && *n != number::VM_DESTROYED)
            {
                let got = ffa::call(function, &[ffa::route(0, ffa::SPMC), FRAMEWORK | what]);
                ffa::expect_error(
                    &got,
                    ffa::INVALID_PARAMETERS,
                    "a framework message that is not the hypervisor's",
                )?;
            }
            for what in [number::VM_CREATED, number::VM_DESTROYED] {
                for sender in [1, 0x7fff, 0x8000, 0xffff] {
                    let got =
                        ffa::call(function, &[ffa::route(sender, ffa::SPMC), FRAMEWORK | what]);
                    ffa::expect_error(
                        &got,
                        ffa::INVALID_PARAMETERS,
                        "a VM message that is not from the hypervisor",
                    )?;
                }
            }
        }
        let got = ffa::call(ffa::MSG_SEND2, &[0x8001_0000]);
        ffa::expect_error(
            &got,
            ffa::INVALID_PARAMETERS,
            "FFA_MSG_SEND2 from a secure sender",
        )
    })
}

fn no_impostor_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::INTERRUPT {
        s.fail(format_args!("a message that must not pass: {message}"));
    }
    None
}
