//! One declaration for each list of registers: `registers!` and `bank!`.
//!
//! A list is written once, as `field = "REGISTER"`. The macro makes three things from it: the fields that keep the
//! values, the code that exchanges them, and the table for the tests. So the registers that are saved and those that
//! are restored cannot differ.
//!
//! `bank!` makes a bank from groups of the architecture's base, and from the groups of all extensions
//! ([`crate::cpu_ext`]).
//!
//! The code is straight-line. It exchanges two registers at a time with the bank, which keeps
//! the values of the world that is not in the CPU:
//!
//! ```text
//! mrs  t0, A          ldp  t2, t3, [bank]         msr  A, t2
//! mrs  t1, B          stp  t0, t1, [bank]         msr  B, t3
//! ```
//!
//! That is three instructions per register, which is the least that the architecture allows, and each cache line is
//! touched once. A core that comes on has nothing to save: there the registers are only loaded. `bank` points `AROUND`
//! bytes into a bank, so that the signed offset of `ldp` reaches all of it. The banks that an SPMC at S-EL1 switches
//! have one pointer, which is in the first of them.
//!
//! A register that the assembler may not know, because the target lacks the extension, is written in
//! the generic form `S<op0>_<op1>_C<n>_C<m>_<op2>`.

/// How far below its pointer a bank may begin, in bytes: `ldr` reaches that far downwards. (`ldp` reaches twice as far,
/// but the last register of an odd number goes alone.)
pub const BELOW: usize = 256;

/// How far above its pointer a bank may end, in bytes: `ldp` reaches offset 504 upwards.
pub const ABOVE: usize = 504 + 8;

/// Returns the number `op0:op1:CRn:CRm:op2` of a register in the generic form `S<op0>_<op1>_C<n>_C<m>_<op2>`. Returns
/// zero for any other name.
pub const fn number(encoding: &str) -> u16 {
    let bytes = encoding.as_bytes();
    let (mut fields, mut field, mut i) = ([0_u16; 5], 0, 1);
    if bytes.is_empty() || bytes[0] != b'S' {
        return 0;
    }
    while i < bytes.len() {
        match bytes[i] {
            b'_' => field += 1,
            b'C' => {}
            digit @ b'0'..=b'9' if field < 5 => {
                fields[field] = fields[field] * 10 + (digit - b'0') as u16;
            }
            _ => return 0,
        }
        i += 1;
    }
    fields[0] << 14 | fields[1] << 11 | fields[2] << 7 | fields[3] << 3 | fields[4]
}

/// One register of a list, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// The name of the field: the architecture's name in lower case.
    pub name: &'static str,
    /// The name that the assembler is given.
    pub encoding: &'static str,
    /// The offset from the start of its bank, in bytes.
    pub offset: usize,
}

/// One list of registers and the code made from it, for tests.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The group's name.
    pub name: &'static str,
    /// The registers, in the order in which they are switched.
    pub registers: &'static [Register],
    /// Whether the registers are kept for one world.
    pub kept: bool,
    /// The code that exchanges the registers, as text for the assembler, with fields' names for offsets. For registers
    /// that are kept for one world, the code that saves them.
    pub code: &'static str,
    /// The code that loads them.
    pub load_code: &'static str,
}

/// A group of registers that are switched together. `registers!` declares one; `()` is a group without registers.
pub trait Group {
    /// The group with all registers zero.
    const EMPTY: Self;
    /// The list of the registers; None for `()`.
    const LIST: Option<List>;

    /// Returns whether the group has the register with this [`number`].
    fn has(number: u16) -> bool;

    /// Exchanges the registers with those of the bank around `bank`.
    ///
    /// # Safety
    ///
    /// `bank` points `AROUND` bytes into the group's bank, which nobody else uses. The CPU has the
    /// registers, and no code at EL3 relies on what they hold.
    unsafe fn swap(bank: *mut u8);

    /// Loads the registers from the bank around `bank`.
    ///
    /// # Safety
    ///
    /// As for `swap`.
    unsafe fn load(bank: *const u8);
}

impl Group for () {
    const EMPTY: Self = ();
    const LIST: Option<List> = None;

    #[inline(always)]
    fn has(_: u16) -> bool {
        false
    }

    #[inline(always)]
    unsafe fn swap(_: *mut u8) {}

    #[inline(always)]
    unsafe fn load(_: *const u8) {}
}

/// Makes the code that exchanges the registers of a list in pairs; see the module's documentation.
macro_rules! pair_code {
    ([$($text:expr),*]) => { concat!($($text),*) };
    ([$($text:expr),*] $a:ident $reg_a:literal) => {
        concat!($($text,)*
            "mrs {t0}, ", $reg_a, "\n",
            "ldr {t2}, [{bank}, #{", stringify!($a), "}] // {t1}, {t3} unused\n",
            "str {t0}, [{bank}, #{", stringify!($a), "}]\n",
            "msr ", $reg_a, ", {t2}\n")
    };
    ([$($text:expr),*] $a:ident $reg_a:literal $b:ident $reg_b:literal $($rest:tt)*) => {
        $crate::registers::pair_code!([$($text,)*
            "mrs {t0}, ", $reg_a, "\n",
            "mrs {t1}, ", $reg_b, "\n",
            "ldp {t2}, {t3}, [{bank}, #{", stringify!($a), "}] // and {", stringify!($b), "}\n",
            "stp {t0}, {t1}, [{bank}, #{", stringify!($a), "}]\n",
            "msr ", $reg_a, ", {t2}\n",
            "msr ", $reg_b, ", {t3}\n"] $($rest)*)
    };
}
pub(crate) use pair_code;

/// Makes the code that only saves the registers of a list.
macro_rules! save_code {
    ([$($text:expr),*]) => { concat!($($text),*) };
    ([$($text:expr),*] $a:ident $reg_a:literal) => {
        concat!($($text,)*
            "mrs {t0}, ", $reg_a, " // {t1} unused\n",
            "str {t0}, [{bank}, #{", stringify!($a), "}]\n")
    };
    ([$($text:expr),*] $a:ident $reg_a:literal $b:ident $reg_b:literal $($rest:tt)*) => {
        $crate::registers::save_code!([$($text,)*
            "mrs {t0}, ", $reg_a, "\n",
            "mrs {t1}, ", $reg_b, "\n",
            "stp {t0}, {t1}, [{bank}, #{", stringify!($a), "}] // and {", stringify!($b), "}\n"]
            $($rest)*)
    };
}
pub(crate) use save_code;

/// Makes the code that only loads the registers of a list.
macro_rules! load_code {
    ([$($text:expr),*]) => { concat!($($text),*) };
    ([$($text:expr),*] $a:ident $reg_a:literal) => {
        concat!($($text,)*
            "ldr {t0}, [{bank}, #{", stringify!($a), "}] // {t1} unused\n",
            "msr ", $reg_a, ", {t0}\n")
    };
    ([$($text:expr),*] $a:ident $reg_a:literal $b:ident $reg_b:literal $($rest:tt)*) => {
        $crate::registers::load_code!([$($text,)*
            "ldp {t0}, {t1}, [{bank}, #{", stringify!($a), "}] // and {", stringify!($b), "}\n",
            "msr ", $reg_a, ", {t0}\n",
            "msr ", $reg_b, ", {t1}\n"]
            $($rest)*)
    };
}
pub(crate) use load_code;

/// Declares a group of registers that are switched together, at a field of a bank:
///
/// ```text
/// registers! {
///     /// FEAT_HCX.
///     pub struct Hcx in El2Bank.hcx { hcrx_el2 = "S3_4_C1_C2_2" }
/// }
/// ```
///
/// The group gets one `u64` field per register and `swap(bank)`. A `kept struct` gets `save` and `load` instead. It is
/// for registers that belong to one world and are restored after the other world ran.
macro_rules! registers {
    ($(#[$doc:meta])* pub kept struct $Group:ident in $Bank:ident.$field:ident {
        $($reg:ident = $encoding:literal),+ $(,)?
    }) => {
        $crate::registers::registers! {
            @fields $(#[$doc])* $Group $Bank $field [true save_code] $($reg $encoding)+
        }

        impl $Group {
            /// Saves the registers to the bank around `bank`.
            ///
            /// # Safety
            ///
            /// As for `load`.
            #[inline(always)]
            pub unsafe fn save(bank: *mut u8) {
                $crate::registers::registers!(@asm $Bank $field bank
                    save_code [$($reg $encoding)+])
            }

            /// Loads the registers from the bank around `bank`.
            ///
            /// # Safety
            ///
            /// `bank` points `AROUND` bytes into a bank. The CPU has the registers, and no code at EL3
            /// relies on what they hold.
            #[inline(always)]
            pub unsafe fn load(bank: *const u8) {
                $crate::registers::registers!(@asm $Bank $field bank
                    load_code [$($reg $encoding)+])
            }
        }
    };
    (@asm $Bank:ident $field:ident $bank:ident $code:ident [$($reg:ident $encoding:literal)+]) => {{
        #[cfg(not(target_os = "none"))]
        let _ = $bank;
        #[cfg(target_os = "none")]
        // SAFETY: as the caller promises; the offsets are those of the group's fields.
        unsafe {
            core::arch::asm!(
                $crate::registers::$code!([] $($reg $encoding)+),
                $($reg = const core::mem::offset_of!($crate::$Bank, $field.$reg)
                    as isize - $crate::$Bank::AROUND as isize,)+
                bank = in(reg) $bank,
                t0 = out(reg) _,
                t1 = out(reg) _,
                options(nostack, preserves_flags),
            );
        }
    }};
    (@fields $(#[$doc:meta])* $Group:ident $Bank:ident $field:ident [$kept:literal $code:ident]
        $($reg:ident $encoding:literal)+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub struct $Group {
            $(#[doc = concat!("`", stringify!($reg), "`.")] pub $reg: u64),+
        }

        impl $Group {
            /// All zero.
            pub const EMPTY: Self = Self { $($reg: 0),+ };

            $crate::registers::registers! {
                @list $Group $Bank $field [$kept $code] [$($reg $encoding)+]
            }
        }
    };
    (@list $Group:ident $Bank:ident $field:ident [$kept:literal $code:ident]
        [$($reg:ident $encoding:literal)+]
    ) => {
        /// The list.
        pub const LIST: $crate::registers::List = $crate::registers::List {
            name: stringify!($Group),
            registers: &[$($crate::registers::Register {
                name: stringify!($reg),
                encoding: $encoding,
                offset: core::mem::offset_of!($crate::$Bank, $field.$reg),
            }),+],
            kept: $kept,
            code: $crate::registers::$code!([] $($reg $encoding)+),
            load_code: $crate::registers::load_code!([] $($reg $encoding)+),
        };
    };
    ($(#[$doc:meta])* pub struct $Group:ident in $Bank:ident.$field:ident {
        $($reg:ident = $encoding:literal),+ $(,)?
    }) => {
        $crate::registers::registers! {
            @fields $(#[$doc])* $Group $Bank $field [false pair_code] $($reg $encoding)+
        }

        impl $crate::registers::Group for $Group {
            const EMPTY: Self = Self::EMPTY;
            const LIST: Option<$crate::registers::List> = Some(Self::LIST);

            #[inline(always)]
            fn has(number: u16) -> bool {
                $(number == const { $crate::registers::number($encoding) })||+
            }

            #[inline(always)]
            unsafe fn swap(bank: *mut u8) {
                #[cfg(not(target_os = "none"))]
                let _ = bank;
                #[cfg(target_os = "none")]
                // SAFETY: as the caller promises; the offsets are those of the group's fields.
                unsafe {
                    core::arch::asm!(
                        $crate::registers::pair_code!([] $($reg $encoding)+),
                        $($reg = const core::mem::offset_of!($crate::$Bank, $field.$reg)
                            as isize - $crate::$Bank::AROUND as isize,)+
                        bank = in(reg) bank,
                        t0 = out(reg) _,
                        t1 = out(reg) _,
                        t2 = out(reg) _,
                        t3 = out(reg) _,
                        options(nostack, preserves_flags),
                    );
                }
            }

            #[inline(always)]
            unsafe fn load(bank: *const u8) {
                $crate::registers::registers!(@asm $Bank $field bank
                    load_code [$($reg $encoding)+])
            }
        }
    };
}
pub(crate) use registers;

/// Exchanges (`swap`) or loads (`load`) the group that an extension has in one bank, if it has one, if groups like it
/// are tested as `$Asked` says, and if `$holds` is true.
macro_rules! swap_asked {
    ($what:ident $Extension:path, $Which:ident, $bank:ident, $Asked:ident, $holds:expr) => {
        if const {
            matches!($crate::cpu_ext::asked::<$Extension>(), $crate::cpu_ext::Asked::$Asked)
                                        && <<$Extension as $crate::cpu_ext::Extension>::$Which as
                                            $crate::registers::Group>::LIST.is_some()
        } && $holds
        {
            <<$Extension as $crate::cpu_ext::Extension>::$Which as
                                        $crate::registers::Group>::$what($bank);
        }
    };
}
pub(crate) use swap_asked;

/// Declares a bank: the registers that are switched together in one mode of the SPMC.
///
/// ```text
/// bank! {
///     (
///         /// The registers that are switched if the SPMC runs at S-EL1.
///         pub struct El1Bank: El1, around [80] {
///             base { el1: El1 }
///             kept { }
///         }
///     )
///     sve: SVE;  …  the list of extensions
/// }
/// ```
///
/// `around` says where the pointer of the bank's code points: so many bytes into the bank. `base` is always switched. `kept` is in the bank, but other code saves and loads it. Each extension of the
/// list adds the group that it names as its `El1`, in a field of the extension's name.
///
/// Most groups need no test of their own ([`Groups`](crate::Groups)). A CPU that has all groups that most CPUs
/// have exchanges them without a test ([`Switch::StraightEl2`](crate::Switch)); on another CPU each is tested.
/// Groups that open to the secure world on its first use are each tested only if any of them is open or any rare group is
/// there ([`Switch::More`](crate::Switch)), groups that few CPUs have only if any of them is there
/// ([`Switch::Rare`](crate::Switch)).
macro_rules! bank {
    (
        (
            $(#[$doc:meta])* pub struct $Bank:ident: $Which:ident, around [$around:expr] {
                base { $($base:ident: $Base:ty),* $(,)? }
                kept { $($kept:ident: $Kept:ty),* $(,)? }
            }
        )
        $($module:ident: $($EXTENSION:ident),+;)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C, align(16))]
        #[allow(non_snake_case)]
        pub struct $Bank {
            $(#[doc = "Always switched."] pub $base: $Base,)*
            $(#[doc = "Not switched by `swap`."] pub $kept: $Kept,)*
            $($(
                #[doc = concat!("With ", stringify!($EXTENSION), ".")]
                pub $EXTENSION:
                    <$crate::cpu_ext::$module::$EXTENSION as $crate::cpu_ext::Extension>::$Which,
            )+)*
        }

        // `ldp` must reach all of it.
        const _: () = assert!(
            $Bank::AROUND <= $crate::registers::BELOW
                && size_of::<$Bank>() <= $Bank::AROUND + $crate::registers::ABOVE
        );

        impl $Bank {
            /// Where the pointer that the lists of registers use points, in bytes from the start of the bank.
            pub const AROUND: usize = $around;

            /// Returns the pointer that the lists of registers use to load.
            #[inline(always)]
            pub(crate) fn around(&self) -> *const u8 {
                core::ptr::from_ref(self).cast::<u8>().wrapping_add(Self::AROUND)
            }

            /// Returns the pointer that the lists of registers use to save and to exchange.
            #[inline(always)]
            pub(crate) fn around_mut(&mut self) -> *mut u8 {
                core::ptr::from_mut(self).cast::<u8>().wrapping_add(Self::AROUND)
            }

            /// All zero.
            pub const EMPTY: Self = Self {
                $($base: <$Base>::EMPTY,)*
                $($kept: <$Kept>::EMPTY,)*
                $($(
                    $EXTENSION: <<$crate::cpu_ext::$module::$EXTENSION as
                        $crate::cpu_ext::Extension>::$Which as
                        $crate::registers::Group>::EMPTY,
                )+)*
            };

            /// The lists of the base.
            #[cfg(test)]
            pub const BASE_LISTS: &'static [$crate::registers::List] =
                &[$(<$Base>::LIST,)* $(<$Kept>::LIST,)*];

            /// The extensions that have a group in this bank.
            pub const GROUPS: $crate::Groups = {
                const fn all(asked: $crate::cpu_ext::Asked) -> $crate::Features {
                    let mut features = $crate::Features::NONE;
                    $($({
                        type Extension = $crate::cpu_ext::$module::$EXTENSION;
                        type Group = <Extension as $crate::cpu_ext::Extension>::$Which;
                        if $crate::cpu_ext::asked::<Extension>() as u8 == asked as u8
                            && <Group as $crate::registers::Group>::LIST.is_some()
                        {
                            features.insert($crate::Feature::$EXTENSION);
                        }
                    })+)*
                    features
                }
                $crate::Groups {
                    usual: all($crate::cpu_ext::Asked::WithUsual),
                    late: all($crate::cpu_ext::Asked::WithLate),
                    rare: all($crate::cpu_ext::Asked::WithRare),
                }
            };

            /// Exchanges one group alone.
            ///
            /// # Safety
            ///
            /// As for [`Group::swap`](crate::registers::Group::swap); the group is of this bank.
            pub unsafe fn swap_group<G: $crate::registers::Group>(&mut self) {
                // SAFETY: as the caller promises.
                unsafe { G::swap(self.around_mut()) }
            }

            /// Loads one group alone.
            ///
            /// # Safety
            ///
            /// As for [`Group::load`](crate::registers::Group::load); the group is of this bank.
            pub unsafe fn load_group<G: $crate::registers::Group>(&self) {
                // SAFETY: as the caller promises.
                unsafe { G::load(self.around()) }
            }

            /// Loads the CPU's registers from `self`: the base, and all groups in `switched`.
            ///
            /// # Safety
            ///
            /// As for `swap`.
            #[inline(always)]
            pub(crate) unsafe fn load(&self, switched: $crate::Switched) {
                use $crate::registers::swap_asked;
                let bank = self.around();
                // SAFETY: as in `swap`.
                unsafe {
                    $(<$Base as $crate::registers::Group>::load(bank);)*
                    $($(swap_asked!(
                        load $crate::cpu_ext::$module::$EXTENSION, $Which, bank,
                        WithUsual, switched.has($crate::Feature::$EXTENSION)
                    );)+)*
                    $($(swap_asked!(
                        load $crate::cpu_ext::$module::$EXTENSION, $Which, bank,
                        Alone, switched.has($crate::Feature::$EXTENSION)
                    );)+)*
                    $($(swap_asked!(
                        load $crate::cpu_ext::$module::$EXTENSION, $Which, bank,
                        WithLate, switched.has($crate::Feature::$EXTENSION)
                    );)+)*
                    $($(swap_asked!(
                        load $crate::cpu_ext::$module::$EXTENSION, $Which, bank,
                        WithRare, switched.has($crate::Feature::$EXTENSION)
                    );)+)*
                }
            }

            /// Exchanges the CPU's registers with those in `self`: the base, the usual groups, and the groups with a
            /// test of their own. `ALL`: all usual groups are in `switched`, so that they need no test.
            ///
            /// # Safety
            ///
            /// The CPU has the features of `switched`, and no code at EL3 relies on what the registers
            /// hold.
            #[inline(always)]
            pub(crate) unsafe fn swap<const ALL: bool>(&mut self, switched: $crate::Switched) {
                use $crate::registers::swap_asked;
                let bank = self.around_mut();
                // SAFETY: the pointer is AROUND bytes from the start of this bank; that need not be in the bank, but
                // the groups' offsets are. The caller promises the rest.
                unsafe {
                    $(<$Base as $crate::registers::Group>::swap(bank);)*
                    $($(swap_asked!(
                        swap $crate::cpu_ext::$module::$EXTENSION, $Which, bank,
                        WithUsual, ALL || switched.has($crate::Feature::$EXTENSION)
                    );)+)*
                    $($(swap_asked!(
                        swap $crate::cpu_ext::$module::$EXTENSION, $Which, bank,
                        Alone, switched.has($crate::Feature::$EXTENSION)
                    );)+)*
                }
            }

            /// Exchanges the late groups.
            ///
            /// # Safety
            ///
            /// As for `swap`.
            #[inline(always)]
            pub(crate) unsafe fn swap_late(&mut self, switched: $crate::Switched) {
                use $crate::registers::swap_asked;
                let bank = self.around_mut();
                // SAFETY: as in `swap`.
                unsafe {
                    $($(swap_asked!(
                        swap $crate::cpu_ext::$module::$EXTENSION, $Which, bank,
                        WithLate, switched.has($crate::Feature::$EXTENSION)
                    );)+)*
                }
            }

            /// Exchanges the rare groups.
            ///
            /// # Safety
            ///
            /// As for `swap`.
            #[inline(always)]
            pub(crate) unsafe fn swap_rare(&mut self, switched: $crate::Switched) {
                use $crate::registers::swap_asked;
                let bank = self.around_mut();
                // SAFETY: as in `swap`.
                unsafe {
                    $($(swap_asked!(
                        swap $crate::cpu_ext::$module::$EXTENSION, $Which, bank,
                        WithRare, switched.has($crate::Feature::$EXTENSION)
                    );)+)*
                }
            }
        }
    };
}
pub(crate) use bank;
