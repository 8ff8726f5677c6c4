//! The architectural extensions. Each has a file (a few that belong together share one), which says how it is found,
//! what EL3 enables for which world, which registers are switched, and why.
//!
//! Everything starts trapped. An extension that is not listed here stays trapped: an access from a lower
//! EL becomes an UNDEFINED exception there ([`crate::undefined`]). Two rules decide about the others:
//!
//! * Extensions of the *system* (translation, traps, virtualisation, authentication) are for both worlds and are
//!   switched. Some open to the secure world on its first use ([`crate::live`]).
//! * Extensions that *observe* a running program (trace, profiling, branch records, activity monitors) are for the
//!   normal world alone. They stop while the secure world runs, so that nothing has to be switched.
//!
//! To add an extension, add a file with an `extension!` to this folder and a line to `list.rs`. Everything else
//! follows from these two: the bit in [`Features`], the fields of the banks and their switch, EL3's
//! registers, the answer of SMCCC_ARCH_FEATURE_AVAILABILITY, the name in the boot message.

use crate::el3::Control;
use crate::registers::Group;
use crate::{El3Regs, Feature, Features, IdRegs, SysRegs};
use core::fmt;
use list::every_extension;

pub(crate) mod list;

/// How many CPUs have an extension. It affects only the speed of a switch: see [`Asked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// All CPUs on which this image is likely to run.
    Usually,
    /// Some CPUs.
    Sometimes,
    /// Few CPUs.
    Rarely,
}

/// How a switch tests for the groups of an extension: [`crate::Groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By one test for all usual extensions.
    WithUsual,
    /// By a test of its own.
    Alone,
    /// By a test of its own, after one test for all extensions that open on first use.
    WithLate,
    /// By a test of its own, after one test for all rare extensions.
    WithRare,
    /// Not together with its bank.
    Elsewhere,
}

/// Returns how a switch tests for the groups of `E`.
pub const fn asked<E: Extension>() -> Asked {
    match E::FOUND {
        _ if E::APART => Asked::Elsewhere,
        Found::Rarely => Asked::WithRare,
        _ if Control::first_use(E::OPENS) != 0 => Asked::WithLate,
        Found::Usually => Asked::WithUsual,
        Found::Sometimes => Asked::Alone,
    }
}

/// One extension, as `extension!` declares it.
pub trait Extension {
    /// Its name for the boot message, without `FEAT_`. Empty if it is only a part of another extension.
    const NAME: &str;
    /// EL3's controls of it. If a bit of SCR_EL3 opens it to the secure world on first use, its groups are switched
    /// only from then on.
    const OPENS: &[Control];
    /// The exception class (ESR_EL3.EC) of its trapped instructions, besides that of MSR and MRS.
    const TRAP_CLASS: Option<u64>;
    /// How many CPUs have it.
    const FOUND: Found;
    /// Whether its groups are switched by [`crate::simd`] and not with their banks.
    const APART: bool;
    /// Registers that are switched for every SPMC.
    type Common: Group;
    /// Registers that are switched if the SPMC runs at S-EL1.
    type El1: Group;
    /// Registers that are switched if the SPMC runs at S-EL2.
    type El2: Group;

    /// Returns whether these ID registers report it.
    fn present(id: &IdRegs) -> bool;

    /// Sets the values with which a world starts, if they are not zero.
    fn first(_: &mut SysRegs) {}

    /// Sets EL2's registers if no software runs at EL2: EL1 may then use everything that it could use on a CPU
    /// without EL2.
    fn unused_el2(_: &mut SysRegs) {}

    /// Sets up EL3's own registers of it, on each core when it comes on. CPTR_EL3 traps nothing then.
    fn init() {}
}

/// Declares an extension. The parts are in this order; those in brackets are optional:
///
/// ```text
/// extension! {
///     /// The field of the ID register; the worlds that get it.
///     pub NAME = "name for the boot message";
///     present: |id| …;              whether the ID registers report it
///     opens: […];                   EL3's controls of it, `Control`s
///     [trapped_as: 0x09;]           `Extension::TRAP_CLASS`
///     [found: usually;]             `Extension::FOUND`: most CPUs have it; or `rarely`: few have it
///     [switched_by: simd;]          `Extension::APART`: not with its bank
///     [common: Group { … }]         registers that are switched for every SPMC, as in `registers!`
///     [el1: Group { … }]            registers that are switched for an SPMC at S-EL1
///     [el2: Group { … }]            registers that are switched for an SPMC at S-EL2
///     [first: |sys| …;]             first values that are not zero
///     [unused_el2: |sys| …;]        additional first values if no software runs at EL2
///     [init: { … }]                 what EL3 sets up on each core
/// }
/// ```
macro_rules! extension {
    (
        $(#[$doc:meta])* pub $NAME:ident = $name:literal;
        present: |$id:pat_param| $present:expr;
        opens: [$($control:expr),* $(,)?];
        $(trapped_as: $class:literal;)?
        $(found: $found:ident;)?
        $(switched_by: $apart:ident;)?
        $(common: $Common:ident { $($common:tt)+ })?
        $(el1: $El1:ident { $($el1:tt)+ })?
        $(el2: $El2:ident { $($el2:tt)+ })?
        $(first: |$sys:ident| $first:expr;)?
        $(unused_el2: |$unused_sys:ident| $unused:expr;)?
        $(init: $init:block)?
    ) => {
        $(#[$doc])*
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        pub struct $NAME;

        $($crate::registers::registers! {
            #[doc = concat!("Registers of [`", stringify!($NAME), "`].")]
            pub struct $Common in CommonBank.$NAME { $($common)+ }
        })?
        $($crate::registers::registers! {
            #[doc = concat!("Registers of [`", stringify!($NAME), "`].")]
            pub struct $El1 in El1Bank.$NAME { $($el1)+ }
        })?
        $($crate::registers::registers! {
            #[doc = concat!("Registers of [`", stringify!($NAME), "`].")]
            pub struct $El2 in El2Bank.$NAME { $($el2)+ }
        })?

        impl $crate::cpu_ext::Extension for $NAME {
            const NAME: &str = $name;
            const OPENS: &[$crate::el3::Control] = &[$($control),*];
            const TRAP_CLASS: Option<u64> = $crate::cpu_ext::extension!(@option $($class)?);
            const FOUND: $crate::cpu_ext::Found =
                $crate::cpu_ext::extension!(@found $($found)?);
            const APART: bool = $crate::cpu_ext::extension!(@flag $($apart)?);
            type Common = $crate::cpu_ext::extension!(@group $($Common)?);
            type El1 = $crate::cpu_ext::extension!(@group $($El1)?);
            type El2 = $crate::cpu_ext::extension!(@group $($El2)?);

            #[inline(always)]
            fn present($id: &$crate::IdRegs) -> bool {
                $present
            }

            $(#[inline(always)]
            fn first($sys: &mut $crate::SysRegs) {
                $first;
            })?

            $(#[inline(always)]
            fn unused_el2($unused_sys: &mut $crate::SysRegs) {
                $unused;
            })?

            $(#[inline(always)]
            fn init() $init)?
        }
    };
    (@option) => { None };
    (@option $value:literal) => { Some($value) };
    (@found) => { $crate::cpu_ext::Found::Sometimes };
    (@found usually) => { $crate::cpu_ext::Found::Usually };
    (@found rarely) => { $crate::cpu_ext::Found::Rarely };
    (@flag) => { false };
    (@flag $flag:ident) => { true };
    (@group) => { () };
    (@group $Group:ident) => { $Group };
}
pub(crate) use extension;

/// Makes the loops over the list of all extensions, as straight-line code. Parts that an extension does not have cost
/// nothing.
macro_rules! make {
    (() $($module:ident: $($EXTENSION:ident),+;)*) => {
        $(pub mod $module;)*

        /// The extensions and their names, for [`NAMES`].
        const ALL_NAMES: &[(Feature, &str)] =
            &[$($((Feature::$EXTENSION, $module::$EXTENSION::NAME)),+),*];

        /// The extensions and their controls, for [`CONTROLS`].
        const OPENS: &[(Feature, &[Control])] =
            &[$($((Feature::$EXTENSION, $module::$EXTENSION::OPENS)),+),*];

        /// EL3's registers with the traps of all controls set that are not always open to both worlds.
        pub const TRAPS: El3Regs = El3Regs::EMPTY
            $($(.or(Control::traps(<$module::$EXTENSION as Extension>::OPENS)))+)*;

        /// Returns the features that these ID registers report.
        pub fn present(id: &IdRegs) -> Features {
            let mut features = Features::NONE;
            $($(if $module::$EXTENSION::present(id) {
                features.insert(Feature::$EXTENSION);
            })+)*
            features
        }

        /// Sets the values of `features` with which a world starts, if they are not zero.
        pub fn first(features: Features, sys: &mut SysRegs) {
            $($(if features.has(Feature::$EXTENSION) {
                $module::$EXTENSION::first(sys);
            })+)*
        }

        /// Sets EL2's registers of `features` if no software runs at EL2.
        pub fn unused_el2(features: Features, sys: &mut SysRegs) {
            $($(if features.has(Feature::$EXTENSION) {
                $module::$EXTENSION::unused_el2(sys);
            })+)*
        }

        /// Sets up EL3's own registers of `features` on this core. CPTR_EL3 traps nothing then.
        pub fn init(features: Features) {
            $($(if features.has(Feature::$EXTENSION) {
                $module::$EXTENSION::init();
            })+)*
        }

        /// Returns the extension to which a trap belongs, out of those that open to the secure world on first use. The
        /// trap has this exception class and, if it is an MSR or MRS, this
        /// [`register`](crate::registers::number).
        pub fn on_first_use(class: u64, register: Option<u16>) -> Option<Feature> {
            $($(if const { Control::first_use(<$module::$EXTENSION as Extension>::OPENS) != 0 } {
                type Of = $module::$EXTENSION;
                if Of::TRAP_CLASS == Some(class)
                    || register.is_some_and(|register| {
                        <Of as Extension>::Common::has(register)
                            || <Of as Extension>::El1::has(register)
                            || <Of as Extension>::El2::has(register)
                    })
                {
                    return Some(Feature::$EXTENSION);
                }
            })+)*
            None
        }

        /// All extensions, for tests.
        #[cfg(test)]
        pub const EXTENSIONS: &[Described] = &[$($(Described {
            module: stringify!($module),
            declaration: stringify!($EXTENSION),
            feature: Feature::$EXTENSION,
            name: $module::$EXTENSION::NAME,
            opens: $module::$EXTENSION::OPENS,
            groups: [
                ("common", <<$module::$EXTENSION as Extension>::Common as Group>::LIST),
                ("EL2", <<$module::$EXTENSION as Extension>::El2 as Group>::LIST),
                ("EL1", <<$module::$EXTENSION as Extension>::El1 as Group>::LIST),
            ],
        }),+),*];
    };
}

every_extension! { make! () }

/// The number of controls.
const CONTROL_COUNT: usize = {
    let (mut count, mut i) = (0, 0);
    while i < OPENS.len() {
        count += OPENS[i].1.len();
        i += 1;
    }
    count
};

/// EL3's controls, each with its extension.
pub const CONTROLS: &[(Feature, Control)] = &{
    let mut all = [(Feature::COUNT, Control::NONE); CONTROL_COUNT];
    let (mut count, mut i) = (0, 0);
    while i < OPENS.len() {
        let (feature, controls) = OPENS[i];
        let mut j = 0;
        while j < controls.len() {
            all[count] = (feature, controls[j]);
            count += 1;
            j += 1;
        }
        i += 1;
    }
    all
};

/// The number of extensions that have a name.
const NAME_COUNT: usize = {
    let (mut count, mut i) = (0, 0);
    while i < ALL_NAMES.len() {
        count += !ALL_NAMES[i].1.is_empty() as usize;
        i += 1;
    }
    count
};

/// The extensions that have a name.
const NAMES: &[(Feature, &str)] = &{
    let mut named = [(Feature::COUNT, ""); NAME_COUNT];
    let (mut count, mut i) = (0, 0);
    while i < ALL_NAMES.len() {
        if !ALL_NAMES[i].1.is_empty() {
            named[count] = ALL_NAMES[i];
            count += 1;
        }
        i += 1;
    }
    named
};

/// The number of extensions that open to the secure world on first use.
const FIRST_USES: usize = {
    let (mut count, mut i) = (0, 0);
    while i < OPENS.len() {
        count += (Control::first_use(OPENS[i].1) != 0) as usize;
        i += 1;
    }
    count
};

/// The extensions that open to the secure world on first use, with the bits of SCR_EL3 that open them.
pub const ON_FIRST_USE: [(Feature, u64); FIRST_USES] = {
    let mut found = [(Feature::COUNT, 0); FIRST_USES];
    let (mut count, mut i) = (0, 0);
    while i < OPENS.len() {
        let scr = Control::first_use(OPENS[i].1);
        if scr != 0 {
            found[count] = (OPENS[i].0, scr);
            count += 1;
        }
        i += 1;
    }
    found
};

/// The extensions of [`ON_FIRST_USE`].
pub const OPEN_ON_FIRST_USE: Features = {
    let (mut features, mut i) = (Features::NONE, 0);
    while i < FIRST_USES {
        features.insert(ON_FIRST_USE[i].0);
        i += 1;
    }
    features
};

/// An extension as tests see it.
#[cfg(test)]
pub struct Described {
    /// The name of its file.
    pub module: &'static str,
    /// The name under which it is declared.
    pub declaration: &'static str,
    /// Its feature.
    pub feature: Feature,
    /// [`Extension::NAME`].
    pub name: &'static str,
    /// [`Extension::OPENS`].
    pub opens: &'static [Control],
    /// Its groups, by the name of their bank.
    pub groups: [(&'static str, Option<crate::registers::List>); 3],
}

impl fmt::Display for Features {
    /// Writes the extensions' names, separated by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (feature, name) in NAMES {
            if self.has(*feature) {
                f.write_str(separator)?;
                f.write_str(name)?;
                separator = " ";
            }
        }
        Ok(())
    }
}
