//! FFA_VERSION: negotiation before the first other call, and never after.

use crate::arch::smc;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::{config, cores, ffa, spmc};
use crate::{ensure, ensure_eq, skip};

pub const CASES: &[Case] = &[
    Case::new("ffa/version-bad", bad).needs(Needs::FIRST),
    Case::new("ffa/version-race", race).needs(Needs::FIRST.union(Needs::CORES)),
    Case::new("ffa/version-renegotiate", renegotiate).needs(Needs::FIRST),
    Case::new("ffa/version-answer", answer),
    Case::new("ffa/version-fixed", fixed).needs(Needs::V1_2),
];

fn version(asked: u32) -> u32 {
    ffa::call(ffa::VERSION, &[u64::from(asked)]).function()
}

/// These run before anybody knows whether there is FF-A at all.
fn there() -> Outcome {
    if version(0x1_0000) == ffa::NOT_SUPPORTED as u32 {
        skip!("no FF-A in this boot");
    }
    Ok(())
}

/// Bit 31 set is not a version; the answer has no FFA_ERROR form.
fn bad() -> Outcome {
    for asked in [0x8000_0000, 0x8001_0002, 0xffff_ffff] {
        ensure_eq!(
            version(asked),
            ffa::NOT_SUPPORTED as u32,
            "FFA_VERSION({asked:#x})"
        );
    }
    Ok(())
}

/// All cores ask at once, each for another version, again and again: each gets the answer to what
/// it asked, and x1-x17 are as for one core.
fn race() -> Outcome {
    there()?;
    cores::on_each(|n| {
        for round in 0..100 {
            let asked = 0x1_0000 + (n as u32 + round) % 4;
            let got = version(asked);
            ensure!(got >> 16 == 1, "FFA_VERSION({asked:#x}) said {got:#x}");
        }
        Ok(())
    })
}

/// Until another call, the version can change.
fn renegotiate() -> Outcome {
    there()?;
    for asked in [0x1_0000, 0x1_0001, 0x1_0002, 0x1_0000, 0x1_0002] {
        let got = version(asked);
        ensure!(got >> 16 == 1, "FFA_VERSION({asked:#x}) said {got:#x}");
    }
    Ok(())
}

/// The SPMC's version in w0, w1-w7 zero, x8-x17 as they were; from every core.
fn answer() -> Outcome {
    cores::on_each(|n| {
        let mut regs = ffa::request(ffa::VERSION, &[u64::from(config::ffa_version())]);
        for i in 2..18 {
            regs.0[i] = 0xabcd_0000_0000_0000 + ((n as u64) << 32) + i as u64;
        }
        let got = smc::call(regs);
        ensure_eq!(got.function(), spmc::version(), "FFA_VERSION");
        for i in 1..8 {
            ensure_eq!(got.x(i), 0, "x{i} after FFA_VERSION");
        }
        for i in 8..18 {
            ensure_eq!(got.x(i), regs.x(i), "x{i} after FFA_VERSION");
        }
        Ok(())
    })
}

/// After another call a lower version changes nothing: x8-x17 still go across.
fn fixed() -> Outcome {
    version(0x1_0000);
    let mut request = ffa::request(ffa::DIRECT_REQ | ffa::SMC64, &[ffa::route(0, ffa::SPMC)]);
    request.0[17] = 0x1717;
    let got = smc::call(request);
    ensure_eq!(
        got.x(17),
        0x1717,
        "x17 of an echoed request after FFA_VERSION(1.0)"
    );
    Ok(())
}
