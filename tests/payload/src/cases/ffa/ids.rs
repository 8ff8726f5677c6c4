//! Cases about FFA_ID_GET, FFA_SPM_ID_GET and FFA_FEATURES, called by both worlds.

use crate::ensure_eq;
use crate::framework::case::{Case, Outcome};
use crate::framework::regs::Regs;
use crate::framework::spmc::{self, Secure};
use crate::framework::{config, cores, ffa};

pub const CASES: &[Case] = &[
    Case::new("ffa/ids", ids_normal).secure(ids_secure),
    Case::new("ffa/features", features_normal).secure(features_secure),
];

/// Sends a direct request, on which the SPMC makes its own calls and checks them.
fn ask_spmc() -> Outcome {
    let got = ffa::call(ffa::DIRECT_REQ, &[ffa::route(0, ffa::SPMC)]);
    ensure_eq!(
        got.function(),
        ffa::DIRECT_RESP,
        "answer to a direct request"
    );
    Ok(())
}

fn ids_normal() -> Outcome {
    cores::on_each(|_| {
        let id = ffa::call(ffa::ID_GET, &[]);
        ensure_eq!(id.function(), ffa::SUCCESS, "FFA_ID_GET");
        ensure_eq!(id.x(2), ffa::HYPERVISOR, "the hypervisor's ID");
        // Version 1.0 does not have it.
        let spm = ffa::call(ffa::SPM_ID_GET, &[]);
        if config::ffa_version() > 0x1_0000 {
            ensure_eq!(spm.function(), ffa::SUCCESS, "FFA_SPM_ID_GET");
            ensure_eq!(spm.x(2), ffa::SPMC, "the SPMC's ID");
        } else if config::is_janus() {
            ffa::expect_error(&spm, ffa::NOT_SUPPORTED, "FFA_SPM_ID_GET at version 1.0")?;
        }
        ask_spmc()
    })
}

fn ids_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    if message.function() == ffa::DIRECT_REQ {
        let id = ffa::call(ffa::ID_GET, &[]);
        s.expect_eq(id.x(0), u64::from(ffa::SUCCESS), "FFA_ID_GET");
        s.expect_eq(id.x(2), ffa::SPMC, "the SPMC's own ID");
        let spm = ffa::call(ffa::SPM_ID_GET, &[]);
        if spmc::version() == 0x1_0000 {
            return None;
        }
        s.expect_eq(spm.x(0), u64::from(ffa::SUCCESS), "FFA_SPM_ID_GET");
        s.expect_eq(spm.x(2), ffa::SPMD, "the SPMD's ID");
    }
    None
}

/// A feature that the SPMC of this case reports, and its properties.
const FEATURE: u32 = ffa::RXTX_MAP;
const PROPERTIES: [u64; 2] = [0x1234_5678, 0x9abc_def0];

/// The SPMC answers the normal world's FFA_FEATURES, with properties and errors.
fn features_normal() -> Outcome {
    cores::on_each(|_| {
        let got = ffa::call(ffa::FEATURES, &[u64::from(FEATURE)]);
        ensure_eq!(got.function(), ffa::SUCCESS, "FFA_FEATURES(FFA_RXTX_MAP)");
        ensure_eq!(got.x(2), PROPERTIES[0], "w2 of FFA_FEATURES(FFA_RXTX_MAP)");
        ensure_eq!(got.x(3), PROPERTIES[1], "w3 of FFA_FEATURES(FFA_RXTX_MAP)");
        let got = ffa::call(ffa::FEATURES, &[u64::from(ffa::MSG_POLL)]);
        ffa::expect_error(&got, ffa::NOT_SUPPORTED, "FFA_FEATURES(FFA_MSG_POLL)")?;
        ask_spmc()
    })
}

fn features_secure(s: &Secure, message: &Regs) -> Option<Regs> {
    match message.function() {
        ffa::FEATURES if message.w(1) == FEATURE => Some(ffa::request(
            ffa::SUCCESS,
            &[0, PROPERTIES[0], PROPERTIES[1]],
        )),
        ffa::FEATURES => Some(ffa::error(ffa::NOT_SUPPORTED)),
        ffa::DIRECT_REQ => {
            // The calls that EL3 offers to its SPMC.
            for id in [
                ffa::ERROR,
                ffa::SUCCESS,
                ffa::VERSION,
                ffa::FEATURES,
                ffa::ID_GET,
                ffa::MSG_WAIT,
                ffa::DIRECT_RESP,
            ] {
                let got = ffa::call(ffa::FEATURES, &[u64::from(id)]);
                s.expect_eq(got.x(0), u64::from(ffa::SUCCESS), ffa::name(id));
            }
            // The C BL31 claims all of these.
            for id in [ffa::MSG_POLL, ffa::RXTX_MAP, ffa::MEM_PERM_GET, 0x8400_00a0]
                .into_iter()
                .filter(|_| config::is_janus())
            {
                let got = ffa::call(ffa::FEATURES, &[u64::from(id)]);
                s.expect_eq(
                    got.x(2),
                    u64::from(ffa::NOT_SUPPORTED as u32),
                    ffa::name(id),
                );
            }
            None
        }
        _ => None,
    }
}
