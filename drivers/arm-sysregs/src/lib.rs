//! The system registers of the GIC's CPU interface, for the crate arm-gic and the drivers that use it.
//!
//! arm-gic takes its registers from arm-sysregs, of whose five crates it uses 20 registers, and which took half of the
//! time of building the image. This crate stands in for it: the workspace's `[patch.crates-io]` puts it there. It has
//! the names that arm-gic uses, and the registers that Janus' drivers need beside them.
//!
//! A register that another version of arm-gic or a driver needs is one line in the table of its exception level,
//! below, and a type in `values.rs` if it has fields with names. `table.rs` says what a line means.

#![cfg_attr(not(feature = "fakes"), no_std)]

#[macro_use]
mod table;
mod values;

pub use table::Value;

/// AArch32's registers. Nothing uses them: arm-gic names their types.
pub mod aarch32 {
    /// The types of the registers' values.
    pub mod registers {
        pub use crate::values::{IccAsgi1r, IccEoir0, IccEoir1, IccSgi0r, IccSgi1r};
    }
}

/// The registers of EL0. arm-gic masks exceptions by the fake one.
pub mod el0 {
    /// The types of the registers' values.
    pub mod registers {
        pub use crate::values::Daif;
    }

    sysregs! {
        daif: Daif, unsafe write write_daif;
    }
}

/// The registers of EL1.
pub mod el1 {
    /// The types of the registers' values.
    pub mod registers {
        pub use crate::values::{
            IccCtlrEl1, IccEoir0El1, IccHppir0El1, IccIgrpen0El1, IccPmrEl1, IccSgi0rEl1, IccSreEl1,
        };
        /// Has the fields of ICC_IGRPEN0_EL1.
        pub type IccIgrpen1El1 = IccIgrpen0El1;
    }

    sysregs! {
        id_aa64pfr0_el1: u64, read read_id_aa64pfr0_el1;

        // Which interrupts are signalled.
        icc_igrpen0_el1: IccIgrpen0El1, read read_icc_igrpen0_el1, write write_icc_igrpen0_el1;
        icc_igrpen1_el1: IccIgrpen1El1, read read_icc_igrpen1_el1, write write_icc_igrpen1_el1;
        icc_pmr_el1: IccPmrEl1, read read_icc_pmr_el1, write write_icc_pmr_el1;
        icc_bpr0_el1: u64, write write_icc_bpr0_el1;
        icc_bpr1_el1: u64, write write_icc_bpr1_el1;
        icc_ctlr_el1: IccCtlrEl1, write write_icc_ctlr_el1;
        icc_sre_el1: IccSreEl1, read read_icc_sre_el1, unsafe write write_icc_sre_el1;

        // The interrupt that waits, and the one that is handled.
        icc_hppir0_el1: IccHppir0El1, read read_icc_hppir0_el1;
        icc_hppir1_el1: IccHppir0El1, read read_icc_hppir1_el1;
        icc_iar0_el1: IccHppir0El1, read read_icc_iar0_el1;
        icc_iar1_el1: IccHppir0El1, read read_icc_iar1_el1;
        icc_eoir0_el1: IccEoir0El1, write write_icc_eoir0_el1;
        icc_eoir1_el1: IccEoir0El1, write write_icc_eoir1_el1;
        icc_rpr_el1: u64, read read_icc_rpr_el1;
        icc_ap0r0_el1: u64, read read_icc_ap0r0_el1, unsafe write write_icc_ap0r0_el1;
        icc_ap0r1_el1: u64, read read_icc_ap0r1_el1, unsafe write write_icc_ap0r1_el1;
        icc_ap0r2_el1: u64, read read_icc_ap0r2_el1, unsafe write write_icc_ap0r2_el1;
        icc_ap0r3_el1: u64, read read_icc_ap0r3_el1, unsafe write write_icc_ap0r3_el1;
        icc_ap1r0_el1: u64, read read_icc_ap1r0_el1, unsafe write write_icc_ap1r0_el1;
        icc_ap1r1_el1: u64, read read_icc_ap1r1_el1, unsafe write write_icc_ap1r1_el1;
        icc_ap1r2_el1: u64, read read_icc_ap1r2_el1, unsafe write write_icc_ap1r2_el1;
        icc_ap1r3_el1: u64, read read_icc_ap1r3_el1, unsafe write write_icc_ap1r3_el1;

        // Interrupts between cores.
        icc_sgi0r_el1: IccSgi0rEl1, write write_icc_sgi0r_el1;
        icc_sgi1r_el1: IccSgi0rEl1, write write_icc_sgi1r_el1;
        icc_asgi1r_el1: IccSgi0rEl1, write write_icc_asgi1r_el1;
    }
}

/// The registers of EL2.
pub mod el2 {
    /// The types of the registers' values.
    pub mod registers {
        pub use crate::values::IccSreEl2;
    }

    sysregs! {
        icc_sre_el2: IccSreEl2, read read_icc_sre_el2, unsafe write write_icc_sre_el2;
    }
}

/// The registers of EL3.
pub mod el3 {
    /// The types of the registers' values.
    pub mod registers {
        pub use crate::values::{IccCtlrEl3, IccIgrpen1El3, IccSreEl3, ScrEl3};
    }

    sysregs! {
        icc_ctlr_el3: IccCtlrEl3, read read_icc_ctlr_el3, write write_icc_ctlr_el3;
        icc_igrpen1_el3: IccIgrpen1El3, read read_icc_igrpen1_el3, write write_icc_igrpen1_el3;
        icc_sre_el3: IccSreEl3, read read_icc_sre_el3, unsafe write write_icc_sre_el3;
        scr_el3: ScrEl3, read read_scr_el3, unsafe write write_scr_el3;
    }
}
