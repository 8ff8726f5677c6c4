//! SMCCC (DEN0028): the Arm Architecture service, the general queries, TRNG (DEN0098), errata management
//! (DEN0100), and the owner of an unknown function.

use super::{Regs, Words, error, function_name, hex, version};
use janus_arm::SMC64;
use smccc::arch::{
    SMCCC_ARCH_FEATURES, SMCCC_ARCH_SOC_ID, SMCCC_ARCH_WORKAROUND_1, SMCCC_ARCH_WORKAROUND_2,
    SMCCC_ARCH_WORKAROUND_3, SMCCC_VERSION,
};
use std::borrow::Cow;

// The crate `smccc` does not have these.
const ARCH_FEATURE_AVAILABILITY: u32 = 0x8000_0003;
const ARCH_WORKAROUND_4: u32 = 0x8000_0004;
const TRNG_VERSION: u32 = 0x8400_0050;
const TRNG_FEATURES: u32 = 0x8400_0051;
const TRNG_GET_UUID: u32 = 0x8400_0052;
const TRNG_RND: u32 = 0x8400_0053;
const LFA: [&str; 7] = [
    "LFA_VERSION",
    "LFA_FEATURES",
    "LFA_GET_INFO",
    "LFA_GET_INVENTORY",
    "LFA_PRIME",
    "LFA_ACTIVATE",
    "LFA_CANCEL",
];
/// The first of them.
const LFA_VERSION: u32 = 0xc400_02e0;
const EM_VERSION: u32 = 0x8400_00f0;
const EM_FEATURES: u32 = 0x8400_00f1;
const EM_CPU_ERRATUM_FEATURES: u32 = 0x8400_00f2;

/// How an argument or a result is shown.
#[derive(Clone, Copy)]
enum As {
    Number,
    Hex,
    Function,
}

/// What is known of a function: its name and the name of x1.
fn known(id: u32) -> Option<(&'static str, Option<(&'static str, As)>)> {
    Some(match id & !SMC64 {
        _ if id == SMCCC_VERSION => ("SMCCC_VERSION", None),
        _ if id == SMCCC_ARCH_FEATURES => ("SMCCC_ARCH_FEATURES", Some(("asked", As::Function))),
        SMCCC_ARCH_SOC_ID => ("SMCCC_ARCH_SOC_ID", Some(("type", As::Number))),
        ARCH_FEATURE_AVAILABILITY => (
            "SMCCC_ARCH_FEATURE_AVAILABILITY",
            Some(("register", As::Hex)),
        ),
        _ if id == ARCH_WORKAROUND_4 => ("SMCCC_ARCH_WORKAROUND_4", None),
        _ if id == SMCCC_ARCH_WORKAROUND_1 => ("SMCCC_ARCH_WORKAROUND_1", None),
        _ if id == SMCCC_ARCH_WORKAROUND_2 => {
            ("SMCCC_ARCH_WORKAROUND_2", Some(("enable", As::Number)))
        }
        _ if id == SMCCC_ARCH_WORKAROUND_3 => ("SMCCC_ARCH_WORKAROUND_3", None),
        _ if id == TRNG_VERSION => ("TRNG_VERSION", None),
        _ if id == TRNG_FEATURES => ("TRNG_FEATURES", Some(("asked", As::Function))),
        _ if id == TRNG_GET_UUID => ("TRNG_GET_UUID", None),
        TRNG_RND => ("TRNG_RND", Some(("bits", As::Number))),
        _ if id == EM_VERSION => ("EM_VERSION", None),
        _ if id == EM_FEATURES => ("EM_FEATURES", Some(("asked", As::Function))),
        _ if id == EM_CPU_ERRATUM_FEATURES => {
            ("EM_CPU_ERRATUM_FEATURES", Some(("erratum", As::Number)))
        }
        _ => return lfa(id),
    })
}

fn is_lfa(id: u32) -> bool {
    id.wrapping_sub(LFA_VERSION) < LFA.len() as u32
}

/// A status of live firmware activation.
fn lfa_status(x0: u64) -> Option<&'static str> {
    Some(match x0 as i64 {
        0 => "SUCCESS",
        -1 => "NOT_SUPPORTED",
        -2 => "BUSY",
        -3 => "AUTH_ERROR",
        -4 => "NO_MEMORY",
        -5 => "CRITICAL_ERROR",
        -6 => "DEVICE_ERROR",
        -7 => "WRONG_STATE",
        -8 => "INVALID_PARAMETERS",
        -9 => "COMPONENT_WRONG_STATE",
        -10 => "INVALID_ADDRESS",
        -11 => "ACTIVATION_FAILED",
        _ => return None,
    })
}

/// Live firmware activation (DEN0147).
fn lfa(id: u32) -> Option<(&'static str, Option<(&'static str, As)>)> {
    let number = id.wrapping_sub(LFA_VERSION);
    let name = LFA.get(number as usize)?;
    let x1 = match number {
        0 => None,
        1 => Some(("asked", As::Function)),
        2 => Some(("selector", As::Number)),
        _ => Some(("component", As::Number)),
    };
    Some((name, x1))
}

/// The service that a function ID belongs to (SMCCC, table 6-1).
fn owner(id: u32) -> Option<&'static str> {
    Some(match id >> 24 & 0x3f {
        0 => "Arm Architecture service",
        1 => "CPU service",
        2 => "SiP",
        3 => "OEM",
        4 => "Standard Secure service",
        5 => "Standard Hypervisor service",
        6 => "Vendor Hypervisor service",
        7 => "Vendor EL3 monitor",
        0x30 | 0x31 => "Trusted Application",
        0x32..=0x3f => "Trusted OS",
        _ => return None,
    })
}

/// Decodes a call, if it has a name here.
pub fn call(regs: &Regs) -> Option<Words> {
    let id = regs[0] as u32;
    let general = match id & 0xffff {
        0xff00 => "call count",
        0xff01 => "call UID",
        0xff03 => "revision",
        _ => "",
    };
    if !general.is_empty()
        && id >> 31 != 0
        && let Some(owner) = owner(id)
    {
        return Some(Words::named(format!("{owner}: {general}")));
    }
    let (name, argument) = known(id)?;
    let wide = id & SMC64 != 0;
    let mut words = Words::named(if wide {
        Cow::Owned(format!("{name}_64"))
    } else {
        name.into()
    });
    if let Some((name, how)) = argument {
        let value = if wide { regs[1] } else { regs[1] & 0xffff_ffff };
        words.field(
            name,
            match how {
                As::Number => value.to_string(),
                As::Hex => format!("{value:#x}"),
                As::Function => function_name(value as u32).into_owned(),
            },
        );
    }
    Some(words)
}

/// The answer to such a call.
pub fn answer(to: &Regs, regs: &Regs) -> Option<Words> {
    let id = to[0] as u32;
    known(id)?;
    let w0 = regs[0] as u32 as i32;
    let trng = matches!(id & !SMC64, TRNG_VERSION..=TRNG_RND);
    let errata = matches!(id, EM_VERSION..=EM_CPU_ERRATUM_FEATURES);
    if is_lfa(id)
        && let Some(name) = lfa_status(regs[0])
    {
        if w0 < 0 {
            return Some(error(name));
        }
        let mut words = Words::named(name);
        if matches!(id.wrapping_sub(LFA_VERSION), 4 | 5) {
            words.field("again", regs[1].to_string());
        }
        return Some(words);
    }
    Some(match (w0, id & !SMC64) {
        (-1, _) => error("NOT_SUPPORTED"),
        (-2, _) if trng || errata => error("INVALID_PARAMETERS"),
        (-3, _) if trng => error("NO_ENTROPY"),
        (-3, EM_CPU_ERRATUM_FEATURES) => error("UNKNOWN_ERRATUM"),
        (-2, _) if id >> 24 & 0x3f == 0 => error("NOT_REQUIRED"),
        (-3, _) if id >> 24 & 0x3f == 0 => error("INVALID_PARAMETER"),
        (0, EM_CPU_ERRATUM_FEATURES) => Words::named("MITIGATED_AT_A_HIGHER_EL"),
        (1, EM_CPU_ERRATUM_FEATURES) => Words::named("AFFECTED"),
        (2, EM_CPU_ERRATUM_FEATURES) => Words::named("NOT_AFFECTED"),
        _ if id == LFA_VERSION => Words::named(version(w0 as u32)),
        (_, SMCCC_VERSION | TRNG_VERSION | EM_VERSION) => Words::named(version(w0 as u32)),
        (0, SMCCC_ARCH_FEATURES | TRNG_FEATURES | EM_FEATURES) => Words::named("SUCCESS"),
        (0, ARCH_FEATURE_AVAILABILITY) => {
            let mut words = Words::named("SUCCESS");
            words.field("bits", format!("{:#x}", regs[1]));
            words
        }
        // The entropy itself is secret, so it is not shown.
        (0, TRNG_RND) => Words::named("SUCCESS"),
        (_, TRNG_GET_UUID) => {
            let mut bytes = [0; 16];
            for (chunk, value) in bytes.chunks_mut(4).zip(regs) {
                chunk.copy_from_slice(&(*value as u32).to_le_bytes());
            }
            Words::named(super::uuid(&bytes))
        }
        _ => Words::named(hex(regs[0]
            & if id & SMC64 != 0 {
                u64::MAX
            } else {
                0xffff_ffff
            })),
    })
}

/// Returns a name for an unknown function.
pub fn unknown(id: u32) -> Cow<'static, str> {
    match owner(id) {
        Some(owner) if id >> 31 != 0 && id != u32::MAX => format!("{owner} {id:#x}").into(),
        _ => format!("{id:#x}").into(),
    }
}
