//! The case that every extension that the CPU reports is open to the normal world: NS-EL2 can read a register of each,
//! which EL3 would trap if the extension were closed.

use crate::arch::exceptions::attempt;
use crate::framework::case::{Case, Needs, Outcome};
use crate::framework::cores;
use crate::framework::text::Text;
use crate::mrs;
use core::fmt::Write;

pub const CASES: &[Case] =
    &[Case::new("poison/features", features).needs(Needs::NO_FFA.union(Needs::JANUS))];

/// An extension: its name, whether the ID registers report it, and an access to it.
struct Extension(&'static str, fn() -> bool, fn());

/// Makes the test whether the field of an ID register at bit `$shift` is at least `$least`.
macro_rules! field {
    ($register:literal, $shift:literal, $least:literal) => {
        || mrs!($register) >> $shift & 0xf >= $least
    };
}

macro_rules! access {
    ($register:literal) => {
        || {
            mrs!($register);
        }
    };
}

const EXTENSIONS: &[Extension] = &[
    Extension(
        "SVE",
        field!("S3_0_C0_C4_0", 32, 1),
        access!("S3_4_C1_C2_0"),
    ),
    Extension(
        "SME",
        field!("S3_0_C0_C4_1", 24, 1),
        access!("S3_4_C1_C2_6"),
    ),
    Extension(
        "TPIDR2",
        field!("S3_0_C0_C4_1", 24, 1),
        access!("S3_3_C13_C0_5"),
    ),
    Extension(
        "RAS",
        field!("S3_0_C0_C4_0", 28, 1),
        access!("S3_0_C5_C3_0"),
    ),
    Extension(
        "AMU",
        field!("S3_0_C0_C4_0", 44, 1),
        access!("S3_3_C13_C2_0"),
    ),
    Extension(
        "MPAM",
        field!("S3_0_C0_C4_0", 40, 1),
        access!("S3_4_C10_C5_0"),
    ),
    Extension(
        "CSV2_2",
        field!("S3_0_C0_C4_0", 56, 2),
        access!("S3_4_C13_C0_7"),
    ),
    Extension("MTE", field!("S3_0_C0_C4_1", 8, 2), access!("S3_4_C5_C6_0")),
    Extension(
        "GCS",
        field!("S3_0_C0_C4_1", 44, 1),
        access!("S3_4_C2_C5_0"),
    ),
    Extension(
        "THE",
        field!("S3_0_C0_C4_1", 48, 1),
        access!("S3_0_C13_C0_6"),
    ),
    Extension(
        "FPMR",
        field!("S3_0_C0_C4_2", 32, 1),
        access!("S3_3_C4_C4_2"),
    ),
    Extension(
        "FGT",
        field!("S3_0_C0_C7_0", 56, 1),
        access!("S3_4_C1_C1_4"),
    ),
    Extension(
        "FGT2",
        field!("S3_0_C0_C7_0", 56, 2),
        access!("S3_4_C3_C1_2"),
    ),
    Extension(
        "ECV",
        field!("S3_0_C0_C7_0", 60, 2),
        access!("S3_4_C14_C0_6"),
    ),
    Extension(
        "HCX",
        field!("S3_0_C0_C7_1", 40, 1),
        access!("S3_4_C1_C2_2"),
    ),
    Extension(
        "NV2",
        field!("S3_0_C0_C7_2", 24, 2),
        access!("S3_4_C2_C2_0"),
    ),
    Extension(
        "TCR2",
        field!("S3_0_C0_C7_3", 0, 1),
        access!("S3_4_C2_C0_3"),
    ),
    Extension(
        "SCTLR2",
        field!("S3_0_C0_C7_3", 4, 1),
        access!("S3_4_C1_C0_3"),
    ),
    Extension(
        "S1PIE",
        field!("S3_0_C0_C7_3", 8, 1),
        access!("S3_4_C10_C2_3"),
    ),
    Extension(
        "S1POE",
        field!("S3_0_C0_C7_3", 16, 1),
        access!("S3_4_C10_C2_4"),
    ),
    Extension(
        "PAuth (APA)",
        field!("S3_0_C0_C6_1", 4, 1),
        access!("S3_0_C2_C1_0"),
    ),
    Extension(
        "PAuth (API)",
        field!("S3_0_C0_C6_1", 8, 1),
        access!("S3_0_C2_C1_0"),
    ),
    Extension(
        "LS64_ACCDATA",
        field!("S3_0_C0_C6_1", 60, 3),
        access!("S3_0_C13_C0_5"),
    ),
    Extension(
        "RNG",
        field!("S3_0_C0_C6_0", 60, 1),
        access!("S3_3_C2_C4_0"),
    ),
    Extension(
        "TRF",
        field!("S3_0_C0_C5_0", 40, 1),
        access!("S3_4_C1_C2_1"),
    ),
    Extension(
        "PMUv3",
        field!("S3_0_C0_C5_0", 8, 1),
        access!("S3_3_C9_C12_0"),
    ),
];

/// The extensions are open on every core, also on those that came on later.
fn features() -> Outcome {
    cores::on_each(|core| {
        super::vector_regs::open(0xf);
        let (mut open, mut closed) = (Text::new(), Text::new());
        for Extension(name, _, access) in EXTENSIONS.iter().filter(|e| (e.1)()) {
            let list = if attempt(access) {
                &mut open
            } else {
                &mut closed
            };
            // Writing to a `Text` never fails.
            let _ = write!(list, " {name}");
        }
        if core == cores::boot_core() {
            crate::println!("open to the normal world:{open}");
        }
        if !closed.is_empty() {
            crate::fail!("the CPU has them, and they are closed to the normal world:{closed}");
        }
        Ok(())
    })
}
