//! The architectural extensions, one file each: how it is found, what EL3 enables for whom, which
//! registers are switched, and why so.
//!
//! The rule: everything starts trapped, and what is not listed here stays so; an access from a lower
//! EL then becomes an UNDEFINED exception there ([`crate::context::undefined`]). What a world can
//! use of the *system* (translation, traps, virtualisation, authentication) both worlds get, and it
//! is switched; some of it the secure world gets on its first use ([`crate::context::live`]). What
//! *observes* a running program (trace, profiling, branch records, activity monitors) only the normal
//! world gets, and it stops at the door of the secure world; nothing of it has to be switched then.

use crate::context::{El3Regs, Feature, Features, IdRegs, SysRegs, World};
use core::fmt::{self, Write};

pub mod aarch32;
pub mod aie;
pub mod amu;
pub mod brbe;
pub mod csv2;
pub mod d128;
pub mod debug;
pub mod ecv;
pub mod fgt;
pub mod fpmr;
pub mod gcs;
pub mod gic;
pub mod hcx;
pub mod hdbss;
pub mod impdef;
pub mod ls64;
pub mod mpam;
pub mod mte;
pub mod nv2;
pub mod pauth;
pub mod pfar;
pub mod pie;
pub mod pmu;
pub mod pstate;
pub mod ras;
pub mod sctlr2;
pub mod sel2;
pub mod sme;
pub mod spe;
pub mod srmask;
pub mod step2;
pub mod sve;
pub mod tcr2;
pub mod the;
pub mod trace;
pub mod trf;
pub mod vhe;

/// One extension.
pub struct Extension {
    /// Its bit.
    pub feature: Feature,
    /// Its name for the boot message, without `FEAT_`; empty for what is no extension of its own.
    pub name: &'static str,
    /// Whether these ID registers announce it.
    pub present: fn(&IdRegs) -> bool,
    /// Opens what the world may use.
    pub el3: Option<fn(World, &mut El3Regs)>,
    /// The values a world first starts with, where zero would not do.
    pub first: Option<fn(&mut SysRegs)>,
    /// Sets up what EL3 owns of it, on each core when it comes on. CPTR_EL3 traps nothing then.
    pub init: Option<fn()>,
}

impl Extension {
    /// An extension that adds nothing but its registers in a bank.
    pub const fn new(feature: Feature, name: &'static str, present: fn(&IdRegs) -> bool) -> Self {
        Self {
            feature,
            name,
            present,
            el3: None,
            first: None,
            init: None,
        }
    }

    /// Adds what EL3 opens.
    pub const fn opens(self, el3: fn(World, &mut El3Regs)) -> Self {
        Self {
            el3: Some(el3),
            ..self
        }
    }

    /// Adds first values.
    pub const fn first(self, first: fn(&mut SysRegs)) -> Self {
        Self {
            first: Some(first),
            ..self
        }
    }

    /// Adds what EL3 sets up on each core.
    pub const fn init(self, init: fn()) -> Self {
        Self {
            init: Some(init),
            ..self
        }
    }
}

/// Writes, for the list of all extensions, the loops over it as straight-line code: the closures above
/// become the few instructions that they are, where a table of them would cost two calls' worth of
/// bytes for each.
macro_rules! extensions {
    ($($module:ident::$EXTENSION:ident,)*) => {
        /// All extensions.
        pub const EXTENSIONS: &[Extension] = &[$($module::$EXTENSION),*];

        /// What these ID registers announce.
        pub fn present(id: &IdRegs) -> Features {
            let mut features = Features::NONE;
            $(if ($module::$EXTENSION.present)(id) {
                features.insert($module::$EXTENSION.feature);
            })*
            features
        }

        /// Opens in EL3's registers what `world` may use of `features`.
        pub fn open(features: Features, world: World, el3: &mut El3Regs) {
            $(if let Some(open) = $module::$EXTENSION.el3
                && features.has($module::$EXTENSION.feature)
            {
                open(world, el3);
            })*
        }

        /// Sets the values that a world first starts with, where `features` want others than zero.
        pub fn first(features: Features, sys: &mut SysRegs) {
            $(if let Some(first) = $module::$EXTENSION.first
                && features.has($module::$EXTENSION.feature)
            {
                first(sys);
            })*
        }

        /// Sets up what EL3 owns of `features` on this core. CPTR_EL3 traps nothing then.
        pub fn init(features: Features) {
            $(if let Some(init) = $module::$EXTENSION.init
                && features.has($module::$EXTENSION.feature)
            {
                init();
            })*
        }
    };
}

extensions! {
    sel2::EL2,
    sel2::SEL2,
    impdef::EL1,
    impdef::EL2,
    aarch32::AA32,
    gic::GIC,
    gic::LR0_3,
    gic::LR4_7,
    gic::LR8_11,
    gic::LR12_15,
    gic::APR1,
    gic::APR2_3,
    pauth::PAUTH,
    vhe::VHE,
    ras::RAS,
    ras::RECORDS,
    fgt::FGT,
    fgt::FGT2,
    hcx::HCX,
    ecv::ECV,
    mte::MTE,
    csv2::CSV2_2,
    nv2::NV2,
    tcr2::TCR2,
    pie::S1PIE,
    pie::S1POE,
    pie::S2PIE,
    pie::S2POE,
    sctlr2::SCTLR2,
    gcs::GCS,
    the::THE,
    d128::D128,
    aie::AIE,
    pfar::PFAR,
    fpmr::FPMR,
    sve::EAGER_FP,
    sve::SVE,
    sme::SME,
    sme::TPIDR2,
    sme::SME2,
    sme::FA64,
    mpam::MPAM,
    amu::AMU,
    amu::AMU_V1P1,
    amu::HAFGRTR,
    pmu::PMU,
    pmu::EBEP,
    trf::TRF,
    trace::TRACE,
    trace::TRBE,
    spe::SPE,
    brbe::BRBE,
    debug::DEBUG_V8P9,
    step2::STEP2,
    ls64::ACCDATA,
    hdbss::HDBSS,
    hdbss::HACDBS,
    srmask::SRMASK,
    pstate::MOPS,
    pstate::PAN,
    pstate::NMI,
    pstate::RNG_TRAP,
    pstate::TWED,
    pstate::DIT,
}

/// The bytes that [`NAMES`] takes.
const NAMES_SIZE: usize = {
    let (mut size, mut i) = (0, 0);
    while i < EXTENSIONS.len() {
        size += 2 + EXTENSIONS[i].name.len();
        i += 1;
    }
    size
};

/// For the boot message: for each extension the number of its bit, the length of its name, its name.
static NAMES: [u8; NAMES_SIZE] = {
    let (mut names, mut at, mut i) = ([0; NAMES_SIZE], 0, 0);
    while i < EXTENSIONS.len() {
        let name = EXTENSIONS[i].name.as_bytes();
        names[at] = EXTENSIONS[i].feature as u8;
        names[at + 1] = name.len() as u8;
        let (_, rest) = names.split_at_mut(at + 2);
        let (to, _) = rest.split_at_mut(name.len());
        to.copy_from_slice(name);
        at += 2 + name.len();
        i += 1;
    }
    names
};

impl fmt::Display for Features {
    /// The extensions' names, separated by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut names, mut separator) = (NAMES.as_slice(), "");
        while let [feature, length, rest @ ..] = names {
            let Some((name, rest)) = rest.split_at_checked(usize::from(*length)) else {
                break;
            };
            if !name.is_empty() && self.has_number(*feature) {
                f.write_str(separator)?;
                separator = " ";
                for byte in name {
                    f.write_char(char::from(*byte))?;
                }
            }
            names = rest;
        }
        Ok(())
    }
}
