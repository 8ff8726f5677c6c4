//! The case that the normal world cannot count the secure world's cycles and instructions, whatever it writes into
//! PMCR_EL0.DP, and that its own controls of the counters are unchanged afterwards.

use crate::arch::{smc, timer};
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa};
use crate::{ensure, ensure_eq, mrs, msr, skip};

pub const CASES: &[Case] = &[Case::new("poison/cycles", cycles)
    .secure(secure_side)
    .needs(Needs::JANUS)];

/// x3 of a direct request on which the SPMC works for [`WORK`].
const SPIN: u64 = 0x5001;
/// The duration of the secure call in microseconds.
const WORK: u64 = 20_000;
/// The number of tries. An emulator goes on counting while its host does something else.
const TRIES: usize = 5;

/// PMCR_EL0.E and LC: counting, with 64 bits of cycles. DP is clear.
const PMCR: u64 = 1 | 1 << 6;

fn cycles() -> Outcome {
    if !matches!(mrs!("id_aa64dfr0_el1") >> 8 & 0xf, 1..=14) {
        skip!("the CPU has no PMU");
    }
    cores::on_each(|_| {
        crate::daif!(set "0xf");
        let before = (mrs!("pmcr_el0"), mrs!("pmccfiltr_el0"));
        // NSH: count at EL2, too. M: do not count at EL3.
        msr!("pmccfiltr_el0", 1 << 27);
        msr!("pmcntenset_el0", 1 << 31);
        msr!("pmcr_el0", PMCR);
        let start = mrs!("pmccntr_el0");
        timer::delay(WORK);
        let normal = mrs!("pmccntr_el0").wrapping_sub(start);

        let (mut answer, mut secure) = (0, u64::MAX);
        for _ in 0..TRIES {
            let start = mrs!("pmccntr_el0");
            let call = ffa::request(
                ffa::DIRECT_REQ | ffa::SMC64,
                &[ffa::route(0, ffa::SPMC), 0, SPIN],
            );
            answer = smc::call(call).function();
            secure = secure.min(mrs!("pmccntr_el0").wrapping_sub(start));
            if secure < normal / 2 {
                break;
            }
        }
        let pmcr = mrs!("pmcr_el0");

        msr!("pmcntenclr_el0", 1 << 31);
        msr!("pmccfiltr_el0", before.1);
        msr!("pmcr_el0", before.0);
        crate::daif!(clear "0x7");
        ensure_eq!(answer, ffa::DIRECT_RESP | ffa::SMC64, "answer of the SPMC");
        ensure!(normal > 0, "the cycle counter does not count");
        ensure!(
            secure < normal / 2,
            "{secure} cycles in a call to the secure world, {normal} in as much time of one's own"
        );
        ensure_eq!(pmcr & 0x69, PMCR, "E, DP and LC of PMCR_EL0 after the call");
        Ok(())
    })
}

fn secure_side(_: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ | ffa::SMC64 || message.x(3) != SPIN {
        return None;
    }
    timer::delay(WORK);
    Some(ffa::response(message, &[]))
}
