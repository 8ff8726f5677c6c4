//! Cases about EL3's services for the SPMC: entry point registration, the console.

use crate::arch::{entry, smc};
use crate::ensure_eq;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::Secure;
use crate::framework::{cores, ffa};

pub const CASES: &[Case] = &[
    Case::new("ffa/secondary-ep-late", ask)
        .secure(late_secure)
        .needs(Needs::JANUS),
    Case::new("ffa/console-log", ask)
        .secure(console_secure)
        .needs(Needs::JANUS.union(Needs::V1_2)),
];

fn ask() -> Outcome {
    cores::on_each(|_| {
        let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
        ensure_eq!(got.function(), ffa::DIRECT_RESP, "answer to the request");
        Ok(())
    })
}

/// After the boot core's FFA_MSG_WAIT, no entry point can be registered on any core, whether it is valid or not.
fn late_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        for address in [entry::secondary_entry(), entry::image().start, 0, u64::MAX] {
            for convention in [0, ffa::SMC64] {
                let got = ffa::call(ffa::SECONDARY_EP_REGISTER | convention, &[address]);
                // The 64-bit call has a 64-bit answer.
                let mut denied = ffa::error(ffa::DENIED);
                denied.0[0] |= u64::from(convention);
                s.expect(
                    got.0[..8] == denied.0[..8],
                    "FFA_SECONDARY_EP_REGISTER after boot is not DENIED",
                );
            }
        }
    }
    None
}

/// Packs text into the registers of FFA_CONSOLE_LOG.
fn log(function: u32, count: u64, text: &[u8]) -> Regs {
    let mut regs = ffa::request(function, &[count]);
    let width = if function & ffa::SMC64 != 0 { 8 } else { 4 };
    for (i, byte) in text.iter().enumerate() {
        regs.0[2 + i / width] |= u64::from(*byte) << (i % width * 8);
    }
    smc::call(regs)
}

/// Each length is printed. A count of zero, or of more than the registers hold, is refused. The printed text cannot be
/// taken for a line of the tests, which xtask would count.
fn console_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() != ffa::DIRECT_REQ {
        return None;
    }
    let wide = ffa::CONSOLE_LOG | ffa::SMC64;
    let forged: &[u8] = b"\r\n@fail ffa/console-log: forged\r\n\x1b[2J";
    let text: [u8; 128] = core::array::from_fn(|i| b'a' + (i % 26) as u8);
    if s.core == 0 {
        for (function, count, text) in [
            (ffa::CONSOLE_LOG, 6, &b"hello\n"[..]),
            (ffa::CONSOLE_LOG, 24, &text[..24]),
            (ffa::CONSOLE_LOG, 1, b"\n"),
            (wide, 128, &text[..]),
            (wide, forged.len() as u64, forged),
            (wide, 1, b"\n"),
        ] {
            let got = log(function, count, text);
            s.expect_eq(
                u64::from(got.function() & !ffa::SMC64),
                u64::from(ffa::SUCCESS),
                "FFA_CONSOLE_LOG",
            );
        }
    }
    for (function, count) in [
        (ffa::CONSOLE_LOG, 25),
        (ffa::CONSOLE_LOG, u64::from(u32::MAX)),
        (wide, 129),
        (wide, u64::MAX),
        (wide, 1 << 32),
    ] {
        let got = log(function, count, b"bad");
        s.expect(
            got.0[..8] == ffa::error(ffa::INVALID_PARAMETERS).0[..8],
            "FFA_CONSOLE_LOG with a bad count is not INVALID_PARAMETERS",
        );
    }
    None
}
