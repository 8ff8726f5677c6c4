//! Cases about extensions that EL3 does not open to the secure world. They are UNDEFINED there, as if the CPU did not
//! have them: nothing hangs, EL3 goes on, and the SPMC's exception handler sees an unallocated instruction.

use super::bank;
use crate::arch::exceptions::{attempt, syndrome};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa};
use crate::{arch::smc, ensure_eq, mrs};

/// The first must come before any other case in which the SPMC touches these registers.
pub const CASES: &[Case] = &[
    Case::new("poison/normal-alone", normal_alone)
        .secure(secure_side)
        .needs(Needs::JANUS),
    Case::new("poison/closed", closed)
        .secure(secure_side)
        .needs(Needs::JANUS),
];

/// x3 of a direct request that is just answered.
const NOTHING: u64 = 0x3000;

/// x3 of a direct request on which the SPMC tries all accesses.
const TRY: u64 = 0x3001;

/// ESR_ELx of an exception with unknown reason at a 32-bit instruction.
const UNKNOWN: u64 = 1 << 25;

/// A register's name and how to read it.
type Observer = (&'static str, fn() -> u64);

/// Registers of extensions that observe programs, which only the normal world can use.
const OBSERVERS: &[Observer] = &[
    ("PMBLIMITR_EL1", || mrs!("S3_0_C9_C10_0")),
    ("PMSCR_EL1", || mrs!("S3_0_C9_C9_0")),
    ("TRBLIMITR_EL1", || mrs!("S3_0_C9_C11_0")),
    ("TRCPRGCTLR", || mrs!("S2_1_C0_C1_0")),
    ("BRBFCR_EL1", || mrs!("S2_1_C9_C0_1")),
    ("AMCR_EL0", || mrs!("S3_3_C13_C2_0")),
    ("MPAM1_EL1", || mrs!("S3_0_C10_C5_0")),
];

fn ask(what: u64) -> Outcome {
    let call = ffa::request(
        ffa::DIRECT_REQ | ffa::SMC64,
        &[ffa::route(0, ffa::SPMC), 0, what],
    );
    ensure_eq!(
        smc::call(call).function(),
        ffa::DIRECT_RESP | ffa::SMC64,
        "answer of the SPMC"
    );
    Ok(())
}

fn closed() -> Outcome {
    cores::on_each(|_| ask(TRY))
}

/// The normal world fills all its registers and calls an SPMC that has used no extension that opens on first use. The
/// normal world's registers stay in the CPU then, and must not affect the SPMC.
fn normal_alone() -> Outcome {
    cores::on_each(|_| {
        crate::daif!(set "0xf");
        bank::probe(false);
        let mut outcome = Ok(());
        for seed in 0..10 {
            bank::fill(seed, false);
            outcome = outcome.and(ask(NOTHING)).and_then(|()| {
                bank::check(false).or_else(|wrong| crate::fail!("after a direct request: {wrong}"))
            });
        }
        bank::restore();
        crate::daif!(clear "0x7");
        outcome
    })
}

/// Fails the case unless reading the register is UNDEFINED.
fn undefined(s: &Secure, name: &str, read: fn() -> u64) {
    if attempt(|| {
        read();
    }) {
        s.fail(format_args!("{name} can be read"));
    } else if syndrome() != UNKNOWN {
        s.fail(format_args!("{name}: the syndrome is {:#x}", syndrome()));
    }
}

fn secure_side(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 {
        return None;
    }
    match message.x(3) {
        NOTHING => return Some(ffa::response(message, &[])),
        TRY => {}
        _ => return None,
    }
    for (name, read) in OBSERVERS {
        undefined(s, name, *read);
    }
    let sve = mrs!("id_aa64pfr0_el1") >> 32 & 0xf != 0;
    let sme = mrs!("id_aa64pfr1_el1") >> 24 & 0xf != 0;
    if !s.sel2 {
        // Open all that this level itself controls.
        let cpacr = mrs!("cpacr_el1");
        crate::msr!("cpacr_el1", cpacr | 3 << 16 | 3 << 20 | 3 << 24);
        undefined(s, "ZCR_EL1", || mrs!("S3_0_C1_C2_0"));
        undefined(s, "SMCR_EL1", || mrs!("S3_0_C1_C2_6"));
        undefined(s, "SVCR", || mrs!("S3_3_C4_C2_2"));
        crate::msr!("cpacr_el1", cpacr);
    } else {
        let cptr = mrs!("cptr_el2");
        crate::msr!("cptr_el2", cptr & !(1 << 8 | 1 << 10 | 1 << 12));
        for (there, name, read) in [
            (sve, "ZCR_EL2", (|| mrs!("S3_4_C1_C2_0")) as fn() -> u64),
            (sme, "SMCR_EL2", || mrs!("S3_4_C1_C2_6")),
            (sme, "TPIDR2_EL0", || mrs!("S3_3_C13_C0_5")),
        ] {
            let read = attempt(|| {
                read();
            });
            if read != there {
                s.fail(format_args!(
                    "{name} is there: {there}, can be read: {read}"
                ));
            }
        }
    }
    Some(ffa::response(message, &[]))
}
