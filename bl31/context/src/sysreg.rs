//! System registers by name: the macro `sysregs!`, and the table of the registers of the architecture's base that EL3
//! uses.
//!
//! Each register that EL3 reads or writes by itself is in one such table: here, or in the file of its extension.
//! (Registers that are only switched are in the lists of [`super::registers`].) The table says how a register may be
//! accessed:
//!
//! * `read`: it cannot be written.
//! * `read write`: any value may be written at any time. It is a register of lower ELs, or of something
//!   that EL3 does not use.
//! * `read unsafe write`: it can change what EL3 itself does: where it goes on, what traps, how
//!   long its vectors are. All of EL3's own registers are of this kind.
//!
//! On the host, where the tests run, there are no such registers. There each thread has registers of its own, which are
//! zero at first and keep what is written. So the code around them compiles there, and its decisions can be tested.

/// Declares a table of system registers. Each register becomes a type of its name, with the functions `read()` and
/// `write(value)` that its line allows.
macro_rules! sysregs {
    ($($(#[$doc:meta])* $NAME:ident = $encoding:literal: $($access:ident)+;)+) => {
        $(
            $(#[$doc])*
            #[doc = concat!("`", stringify!($NAME), "`.")]
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            pub struct $NAME;

            impl $NAME {
                $crate::sysreg::sysregs! { @access $NAME $encoding; $($access)+ }
            }
        )+
    };
    (@access $NAME:ident $encoding:literal; read $($rest:ident)*) => {
        /// Reads the register.
        #[inline(always)]
        #[allow(dead_code)]
        pub fn read() -> u64 {
            #[cfg(target_os = "none")]
            {
                let value: u64;
                // SAFETY: reading the registers of these tables changes nothing.
                unsafe {
                    core::arch::asm!(concat!("mrs {}, ", $encoding), out(reg) value,
                        options(nomem, nostack, preserves_flags));
                }
                value
            }
            #[cfg(not(target_os = "none"))]
            $crate::sysreg::host::read(stringify!($NAME))
        }

        $crate::sysreg::sysregs! { @access $NAME $encoding; $($rest)* }
    };
    (@access $NAME:ident $encoding:literal; write) => {
        /// Writes the register.
        #[inline(always)]
        pub fn write(value: u64) {
            #[cfg(target_os = "none")]
            // SAFETY: no code at EL3 depends on the register: its table says so.
            unsafe {
                core::arch::asm!(concat!("msr ", $encoding, ", {}"), in(reg) value,
                    options(nostack, preserves_flags));
            }
            #[cfg(not(target_os = "none"))]
            $crate::sysreg::host::write(stringify!($NAME), value);
        }
    };
    (@access $NAME:ident $encoding:literal; unsafe write) => {
        /// Writes the register.
        ///
        /// # Safety
        ///
        /// The register can change what EL3 itself does. The caller makes sure that everything that EL3 executes until
        /// the next write, ERET included, is right with this value.
        #[inline(always)]
        pub unsafe fn write(value: u64) {
            #[cfg(target_os = "none")]
            // SAFETY: as the caller promises.
            unsafe {
                core::arch::asm!(concat!("msr ", $encoding, ", {}"), in(reg) value,
                    options(nostack, preserves_flags));
            }
            #[cfg(not(target_os = "none"))]
            $crate::sysreg::host::write(stringify!($NAME), value);
        }
    };
    (@access $NAME:ident $encoding:literal;) => {};
}
pub(crate) use sysregs;

#[cfg(not(target_os = "none"))]
pub mod host {
    //! The registers of a thread on the host.

    use std::cell::RefCell;
    use std::collections::HashMap;

    thread_local! {
        static REGISTERS: RefCell<HashMap<&'static str, u64>> = RefCell::default();
    }

    /// Makes all registers zero, as they may be on a core that comes on.
    pub fn reset() {
        REGISTERS.take();
    }

    /// Reads the register of this name.
    pub(crate) fn read(name: &str) -> u64 {
        REGISTERS.with_borrow(|registers| registers.get(name).copied().unwrap_or(0))
    }

    /// Writes the register of this name.
    pub(crate) fn write(name: &'static str, value: u64) {
        REGISTERS.with_borrow_mut(|registers| registers.insert(name, value));
    }
}

sysregs! {
    // The CPU's identification.
    MIDR_EL1 = "MIDR_EL1": read;
    MPIDR_EL1 = "MPIDR_EL1": read;
    ID_AA64PFR0_EL1 = "ID_AA64PFR0_EL1": read;
    ID_AA64PFR1_EL1 = "ID_AA64PFR1_EL1": read;
    ID_AA64PFR2_EL1 = "S3_0_C0_C4_2": read;
    ID_AA64SMFR0_EL1 = "S3_0_C0_C4_5": read;
    ID_AA64DFR0_EL1 = "ID_AA64DFR0_EL1": read;
    ID_AA64DFR1_EL1 = "ID_AA64DFR1_EL1": read;
    ID_AA64DFR2_EL1 = "S3_0_C0_C5_2": read;
    ID_AA64ISAR0_EL1 = "ID_AA64ISAR0_EL1": read;
    ID_AA64ISAR1_EL1 = "ID_AA64ISAR1_EL1": read;
    ID_AA64ISAR2_EL1 = "S3_0_C0_C6_2": read;
    ID_AA64ISAR3_EL1 = "S3_0_C0_C6_3": read;
    ID_AA64MMFR0_EL1 = "ID_AA64MMFR0_EL1": read;
    ID_AA64MMFR1_EL1 = "ID_AA64MMFR1_EL1": read;
    ID_AA64MMFR2_EL1 = "S3_0_C0_C7_2": read;
    ID_AA64MMFR3_EL1 = "S3_0_C0_C7_3": read;
    ID_AA64MMFR4_EL1 = "S3_0_C0_C7_4": read;

    // EL3's own registers.
    SCR_EL3 = "SCR_EL3": read unsafe write;
    CPTR_EL3 = "CPTR_EL3": read unsafe write;
    MDCR_EL3 = "MDCR_EL3": read unsafe write;
    MPAM3_EL3 = "S3_6_C10_C5_0": read unsafe write;
    ELR_EL3 = "ELR_EL3": read unsafe write;
    SPSR_EL3 = "SPSR_EL3": read unsafe write;

    // Where a lower EL takes an exception, and what it finds there.
    HCR_EL2 = "HCR_EL2": read;
    SCTLR_EL1 = "SCTLR_EL1": read;
    SCTLR_EL2 = "SCTLR_EL2": read;
    VBAR_EL1 = "VBAR_EL1": read;
    VBAR_EL2 = "VBAR_EL2": read;
    ELR_EL1 = "ELR_EL1": read write;
    ELR_EL2 = "ELR_EL2": read write;
    SPSR_EL1 = "SPSR_EL1": read write;
    SPSR_EL2 = "SPSR_EL2": read write;
    SPSR_UND = "SPSR_UND": read write;
    ESR_EL1 = "ESR_EL1": read write;
    ESR_EL2 = "ESR_EL2": read write;
    FAR_EL1 = "FAR_EL1": read;
    FAR_EL2 = "FAR_EL2": read;

    // Floating point, which EL3 does not use.
    FPCR = "S3_3_C4_C4_0": read write;
    FPSR = "S3_3_C4_C4_1": read write;

    // The OS double lock, which keeps external debuggers out.
    OSDLR_EL1 = "OSDLR_EL1": read write;

    // What only some of Arm's models have: CPUECTLR_EL1 of the cores that have SMPEN,
    CPUECTLR_EL1 = "S3_1_C15_C2_1": read unsafe write;
    // CPUPWRCTLR_EL1 of the cores with a DynamIQ Shared Unit,
    CPUPWRCTLR_EL1 = "S3_0_C15_C2_7": read unsafe write;
    // CPUACTLR_EL1 of Cortex-A57 and A72,
    CPUACTLR_A57 = "S3_1_C15_C2_0": read unsafe write;
    // a register of Cortex-A73 that has no name,
    CPUACTLR_A73 = "S3_0_C15_C0_0": read unsafe write;
    // CPUACTLR_EL1 of Cortex-A75,
    CPUACTLR_A75 = "S3_0_C15_C1_0": read unsafe write;
    // and CPUACTLR2_EL1 of Cortex-A76.
    CPUACTLR2_A76 = "S3_0_C15_C1_1": read unsafe write;
}

/// Makes writes to system registers take effect for the instructions that follow.
#[inline(always)]
pub fn isb() {
    #[cfg(target_os = "none")]
    // SAFETY: a barrier.
    unsafe {
        core::arch::asm!("isb", options(nostack, preserves_flags));
    }
}

/// Waits until all memory accesses and maintenance of caches and TLBs before it are done.
#[inline(always)]
pub fn dsb() {
    #[cfg(target_os = "none")]
    // SAFETY: a barrier.
    unsafe {
        core::arch::asm!("dsb sy", options(nostack, preserves_flags));
    }
}
