//! Cases with a secure partition like Trusty, and a hypervisor that tells it about VMs.
//!
//! The partition is 0x8003 behind the SPMC, or the SPMC itself. It answers RETRY to a new message and rings a doorbell
//! at the normal world, because it needs time, which FFA_RUN gives it. The hypervisor repeats the message, on any core,
//! until the answer is SUCCESS. The partition refuses to create a VM that it knows, and to destroy one that it does not
//! know.

use crate::arch::{cpu, gic, timer};
use crate::framework::case::{Case, Needs, Outcome, Why};
use crate::framework::ffa::{FRAMEWORK, message as number};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa, irq};
use crate::{ensure, ensure_eq};
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

pub const CASES: &[Case] = &[
    Case::new("lifecycle/trusty", one_vm).secure(partition),
    Case::new("lifecycle/trusty-two-vms", two_vms)
        .secure(partition)
        .needs(Needs::CORES),
    Case::new("lifecycle/trusty-duplicates", duplicates).secure(partition),
    Case::new("lifecycle/trusty-unknown-message", unknown_message)
        .secure(partition)
        .needs(Needs::JANUS),
];

/// The SPMC itself, and a partition behind it.
const RECEIVERS: [u64; 2] = [ffa::SPMC, 0x8003];
/// The doorbell: an SGI of the normal world.
const DOORBELL: u32 = 6;

/// Sends message `what` about `vm`. Returns the status.
fn send(receiver: u64, what: u64, vm: u64) -> Result<i32, Why> {
    let got = ffa::call(
        ffa::DIRECT_REQ,
        &[
            ffa::route(ffa::HYPERVISOR, receiver),
            FRAMEWORK | what,
            0,
            0,
            vm,
        ],
    );
    ensure_eq!(
        got.function(),
        ffa::DIRECT_RESP,
        "answer to framework message {what}"
    );
    ensure_eq!(
        got.x(1),
        ffa::route(receiver, ffa::HYPERVISOR),
        "w1 of the answer to message {what}"
    );
    ensure_eq!(
        got.x(2),
        FRAMEWORK | (what + 1),
        "w2 of the answer to message {what}"
    );
    Ok(got.w(3) as i32)
}

/// Gives the partition time on this core until it has nothing to do.
fn run(receiver: u64, vm: u64) -> Outcome {
    let target = ffa::route(receiver, vm);
    let got = ffa::call(ffa::RUN, &[target]);
    ensure_eq!(got.function(), ffa::MSG_WAIT, "answer to FFA_RUN");
    Ok(())
}

/// Makes one attempt on this core, and returns whether the message was accepted. After RETRY the doorbell must ring,
/// and the partition gets time.
fn attempt(receiver: u64, what: u64, vm: u64) -> Result<bool, Why> {
    let core = cpu::number();
    gic::enable(core, DOORBELL);
    let before = irq::count(core, DOORBELL);
    match send(receiver, what, vm)? {
        0 => Ok(true),
        ffa::RETRY => {
            let rang = timer::wait_until(10, || irq::count(core, DOORBELL) > before);
            ensure!(rang, "RETRY for VM {vm} without a doorbell on core {core}");
            run(receiver, vm)?;
            Ok(false)
        }
        other => crate::fail!("message {what} about VM {vm}: {other}"),
    }
}

/// Repeats the message on this core until it is accepted.
fn until_accepted(receiver: u64, what: u64, vm: u64) -> Outcome {
    for _ in 0..20 {
        if attempt(receiver, what, vm)? {
            return Ok(());
        }
    }
    crate::fail!("message {what} about VM {vm} is not accepted after 20 attempts")
}

/// One VM is created and destroyed three times, with each attempt on the next core. VM 0 stands for the normal
/// world before there is a hypervisor.
fn one_vm() -> Outcome {
    irq::install(DOORBELL, irq::count_only);
    let mut core = 0;
    for receiver in RECEIVERS {
        for vm in [0, 1, 0xffff, 1] {
            for what in [number::VM_CREATED, number::VM_DESTROYED] {
                let accepted = AtomicU32::new(0);
                while accepted.load(SeqCst) == 0 {
                    cores::on(core % cores::count(), |_| {
                        accepted.store(u32::from(attempt(receiver, what, vm)?), SeqCst);
                        Ok(())
                    })?;
                    core += 1;
                    ensure!(
                        core < 1000,
                        "message {what} about VM {vm} is never accepted"
                    );
                }
            }
        }
    }
    Ok(())
}

/// Each core creates and destroys a VM of its own, all at the same time, with both receivers.
fn two_vms() -> Outcome {
    irq::install(DOORBELL, irq::count_only);
    cores::on_each(|core| {
        let vm = 10 + core as u64;
        for receiver in RECEIVERS {
            for _ in 0..3 {
                until_accepted(receiver, number::VM_CREATED, vm)?;
                until_accepted(receiver, number::VM_DESTROYED, vm)?;
            }
        }
        Ok(())
    })
}

/// Creating a VM twice and destroying an unknown VM give INVALID_PARAMETERS, and change nothing.
fn duplicates() -> Outcome {
    irq::install(DOORBELL, irq::count_only);
    for receiver in RECEIVERS {
        let vm = 200;
        ensure_eq!(
            send(receiver, number::VM_DESTROYED, vm)?,
            ffa::INVALID_PARAMETERS,
            "an early destroy"
        );
        until_accepted(receiver, number::VM_CREATED, vm)?;
        ensure_eq!(
            send(receiver, number::VM_CREATED, vm)?,
            ffa::INVALID_PARAMETERS,
            "a duplicate"
        );
        until_accepted(receiver, number::VM_DESTROYED, vm)?;
        ensure_eq!(
            send(receiver, number::VM_DESTROYED, vm)?,
            ffa::INVALID_PARAMETERS,
            "a second destroy"
        );
    }
    Ok(())
}

/// A message that a hypervisor must not send does not reach the partition.
fn unknown_message() -> Outcome {
    for receiver in RECEIVERS {
        let got = ffa::call(
            ffa::DIRECT_REQ,
            &[
                ffa::route(ffa::HYPERVISOR, receiver),
                FRAMEWORK | 0x33,
                0,
                0,
                1,
            ],
        );
        ffa::expect_error(
            &got,
            ffa::INVALID_PARAMETERS,
            "an unknown framework message",
        )?;
    }
    Ok(())
}

// The partition's account of each VM, for each receiver.
/// The VM is not known. A value between this and [`PRESENT`] counts the turns of work that are done.
const ABSENT: u32 = 0;
/// The number of turns that the partition needs before it accepts a message.
const TURNS: u32 = 3;
const PRESENT: u32 = 100;

static VMS: [[AtomicU32; 256]; 2] = [const { [const { AtomicU32::new(ABSENT) }; 256] }; 2];

fn partition(s: &Secure, message: &Regs) -> Option<Regs> {
    let function = message.function();
    // FFA_RUN has the partition in w1[31:16], a request in w1[15:0].
    let id = if function == ffa::RUN {
        message.x(1) >> 16
    } else {
        message.x(1)
    } & 0xffff;
    let books = &VMS[RECEIVERS.iter().position(|r| *r == id)?];
    match function {
        ffa::RUN => {
            // Do a turn of work for the VM that waits (w1 has its number in the place of the vCPU's).
            books[message.x(1) as usize & 0xff].fetch_add(1, SeqCst);
            Some(ffa::request(ffa::MSG_WAIT, &[]))
        }
        ffa::DIRECT_REQ if message.x(2) & FRAMEWORK != 0 => {
            let what = message.x(2) & 0xff;
            let vm = &books[message.x(5) as usize & 0xff];
            let state = vm.load(SeqCst);
            let answer = |status| Some(ffa::framework_response(message, what + 1, status));
            let (from, to) = match what {
                number::VM_CREATED => (ABSENT, PRESENT),
                number::VM_DESTROYED => (PRESENT, ABSENT),
                _ => return answer(ffa::NOT_SUPPORTED),
            };
            if !(from..=from + TURNS).contains(&state) {
                return answer(ffa::INVALID_PARAMETERS);
            }
            if state == from + TURNS {
                vm.store(to, SeqCst);
                return answer(0);
            }
            gic::send_sgi_other_world(s.core, DOORBELL);
            answer(ffa::RETRY)
        }
        _ => None,
    }
}
