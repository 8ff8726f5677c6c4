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

use crate::context::el3::{Control, Opening};
use crate::context::registers::Group;
use crate::context::{El3Regs, Feature, Features, IdRegs, SpmcMode, SysRegs, World};
use core::fmt;
use list::every_extension;

pub(crate) mod list;

/// One extension, as `extension!` declares it.
pub trait Extension {
    /// Its name for the boot message, without `FEAT_`; empty for what is no extension of its own.
    const NAME: &str;
    /// EL3's controls of it. Where a bit of SCR_EL3 opens it to the secure world on its first use, all
    /// its groups are switched from then on only.
    const OPENS: &[Control];
    /// The exception class (ESR_EL3.EC) of its trapped instructions, besides that of MSR and MRS.
    const TRAP_CLASS: Option<u64>;
    /// Few CPUs have it: one test covers it and all others of the kind.
    const RARE: bool;
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
///     [found: rarely;]              `Extension::RARE`: few CPUs have it
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
        $(found: $rare:ident;)?
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
            const RARE: bool = $crate::cpu_ext::extension!(@flag $($rare)?);
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

        /// The extensions' names.
        const NAMES: &[(Feature, &str)] =
            &[$($((Feature::$EXTENSION, $module::$EXTENSION::NAME)),+),*];

        /// EL3's controls, by extension.
        pub const CONTROLS: &[(Feature, &[Control])] =
            &[$($((Feature::$EXTENSION, $module::$EXTENSION::OPENS)),+),*];

        /// EL3's registers with all traps set that are not open to both worlds on every CPU.
        pub const TRAPS: El3Regs = El3Regs::EMPTY
            $($(.or(Opening::traps(<$module::$EXTENSION as Extension>::OPENS)))+)*;

        /// Opens in EL3's registers what `world` starts with of `features`.
        pub fn open(features: Features, world: World, el3: &mut El3Regs) {
            match world {
                World::Normal => {$($(
                    if features.has(Feature::$EXTENSION) {
                        const { Opening::of($module::$EXTENSION::OPENS, World::Normal) }.apply(el3);
                    }
                )+)*}
                World::Secure => {$($(
                    if features.has(Feature::$EXTENSION) {
                        const { Opening::of($module::$EXTENSION::OPENS, World::Secure) }.apply(el3);
                    }
                )+)*}
            }
        }

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

        /// Exchanges the registers of an extension that the secure world gets on its first use with
        /// `parked`, as far as they are switched in `mode`.
        ///
        /// # Safety
        ///
        /// The CPU has the extension, and no code at EL3 relies on what its registers hold.
        pub unsafe fn swap_first_use(feature: Feature, mode: SpmcMode, parked: &mut SysRegs) {
            $($(if const { Control::first_use(<$module::$EXTENSION as Extension>::OPENS) != 0 }
                && feature == Feature::$EXTENSION
            {
                type Of = $module::$EXTENSION;
                // SAFETY: as the caller promises.
                unsafe {
                    parked.common.swap_group::<<Of as Extension>::Common>();
                    if mode.el1() {
                        parked.el1.swap_group::<<Of as Extension>::El1>();
                    }
                    if mode.el2() {
                        parked.el2.swap_group::<<Of as Extension>::El2>();
                    }
                }
            })+)*
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

/// How many extensions the secure world gets on its first use.
const FIRST_USES: usize = {
    let (mut count, mut i) = (0, 0);
    while i < CONTROLS.len() {
        count += (Control::first_use(CONTROLS[i].1) != 0) as usize;
        i += 1;
    }
    count
};

/// The extensions that the secure world gets on its first use, with the bits of SCR_EL3 that open them.
pub const ON_FIRST_USE: [(Feature, u64); FIRST_USES] = {
    let mut found = [(Feature::COUNT, 0); FIRST_USES];
    let (mut count, mut i) = (0, 0);
    while i < CONTROLS.len() {
        let scr = Control::first_use(CONTROLS[i].1);
        if scr != 0 {
            found[count] = (CONTROLS[i].0, scr);
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
            if !name.is_empty() && self.has(*feature) {
                f.write_str(separator)?;
                f.write_str(name)?;
                separator = " ";
            }
        }
        Ok(())
    }
}
