//! The architectural extensions: the list of them, and what is made from it. Each has a file (a few that
//! belong together share one): how it is found, what EL3 enables for whom, which registers are
//! switched, and why so.
//!
//! The rule: everything starts trapped, and what is not listed here stays so; an access from a lower
//! EL then becomes an UNDEFINED exception there ([`crate::context::undefined`]). What a world can
//! use of the *system* (translation, traps, virtualisation, authentication) both worlds get, and it
//! is switched; some of it the secure world gets on its first use ([`crate::context::live`]). What
//! *observes* a running program (trace, profiling, branch records, activity monitors) only the normal
//! world gets, and it stops at the door of the secure world; nothing of it has to be switched then.
//!
//! To add one: a file in this folder with an `extension!`, and a line in `list.rs`. All else
//! follows from these two: the bit in [`Features`], the fields of the banks and their switch, EL3's
//! registers, what SMCCC_ARCH_FEATURE_AVAILABILITY tells, the name in the boot message.

use crate::context::el3::Control;
use crate::context::registers::Group;
use crate::context::{El3Regs, Feature, Features, IdRegs, SysRegs};
use core::fmt;
use list::every_extension;

pub(crate) mod list;

/// How many CPUs have an extension. Of no effect but on how fast a switch is: see [`Asked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// All that this image is likely to run on.
    Usually,
    /// Some.
    Sometimes,
    /// Few.
    Rarely,
}

/// How a switch asks for the groups of an extension: [`crate::context::Groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Together with the others that are usual.
    WithUsual,
    /// By a test of its own.
    Alone,
    /// Behind one test for those that open on first use.
    WithLate,
    /// Behind one test for those that are rare.
    WithRare,
    /// Not with its bank.
    Elsewhere,
}

/// How a switch asks for the groups of `E`.
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
    /// Its name for the boot message, without `FEAT_`; empty for what is no extension of its own.
    const NAME: &str;
    /// EL3's controls of it. Where a bit of SCR_EL3 opens it to the secure world on its first use, all
    /// its groups are switched from then on only.
    const OPENS: &[Control];
    /// The exception class (ESR_EL3.EC) of its trapped instructions, besides that of MSR and MRS.
    const TRAP_CLASS: Option<u64>;
    /// How many CPUs have it.
    const FOUND: Found;
    /// Its groups are not switched with their banks, but by [`crate::context::simd`].
    const APART: bool;
    /// Registers that are switched for every SPMC.
    type Common: Group;
    /// Registers that are switched where the SPMC runs at S-EL1.
    type El1: Group;
    /// Registers that are switched where it runs at S-EL2.
    type El2: Group;

    /// Whether these ID registers announce it.
    fn present(id: &IdRegs) -> bool;

    /// Sets the values that a world first starts with, where zero would not do.
    fn first(_: &mut SysRegs) {}

    /// Adds what EL2's registers need where nobody runs at EL2: EL1 may use what it could use on a CPU
    /// without EL2.
    fn unused_el2(_: &mut SysRegs) {}

    /// Sets up what EL3 owns of it, on each core when it comes on. CPTR_EL3 traps nothing then.
    fn init() {}
}

/// Declares an extension, in this order; what stands in brackets may be missing:
///
/// ```text
/// extension! {
///     /// Which field of an ID register, who gets it.
///     pub NAME = "name for the boot message";
///     present: |id| …;              whether the ID registers announce it
///     opens: […];                   EL3's controls of it, `Control`s
///     [trapped_as: 0x09;]           `Extension::TRAP_CLASS`
///     [found: usually;]             `Extension::FOUND`: most CPUs have it, or `rarely`: few have
///     [switched_by: simd;]          `Extension::APART`: not with its bank
///     [common: Group { … }]         registers switched for every SPMC, as in `registers!`
///     [el1: Group { … }]            where the SPMC runs at S-EL1
///     [el2: Group { … }]            where it runs at S-EL2
///     [first: |sys| …;]             first values other than zero
///     [unused_el2: |sys| …;]        first values besides, where nobody runs at EL2
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

        $($crate::context::registers::registers! {
            #[doc = concat!("Registers of [`", stringify!($NAME), "`].")]
            pub struct $Common in CommonBank.$NAME { $($common)+ }
        })?
        $($crate::context::registers::registers! {
            #[doc = concat!("Registers of [`", stringify!($NAME), "`].")]
            pub struct $El1 in El1Bank.$NAME { $($el1)+ }
        })?
        $($crate::context::registers::registers! {
            #[doc = concat!("Registers of [`", stringify!($NAME), "`].")]
            pub struct $El2 in El2Bank.$NAME { $($el2)+ }
        })?

        impl $crate::cpu_ext::Extension for $NAME {
            const NAME: &str = $name;
            const OPENS: &[$crate::context::el3::Control] = &[$($control),*];
            const TRAP_CLASS: Option<u64> = $crate::cpu_ext::extension!(@option $($class)?);
            const FOUND: $crate::cpu_ext::Found =
                $crate::cpu_ext::extension!(@found $($found)?);
            const APART: bool = $crate::cpu_ext::extension!(@flag $($apart)?);
            type Common = $crate::cpu_ext::extension!(@group $($Common)?);
            type El1 = $crate::cpu_ext::extension!(@group $($El1)?);
            type El2 = $crate::cpu_ext::extension!(@group $($El2)?);

            #[inline(always)]
            fn present($id: &$crate::context::IdRegs) -> bool {
                $present
            }

            $(#[inline(always)]
            fn first($sys: &mut $crate::context::SysRegs) {
                $first;
            })?

            $(#[inline(always)]
            fn unused_el2($unused_sys: &mut $crate::context::SysRegs) {
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

/// Writes, for the list of all extensions, the loops over it as straight-line code, in which what an
/// extension does not have costs nothing.
macro_rules! make {
    (() $($module:ident: $($EXTENSION:ident),+;)*) => {
        $(pub mod $module;)*

        /// The extensions and their names, for [`NAMES`].
        const ALL_NAMES: &[(Feature, &str)] =
            &[$($((Feature::$EXTENSION, $module::$EXTENSION::NAME)),+),*];

        /// The extensions and their controls, for [`CONTROLS`].
        const OPENS: &[(Feature, &[Control])] =
            &[$($((Feature::$EXTENSION, $module::$EXTENSION::OPENS)),+),*];

        /// EL3's registers with all traps set that are not open to both worlds on every CPU.
        pub const TRAPS: El3Regs = El3Regs::EMPTY
            $($(.or(Control::traps(<$module::$EXTENSION as Extension>::OPENS)))+)*;

        /// What these ID registers announce.
        pub fn present(id: &IdRegs) -> Features {
            let mut features = Features::NONE;
            $($(if $module::$EXTENSION::present(id) {
                features.insert(Feature::$EXTENSION);
            })+)*
            features
        }

        /// Sets the values that a world first starts with, where `features` want others than zero.
        pub fn first(features: Features, sys: &mut SysRegs) {
            $($(if features.has(Feature::$EXTENSION) {
                $module::$EXTENSION::first(sys);
            })+)*
        }

        /// Adds what EL2's registers need where nobody runs at EL2.
        pub fn unused_el2(features: Features, sys: &mut SysRegs) {
            $($(if features.has(Feature::$EXTENSION) {
                $module::$EXTENSION::unused_el2(sys);
            })+)*
        }

        /// Sets up what EL3 owns of `features` on this core. CPTR_EL3 traps nothing then.
        pub fn init(features: Features) {
            $($(if features.has(Feature::$EXTENSION) {
                $module::$EXTENSION::init();
            })+)*
        }

        /// The extension that the secure world gets on its first use and that a trap with this exception
        /// class and, of MSR and MRS, this [`register`](crate::context::registers::number) belongs to.
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

        /// Everything, for tests.
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

/// How many controls there are.
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

/// How many extensions have a name.
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

/// How many extensions the secure world gets on its first use.
const FIRST_USES: usize = {
    let (mut count, mut i) = (0, 0);
    while i < OPENS.len() {
        count += (Control::first_use(OPENS[i].1) != 0) as usize;
        i += 1;
    }
    count
};

/// The extensions that the secure world gets on its first use, with the bits of SCR_EL3 that open them.
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

/// An extension as tests see it.
#[cfg(test)]
#[allow(missing_docs)]
pub struct Described {
    pub module: &'static str,
    pub declaration: &'static str,
    pub feature: Feature,
    pub name: &'static str,
    pub opens: &'static [Control],
    /// Its groups by the name of their bank.
    pub groups: [(&'static str, Option<crate::context::registers::List>); 3],
}

impl fmt::Display for Features {
    /// The extensions' names, separated by spaces.
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
