//! The macro `sysregs!`: a table of registers becomes the functions that read and write them.
//!
//! A line has the register's name, the type of its value, and the functions that there are:
//!
//! * `read`: reads it. Reading may acknowledge an interrupt, and does nothing else.
//! * `write`: writes it. Any value may be written at any time: it changes which interrupts this core takes or sends.
//! * `unsafe write`: a value can do more: change which copy of other registers is meant, make registers undefined, or
//!   tell the GIC that interrupts are active that are not.
//!
//! The assembler knows each register by its name. With the feature `fakes` the functions use a value in memory, in
//! `SYSREGS` of the table.

/// The value of a register.
pub trait Value: Copy {
    /// Makes it of the register's bits.
    fn of(bits: u64) -> Self;
    /// Returns the register's bits.
    fn get(self) -> u64;
}

impl Value for u64 {
    #[inline(always)]
    fn of(bits: u64) -> Self {
        bits
    }

    #[inline(always)]
    fn get(self) -> u64 {
        self
    }
}

/// Declares a table of registers: the modules `accessors` and, with the feature `fakes`, `fake`.
macro_rules! sysregs {
    ($($register:ident: $Value:ident, $($($access:ident)+),+;)+) => {
        /// The functions that read and write the registers.
        #[cfg(any(feature = "fakes", target_arch = "aarch64"))]
        pub mod accessors {
            #[allow(unused_imports)]
            use super::registers::*;
            $($(
                sysregs! { @function $register $Value $($access)+ }
            )+)+
        }

        /// The registers' values in memory.
        #[cfg(feature = "fakes")]
        pub mod fake {
            #[allow(unused_imports)]
            use super::registers::*;
            use std::sync::{LazyLock, Mutex};

            /// The values. All are zero at first.
            pub static SYSREGS: LazyLock<Mutex<SystemRegisters>> = LazyLock::new(Mutex::default);

            /// A value for each register of the table.
            #[derive(Clone, Debug, Default, Eq, PartialEq)]
            pub struct SystemRegisters {
                $(
                    #[doc = concat!("`", stringify!($register), "`.")]
                    pub $register: $Value,
                )+
            }
        }
    };
    (@function $register:ident $Value:ident read $name:ident) => {
        #[doc = concat!("Reads `", stringify!($register), "`.")]
        #[inline(always)]
        pub fn $name() -> $Value {
            #[cfg(feature = "fakes")]
            return super::fake::SYSREGS.lock().unwrap().$register;
            #[cfg(not(feature = "fakes"))]
            {
                let bits: u64;
                // SAFETY: reading a register of these tables changes no memory, and at most acknowledges an interrupt.
                unsafe {
                    core::arch::asm!(concat!("mrs {}, ", stringify!($register)), out(reg) bits,
                        options(nomem, nostack, preserves_flags));
                }
                $crate::table::Value::of(bits)
            }
        }
    };
    (@function $register:ident $Value:ident write $name:ident) => {
        #[doc = concat!("Writes `", stringify!($register), "`.")]
        #[inline(always)]
        pub fn $name(value: $Value) {
            sysregs!(@write $register value);
        }
    };
    (@function $register:ident $Value:ident unsafe write $name:ident) => {
        #[doc = concat!("Writes `", stringify!($register), "`.")]
        ///
        /// # Safety
        ///
        /// What this core executes until the next write, lower exception levels included, is right with this value.
        #[inline(always)]
        pub unsafe fn $name(value: $Value) {
            sysregs!(@write $register value);
        }
    };
    (@write $register:ident $value:ident) => {
        #[cfg(feature = "fakes")]
        {
            super::fake::SYSREGS.lock().unwrap().$register = $value;
        }
        #[cfg(not(feature = "fakes"))]
        // SAFETY: any value may be written at any time, or the caller promises that this one may: the table says which.
        unsafe {
            core::arch::asm!(concat!("msr ", stringify!($register), ", {}"),
                in(reg) $crate::table::Value::get($value), options(nostack, preserves_flags));
        }
    };
}
