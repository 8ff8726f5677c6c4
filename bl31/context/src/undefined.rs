//! Turns a trap of a lower EL into an UNDEFINED exception there, as if the CPU did not have the instruction.
//!
//! The exception is entered as the architecture does it (DDI0487, AArch64.TakeException): from EL2
//! to EL2, from EL1 and EL0 to EL1, from EL0 to EL2 if HCR_EL2.TGE is set. An AArch32 EL1 enters its
//! Undefined mode.

use super::sysreg::{
    ELR_EL1, ELR_EL2, ELR_EL3, ESR_EL1, ESR_EL2, HCR_EL2, SCR_EL3, SCTLR_EL1, SCTLR_EL2, SPSR_EL1,
    SPSR_EL2, SPSR_EL3, SPSR_UND, VBAR_EL1, VBAR_EL2,
};
use super::{Feature, Features};
use crate::cpu_ext::gcs::{GCSCR_EL1, GCSCR_EL2};

/// ESR_ELx of an UNDEFINED exception: exception class 0 (unknown reason), a 32-bit instruction.
const ESR_UNKNOWN: u64 = 1 << 25;

/// Bits of SPSR_ELx.
mod spsr {
    pub const M_MASK: u64 = 0xf;
    pub const AARCH32: u64 = 1 << 4;
    pub const EL1H: u64 = 5;
    pub const EL2H: u64 = 9;
    pub const DAIF: u64 = 0xf << 6;
    pub const BTYPE: u64 = 3 << 10;
    pub const SSBS: u64 = 1 << 12;
    pub const ALLINT: u64 = 1 << 13;
    pub const IL: u64 = 1 << 20;
    pub const SS: u64 = 1 << 21;
    pub const PAN: u64 = 1 << 22;
    pub const UAO: u64 = 1 << 23;
    pub const DIT: u64 = 1 << 24;
    pub const TCO: u64 = 1 << 25;
    pub const PM: u64 = 1 << 32;
    pub const EXLOCK: u64 = 1 << 34;
    pub const PACM: u64 = 1 << 35;
    /// AArch32: the mode.
    pub const MODE32: u64 = 0x1f;
    pub const UND: u64 = 0x1b;
    pub const T: u64 = 1 << 5;
    pub const I: u64 = 1 << 7;
    pub const E: u64 = 1 << 9;
    /// `IT[1:0]` and `IT[7:2]`.
    pub const IT: u64 = 3 << 25 | 0x3f << 10;
}

/// The controls of the target EL that an exception's PSTATE depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Controls {
    /// SCTLR_EL1 or SCTLR_EL2.
    pub sctlr: u64,
    /// HCR_EL2; zero if EL2 is not enabled in the world's Security state.
    pub hcr: u64,
    /// GCSCR_EL1 or GCSCR_EL2; zero without FEAT_GCS.
    pub gcscr: u64,
}

impl Controls {
    /// Reads those of EL `target`, 1 or 2, of the world whose registers are in the CPU. `features` are this core's.
    pub fn read(features: Features, target: u8, hcr: u64) -> Self {
        let gcs = features.has(Feature::GCS);
        if target == 2 {
            Self {
                sctlr: SCTLR_EL2::read(),
                hcr,
                gcscr: if gcs { GCSCR_EL2::read() } else { 0 },
            }
        } else {
            Self {
                sctlr: SCTLR_EL1::read(),
                hcr,
                gcscr: if gcs { GCSCR_EL1::read() } else { 0 },
            }
        }
    }
}

/// Returns the EL, 1 or 2, that takes an UNDEFINED exception of a core with this SPSR.
fn target_el(spsr: u64, hcr: u64) -> u8 {
    const TGE: u64 = 1 << 27;
    let from = crate::spsr::el(spsr);
    match from {
        2 => 2,
        0 if hcr & TGE != 0 => 2,
        _ => 1,
    }
}

/// Returns the offset of the synchronous vector for an exception from `spsr` to the AArch64 EL `target`.
fn vector_offset(spsr: u64, target: u8) -> u64 {
    let same = match target {
        2 => spsr & 0x1c == 8,
        _ => spsr & 0x1c == 4,
    };
    match (same, spsr & spsr::AARCH32) {
        (true, _) if spsr & 1 == 0 => 0,
        (true, _) => 0x200,
        (false, 0) => 0x400,
        (false, _) => 0x600,
    }
}

/// Returns PSTATE after the exception is taken to the AArch64 EL `target`, as an SPSR value.
pub fn new_pstate(features: Features, old: u64, target: u8, controls: Controls) -> u64 {
    /// HCR_EL2.{E2H, TGE}.
    const HOST: u64 = 1 << 34 | 1 << 27;
    const SPAN: u64 = 1 << 23;
    const DSSBS: u64 = 1 << 44;
    const SPINTMASK: u64 = 1 << 62;
    const EXLOCKEN: u64 = 1 << 6;
    let sctlr = controls.sctlr;

    // NZCV, DIT and unknown bits stay. An AArch32 PSTATE shares only NZCV, DIT and PAN with this one.
    let mut new = match old & spsr::AARCH32 {
        0 => old,
        _ => old & (0xf << 28 | spsr::DIT | spsr::PAN),
    };
    new &= !(spsr::M_MASK
        | spsr::AARCH32
        | spsr::BTYPE
        | spsr::SSBS
        | spsr::ALLINT
        | spsr::IL
        | spsr::SS
        | spsr::UAO
        | spsr::EXLOCK
        | spsr::PACM);
    new |= spsr::DAIF | if target == 2 { spsr::EL2H } else { spsr::EL1H };
    if sctlr & DSSBS != 0 {
        new |= spsr::SSBS;
    }
    let host = target == 1 || controls.hcr & HOST == HOST;
    if host && sctlr & SPAN == 0 && features.has(Feature::PAN) {
        new |= spsr::PAN;
    }
    if features.has(Feature::MTE) {
        new |= spsr::TCO;
    }
    if features.has(Feature::NMI) && sctlr & SPINTMASK == 0 {
        new |= spsr::ALLINT;
    }
    if features.has(Feature::EBEP) {
        new |= spsr::PM;
    }
    let same_el = old & spsr::AARCH32 == 0 && old >> 2 & 3 == u64::from(target);
    if features.has(Feature::GCS) && same_el && controls.gcscr & EXLOCKEN != 0 {
        new |= spsr::EXLOCK;
    }
    new
}

/// Returns PSTATE after the exception is taken to the Undefined mode of an AArch32 EL1, as an SPSR value.
fn new_pstate32(old: u64, sctlr: u64) -> u64 {
    const EE: u64 = 1 << 25;
    const TE: u64 = 1 << 30;
    const SPAN: u64 = 1 << 23;
    const DSSBS: u64 = 1 << 31;
    let mut new = old & !(spsr::MODE32 | spsr::T | spsr::E | spsr::IT | spsr::IL | spsr::SS);
    new &= !spsr::UAO;
    new |= spsr::UND | spsr::I;
    if sctlr & EE != 0 {
        new |= spsr::E;
    }
    if sctlr & TE != 0 {
        new |= spsr::T;
    }
    if sctlr & SPAN == 0 {
        new |= spsr::PAN;
    }
    // SSBS is bit 23 of an AArch32 PSTATE.
    if sctlr & DSSBS != 0 {
        new |= spsr::UAO;
    }
    new
}

/// Returns SPSR_EL1 for an exception of a core with this SPSR to AArch64 EL1. A nested hypervisor runs at EL1 but is to
/// see EL2: SPSR_EL1 then says that the exception came from EL2 (FEAT_NV, FEAT_NV2).
fn spsr_at_el1(old: u64, hcr: u64) -> u64 {
    const NV: u64 = 1 << 42;
    const NV1: u64 = 1 << 43;
    const NV2: u64 = 1 << 45;
    const ALL: u64 = NV | NV1 | NV2;
    let nested = matches!(hcr & ALL, NV | ALL);
    match old & (spsr::AARCH32 | 0xc) {
        4 if nested => old & !0xc | 8,
        _ => old,
    }
}

/// Makes the world whose registers are in the CPU take an UNDEFINED exception at the instruction in
/// ELR_EL3 when it goes on. `features` are this core's, `gpr` the world's x0 to x30.
pub(super) fn inject(features: Features, gpr: &mut [u64; 31]) {
    const SCR_NS: u64 = 1;
    const SCR_EEL2: u64 = 1 << 18;
    /// HCR_EL2.RW.
    const RW: u64 = 1 << 31;

    let (elr, old) = (ELR_EL3::read(), SPSR_EL3::read());
    let el2 = features.has(Feature::EL2) && SCR_EL3::read() & (SCR_NS | SCR_EEL2) != 0;
    let hcr = if el2 { HCR_EL2::read() } else { 0 };
    let target = target_el(old, hcr);

    let (pc, pstate) = if target == 2 {
        let controls = Controls::read(features, 2, hcr);
        ELR_EL2::write(elr);
        SPSR_EL2::write(old);
        ESR_EL2::write(ESR_UNKNOWN);
        let pc = VBAR_EL2::read().wrapping_add(vector_offset(old, 2));
        (pc, new_pstate(features, old, 2, controls))
    } else if old & spsr::AARCH32 != 0 && el2 && hcr & RW == 0 {
        // x22 holds LR_und.
        let (base, sctlr) = (VBAR_EL1::read(), SCTLR_EL1::read());
        const HIGH_VECTORS: u64 = 1 << 13;
        let base = if sctlr & HIGH_VECTORS != 0 {
            0xffff_0000
        } else {
            base & 0xffff_ffff
        };
        gpr[22] = elr.wrapping_add(if old & spsr::T != 0 { 2 } else { 4 }) & 0xffff_ffff;
        // In SPSR_und, DIT is bit 21, which is SS in SPSR_EL3.
        SPSR_UND::write(old & !(spsr::SS | spsr::DIT) | (old & spsr::DIT) >> 3);
        (base + 4, new_pstate32(old, sctlr))
    } else {
        let controls = Controls::read(features, 1, hcr);
        ELR_EL1::write(elr);
        SPSR_EL1::write(spsr_at_el1(old, hcr));
        ESR_EL1::write(ESR_UNKNOWN);
        let pc = VBAR_EL1::read().wrapping_add(vector_offset(old, 1));
        (pc, new_pstate(features, old, 1, controls))
    };
    // SAFETY: the ERET goes to a mode of EL1 or EL2 that this world has.
    unsafe {
        ELR_EL3::write(pc);
        SPSR_EL3::write(pstate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TGE: u64 = 1 << 27;

    #[test]
    fn the_target_is_where_the_architecture_takes_it() {
        for (spsr, hcr, target) in [
            (0x3c9, 0, 2),   // EL2h
            (0x3c8, TGE, 2), // EL2t
            (0x3c5, 0, 1),   // EL1h
            (0x3c5, TGE, 1),
            (0x3c4, 0, 1), // EL1t
            (0x000, 0, 1), // EL0
            (0x000, TGE, 2),
            (0x010, 0, 1), // AArch32 user
            (0x010, TGE, 2),
            (0x013, 0, 1), // AArch32 supervisor
            (0x01a, 0, 2), // AArch32 Hyp
            (0x01b, 0, 1),
        ] {
            assert_eq!(target_el(spsr, hcr), target, "{spsr:#x}");
        }
    }

    #[test]
    fn a_nested_hypervisor_is_told_that_it_was_at_el2() {
        let (nv, nv1, nv2) = (1 << 42, 1 << 43, 1 << 45);
        for (old, hcr, told) in [
            (0x3c5, 0, 0x3c5),
            (0x3c5, nv, 0x3c9),
            (0x3c4, nv, 0x3c8),
            (0x3c5, nv | nv1, 0x3c5),
            (0x3c5, nv | nv2, 0x3c5),
            (0x3c5, nv | nv1 | nv2, 0x3c9),
            (0x3c5, nv1, 0x3c5),
            (0x000, nv, 0x000), // from EL0
            (0x013, nv, 0x013), // from AArch32
        ] {
            assert_eq!(spsr_at_el1(old, hcr), told, "{old:#x} {hcr:#x}");
        }
    }

    #[test]
    fn the_vector_says_where_it_came_from() {
        for (spsr, target, offset) in [
            (0x3c9, 2, 0x200),
            (0x3c8, 2, 0x000),
            (0x3c5, 1, 0x200),
            (0x3c4, 1, 0x000),
            (0x000, 1, 0x400),
            (0x000, 2, 0x400),
            (0x010, 1, 0x600),
            (0x010, 2, 0x600),
        ] {
            assert_eq!(vector_offset(spsr, target), offset, "{spsr:#x}");
        }
    }

    #[test]
    fn pstate_of_the_handler() {
        let none = Features::NONE;
        // From EL0 with flags, to EL1h, all masked.
        assert_eq!(
            new_pstate(none, 0xf000_0000, 1, Controls::default()),
            0xf000_03c5
        );
        assert_eq!(
            new_pstate(none, 0x6000_0009, 2, Controls::default()),
            0x6000_03c9
        );
        // IL, SS, BTYPE and UAO end; DIT stays.
        let old = spsr::IL | spsr::SS | spsr::BTYPE | spsr::UAO | 1 << 24 | 5;
        assert_eq!(
            new_pstate(none, old, 1, Controls::default()),
            1 << 24 | 0x3c5
        );
        // From AArch32: NZCV and DIT stay; IT, GE and Q mean nothing.
        assert_eq!(
            new_pstate(none, 0xff0f_fc10, 1, Controls::default()),
            0xf100_03c5
        );
    }

    #[test]
    fn pstate_follows_the_controls() {
        let all = Features::of(&[
            Feature::PAN,
            Feature::MTE,
            Feature::NMI,
            Feature::EBEP,
            Feature::GCS,
        ]);
        let with = |target: u64, controls| new_pstate(all, target * 4 + 1, target as u8, controls);
        let zero = with(1, Controls::default());
        assert_eq!(
            zero,
            spsr::PAN | spsr::TCO | spsr::ALLINT | spsr::PM | 0x3c5
        );
        let sctlr = 1 << 23 | 1 << 44 | 1 << 62;
        let set = with(
            1,
            Controls {
                sctlr,
                gcscr: 1 << 6,
                ..Controls::default()
            },
        );
        assert_eq!(
            set,
            spsr::SSBS | spsr::TCO | spsr::PM | spsr::EXLOCK | 0x3c5
        );
        // PAN is set at EL2 only if EL2 hosts EL0.
        assert_eq!(with(2, Controls::default()) & spsr::PAN, 0);
        let host = Controls {
            hcr: 1 << 34 | TGE,
            ..Controls::default()
        };
        assert_ne!(with(2, host) & spsr::PAN, 0);
    }

    #[test]
    fn undefined_mode_of_aarch32() {
        // From Thumb user mode in an IT block, big-endian.
        let old = 0xf000_0000 | spsr::IT | spsr::T | spsr::E | 0x10;
        assert_eq!(
            new_pstate32(old, 1 << 23),
            0xf000_0000 | spsr::I | spsr::UND
        );
        let sctlr = 1 << 25 | 1 << 30 | 1 << 31;
        let new = 0x1000_0000 | spsr::I | spsr::UND | spsr::E | spsr::T | spsr::PAN | 1 << 23;
        assert_eq!(new_pstate32(0x1000_0010, sctlr), new);
    }
}
