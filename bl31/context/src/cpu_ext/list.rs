//! The list of all extensions: one line for each file in this folder.
//!
//! The list has names alone. [`super`] and other uses of [`every_extension!`] make code from them.

/// Passes all extensions, as `file: DECLARATION, …;`, to a macro after its own arguments.
///
/// Extensions with registers to switch come first: those that are switched at once, those that the secure world opens
/// by using them, the rare ones. A bank keeps its registers in this order, so that what a switch exchanges lies together,
/// and a switch has bits for the first `SWITCHED` extensions only (a test fails if a line is too far down).
macro_rules! every_extension {
    ($with:ident! $arguments:tt) => {
        $crate::cpu_ext::list::and_made_up! {
            $with $arguments
            sel2: EL2, SEL2;
            ras: RAS, RAS_RECORDS, RAS_NO_RECORDS, IESB;
            aarch32: AA32_EL1, SPSR_AA32;
            vhe: VHE;
            nv2: NV2;
            gic: GIC, LR0_3, LR4_7, LR8_11, LR12_15, APR1, APR2_3;
            impdef: IMPDEF_EL1, IMPDEF_EL2;
            mte: MTE;
            trf: TRF;
            pauth: PAUTH;
            sme: TPIDR2, SME, SME2, SME_FA64;
            fgt: FGT, FGT2;
            hcx: HCX;
            ecv: ECV;
            csv2: CSV2_2;
            sve: SVE, EAGER_FP;
            amu: HAFGRTR, AMU, AMU_V1P1;
            tcr2: TCR2;
            pie: S1PIE, S1POE, S2PIE, S2POE;
            sctlr2: SCTLR2;
            gcs: GCS;
            the: THE;
            aie: AIE;
            pfar: PFAR;
            ls64: LS64_ACCDATA, LS64;
            step2: STEP2;
            mpam: MPAM, MPAM_EL2;
            fpmr: FPMR;
            d128: D128;
            pmu: PMU, PMU_DP, EBEP;
            trace: TRACE, TRBE;
            spe: SPE, SPE_EL2;
            brbe: BRBE, BRBE_EL2;
            debug: DEBUG, DEBUG_V8P9;
            hdbss: HDBSS, HACDBS;
            srmask: SRMASK;
            pstate: MOPS, PAN, NMI, RNG, RNG_TRAP, TWED, DIT;
        }
    };
}
pub(crate) use every_extension;

/// Passes the list on as it is, in the image.
#[cfg(not(test))]
macro_rules! and_made_up {
    ($with:ident $arguments:tt $($list:tt)+) => { $with! { $arguments $($list)+ } };
}

/// Adds an extension to the list that no CPU has, in tests: they show that one file and one line are enough.
#[cfg(test)]
macro_rules! and_made_up {
    ($with:ident $arguments:tt $($list:tt)+) => {
        $with! { $arguments made_up: MADE_UP; $($list)+ }
    };
}
pub(crate) use and_made_up;
