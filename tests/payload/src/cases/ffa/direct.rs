//! Cases about direct requests and responses: which registers cross, and which do not.
//!
//! Each side knows what the other sends: a value for each register, core and direction. So each side checks every
//! register.

use crate::arch::{cpu, smc};
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{config, cores, ffa};

pub const CASES: &[Case] = &[
    Case::new("ffa/direct-32", direct_32).secure(answer),
    Case::new("ffa/direct-64", direct_64)
        .secure(answer)
        .needs(Needs::V1_2),
];

/// Returns the value that is sent in x`n`: by the secure world if `answer` is set, else by the normal world.
fn value(core: usize, n: usize, answer: bool) -> u64 {
    let base = if answer {
        0x9e37_79b9_7f4a_7c15
    } else {
        0xc2b2_ae3d_27d4_eb4f
    };
    u64::wrapping_mul(base, ((core * 32 + n) as u64) * 2 + 1)
}

/// Returns x0-x17 of a message with `function`. Bit 31 of w2 is clear: with it, this would be a framework message.
fn filled(core: usize, function: u32, route: u64, answer: bool) -> Regs {
    let mut regs = Regs::default();
    for n in 0..18 {
        regs.0[n] = value(core, n, answer);
    }
    regs.0[0] = u64::from(function);
    regs.0[1] = route;
    regs.0[2] &= !ffa::FRAMEWORK;
    regs
}

const TO_SPMC: u64 = ffa::route(0x0001, ffa::SPMC);
const FROM_SPMC: u64 = ffa::route(ffa::SPMC, 0x0001);
const REQ_64: u32 = ffa::DIRECT_REQ | ffa::SMC64;
const RESP_64: u32 = ffa::DIRECT_RESP | ffa::SMC64;

/// w0-w7 cross, without the upper halves of the registers. x8-x17 stay unchanged on both sides.
fn direct_32() -> Outcome {
    cores::on_each(|core| {
        for _ in 0..10 {
            let sent = filled(core, ffa::DIRECT_REQ, TO_SPMC, false);
            let got = smc::call(sent);
            ensure_eq!(got.x(0), u64::from(ffa::DIRECT_RESP), "x0 of the response");
            ensure_eq!(got.x(1), FROM_SPMC, "x1 of the response");
            let answer = filled(core, ffa::DIRECT_RESP, FROM_SPMC, true);
            for n in 2..8 {
                let x = if config::is_janus() {
                    got.x(n)
                } else {
                    u64::from(got.w(n))
                };
                ensure_eq!(x, u64::from(answer.w(n)), "x{n} of the response");
            }
            for n in 8..18 {
                ensure_eq!(got.x(n), sent.x(n), "x{n}, which the call does not carry");
            }
        }
        Ok(())
    })
}

/// x0-x17 cross unchanged.
fn direct_64() -> Outcome {
    cores::on_each(|core| {
        for _ in 0..10 {
            let got = smc::call(filled(core, REQ_64, TO_SPMC, false));
            let answer = filled(core, RESP_64, FROM_SPMC, true);
            for n in 0..18 {
                ensure_eq!(got.x(n), answer.x(n), "x{n} of the response");
            }
        }
        Ok(())
    })
}

/// Checks the message, and answers with a value of its own in every register.
fn answer(s: &Secure, message: &Regs) -> Option<Regs> {
    let core = cpu::number();
    match message.function() {
        ffa::DIRECT_REQ => {
            let sent = filled(core, ffa::DIRECT_REQ, TO_SPMC, false);
            for n in 0..8 {
                // The C BL31 lets the upper halves through.
                let got = if config::is_janus() {
                    message.x(n)
                } else {
                    u64::from(message.w(n))
                };
                if got != u64::from(sent.w(n)) {
                    s.fail(format_args!(
                        "x{n} of the request: {:#x}, should be {:#x}",
                        message.x(n),
                        sent.w(n)
                    ));
                }
            }
            for n in 8..18 {
                if message.x(n) == sent.x(n) {
                    s.fail(format_args!(
                        "x{n} of the normal world came with an SMC32 call"
                    ));
                }
            }
            Some(filled(core, ffa::DIRECT_RESP, FROM_SPMC, true))
        }
        REQ_64 => {
            let sent = filled(core, REQ_64, TO_SPMC, false);
            for n in 0..18 {
                if message.x(n) != sent.x(n) {
                    s.fail(format_args!(
                        "x{n} of the request: {:#x}, should be {:#x}",
                        message.x(n),
                        sent.x(n)
                    ));
                }
            }
            Some(filled(core, RESP_64, FROM_SPMC, true))
        }
        _ => None,
    }
}
