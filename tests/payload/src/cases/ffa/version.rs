//! Cases about FFA_VERSION: the version is negotiated before the first other call, and does not change afterwards.

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

/// Skips a case if there is no FF-A: the cases here run before that is known.
fn there() -> Outcome {
    if version(0x1_0000) == ffa::NOT_SUPPORTED as u32 {
        skip!("no FF-A in this boot");
    }
    Ok(())
}

/// A value with bit 31 set is no version. The answer is NOT_SUPPORTED in w0, and not FFA_ERROR.
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

/// All cores ask again and again at the same time, each for another version. Each gets the answer to its own question,
/// with x1-x17 as if it were alone.
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

/// The version can change until another function is called.
fn renegotiate() -> Outcome {
    there()?;
    for asked in [0x1_0000, 0x1_0001, 0x1_0002, 0x1_0000, 0x1_0002] {
        let got = version(asked);
        ensure!(got >> 16 == 1, "FFA_VERSION({asked:#x}) said {got:#x}");
    }
    Ok(())
}

/// The answer is the SPMC's version in w0, with w1-w7 zero and x8-x17 unchanged, on every core.
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

/// After another call, asking for a lower version changes nothing: x8-x17 still cross.
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
