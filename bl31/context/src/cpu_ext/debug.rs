//! Self-hosted debug. It is disabled in the Secure state (MDCR_EL3.SDD, SPD32). So breakpoints and
//! watchpoints belong to the normal world and are not switched. MDSCR_EL1 and MDCCINT_EL1 are switched, in EL1's base
//! list.
//!
//! FEAT_Debugv8p9 adds MDSELR_EL1, which selects banks of breakpoints and watchpoints.

use crate::{
    el3::{Control, Register::Mdcr},
    field,
    sysreg::{ID_AA64DFR0_EL1, sysregs},
};

/// MDCR_EL3.EBWE.
const EBWE: Control = Control::enable(Mdcr, 1 << 43);

sysregs! {
    OSLAR_EL1 = "S2_0_C1_C0_4": write;
    DBGBCR0_EL1 = "S2_0_C0_C0_5": read write;
    DBGBCR1_EL1 = "S2_0_C0_C1_5": read write;
    DBGBCR2_EL1 = "S2_0_C0_C2_5": read write;
    DBGBCR3_EL1 = "S2_0_C0_C3_5": read write;
    DBGBCR4_EL1 = "S2_0_C0_C4_5": read write;
    DBGBCR5_EL1 = "S2_0_C0_C5_5": read write;
    DBGBCR6_EL1 = "S2_0_C0_C6_5": read write;
    DBGBCR7_EL1 = "S2_0_C0_C7_5": read write;
    DBGBCR8_EL1 = "S2_0_C0_C8_5": read write;
    DBGBCR9_EL1 = "S2_0_C0_C9_5": read write;
    DBGBCR10_EL1 = "S2_0_C0_C10_5": read write;
    DBGBCR11_EL1 = "S2_0_C0_C11_5": read write;
    DBGBCR12_EL1 = "S2_0_C0_C12_5": read write;
    DBGBCR13_EL1 = "S2_0_C0_C13_5": read write;
    DBGBCR14_EL1 = "S2_0_C0_C14_5": read write;
    DBGBCR15_EL1 = "S2_0_C0_C15_5": read write;
    DBGWCR0_EL1 = "S2_0_C0_C0_7": read write;
    DBGWCR1_EL1 = "S2_0_C0_C1_7": read write;
    DBGWCR2_EL1 = "S2_0_C0_C2_7": read write;
    DBGWCR3_EL1 = "S2_0_C0_C3_7": read write;
    DBGWCR4_EL1 = "S2_0_C0_C4_7": read write;
    DBGWCR5_EL1 = "S2_0_C0_C5_7": read write;
    DBGWCR6_EL1 = "S2_0_C0_C6_7": read write;
    DBGWCR7_EL1 = "S2_0_C0_C7_7": read write;
    DBGWCR8_EL1 = "S2_0_C0_C8_7": read write;
    DBGWCR9_EL1 = "S2_0_C0_C9_7": read write;
    DBGWCR10_EL1 = "S2_0_C0_C10_7": read write;
    DBGWCR11_EL1 = "S2_0_C0_C11_7": read write;
    DBGWCR12_EL1 = "S2_0_C0_C12_7": read write;
    DBGWCR13_EL1 = "S2_0_C0_C13_7": read write;
    DBGWCR14_EL1 = "S2_0_C0_C14_7": read write;
    DBGWCR15_EL1 = "S2_0_C0_C15_7": read write;
}

/// Writes zero to the first `$count` of the registers.
macro_rules! clear {
    ($count:expr; $($number:literal $REGISTER:ident),+) => {{
        let count: u64 = $count;
        'all: {
            $(
                if count <= $number {
                    break 'all;
                }
                $REGISTER::write(0);
            )+
        }
    }};
}

/// Sets the OS lock, which turns debug exceptions off as a reset does, and clears all breakpoints and watchpoints, for
/// software that opens the lock without setting them up.
fn reset() {
    let dfr0 = ID_AA64DFR0_EL1::read();
    OSLAR_EL1::write(1);
    clear!(field(dfr0, 12) + 1;
        0 DBGBCR0_EL1, 1 DBGBCR1_EL1, 2 DBGBCR2_EL1, 3 DBGBCR3_EL1,
        4 DBGBCR4_EL1, 5 DBGBCR5_EL1, 6 DBGBCR6_EL1, 7 DBGBCR7_EL1,
        8 DBGBCR8_EL1, 9 DBGBCR9_EL1, 10 DBGBCR10_EL1, 11 DBGBCR11_EL1,
        12 DBGBCR12_EL1, 13 DBGBCR13_EL1, 14 DBGBCR14_EL1, 15 DBGBCR15_EL1);
    clear!(field(dfr0, 20) + 1;
        0 DBGWCR0_EL1, 1 DBGWCR1_EL1, 2 DBGWCR2_EL1, 3 DBGWCR3_EL1,
        4 DBGWCR4_EL1, 5 DBGWCR5_EL1, 6 DBGWCR6_EL1, 7 DBGWCR7_EL1,
        8 DBGWCR8_EL1, 9 DBGWCR9_EL1, 10 DBGWCR10_EL1, 11 DBGWCR11_EL1,
        12 DBGWCR12_EL1, 13 DBGWCR13_EL1, 14 DBGWCR14_EL1, 15 DBGWCR15_EL1);
}

extension! {
    /// ID_AA64DFR0_EL1.DebugVer: every CPU has it.
    pub DEBUG = "";
    present: |id| field(id.dfr0, 0) >= 6;
    opens: [];
    init: { reset() }
}

extension! {
    /// ID_AA64DFR0_EL1.DebugVer from 11.
    pub DEBUG_V8P9 = "Debugv8p9";
    present: |id| field(id.dfr0, 0) >= 11;
    opens: [EBWE];
}
