//! What Arm's older cores need at both ends of their power: whether a core takes part in coherency is a bit
//! of its own there (CPUECTLR_EL1.SMPEN). The AEMs and later cores do it by themselves.
//!
//! By the technical reference manuals of Cortex-A35 (100236), A53 (DDI 0500), A57 (DDI 0488), A72 (100095) and A73
//! (100048), chapters on power management.

/// CPUECTLR_EL1.
const SMPEN: u64 = 1 << 6;
/// Of A57 and A72: the distances of prefetches into the L2 cache, all ones after a reset, and the bit that
/// stops prefetches of descriptors.
const PREFETCH: u64 = 0b11 << 35 | 0b11 << 32;
const NO_WALK_PREFETCH: u64 = 1 << 38;

/// What a core has of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Nothing.
    Other,
    /// SMPEN.
    Smpen,
    /// And prefetches that must be stopped before the caches are cleaned.
    Prefetching,
}

impl Kind {
    /// By MIDR_EL1.
    const fn of(midr: u64) -> Self {
        const ARM: u64 = 0x41;
        match (midr >> 24 & 0xff, midr >> 4 & 0xfff) {
            // A53, A35, A73.
            (ARM, 0xd03 | 0xd04 | 0xd09) => Self::Smpen,
            // A57, A72.
            (ARM, 0xd07 | 0xd08) => Self::Prefetching,
            _ => Self::Other,
        }
    }

    fn here() -> Self {
        #[cfg(target_arch = "aarch64")]
        {
            let midr;
            // SAFETY: reads a register.
            unsafe {
                core::arch::asm!("mrs {}, midr_el1", out(reg) midr, options(nomem, nostack, preserves_flags));
            }
            Self::of(midr)
        }
        #[cfg(not(target_arch = "aarch64"))]
        Self::of(0)
    }
}

/// Clears and sets bits of CPUECTLR_EL1; done when this returns.
fn change(clear: u64, set: u64) {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: only called where `Kind` says that the core has the register, for bits that change no result
    // of an instruction.
    unsafe {
        core::arch::asm!(
            "mrs {value}, S3_1_C15_C2_1",
            "bic {value}, {value}, {clear}",
            "orr {value}, {value}, {set}",
            "msr S3_1_C15_C2_1, {value}",
            "isb",
            "dsb sy",
            value = out(reg) _,
            clear = in(reg) clear,
            set = in(reg) set,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "aarch64"))]
    let _ = (clear, set);
}

/// This core takes part in coherency: before its data cache is on.
pub fn join() {
    match Kind::here() {
        Kind::Other => {}
        Kind::Smpen => change(0, SMPEN),
        // All of it, for a core that kept its power.
        Kind::Prefetching => change(NO_WALK_PREFETCH, SMPEN | PREFETCH),
    }
}

/// Nothing is fetched on suspicion any more: before the caches are cleaned.
pub fn stop_prefetch() {
    if Kind::here() == Kind::Prefetching {
        change(PREFETCH, NO_WALK_PREFETCH);
    }
}

/// This core, whose data cache is off and clean, takes no part in coherency any more.
pub fn leave() {
    if Kind::here() != Kind::Other {
        change(SMPEN, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores() {
        for (midr, kind) in [
            (0x410f_d083, Kind::Prefetching),
            (0x411f_d072, Kind::Prefetching),
            (0x410f_d034, Kind::Smpen),
            // The AEM; Neoverse N1; another company's.
            (0x410f_d0f0, Kind::Other),
            (0x413f_d0c1, Kind::Other),
            (0x420f_d080, Kind::Other),
        ] {
            assert_eq!(Kind::of(midr), kind, "{midr:#x}");
        }
    }
}
