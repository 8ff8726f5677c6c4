//! The values of registers that have fields with names. Sections are those of the GIC architecture specification,
//! IHI 0069, 12.2.

use crate::table::Value;
use core::ops::{BitOr, Sub};

/// Declares types of values, with the bits that have names. They have the functions of the crate bitflags, of which they
/// would use little and take longer to build.
macro_rules! values {
    ($($(#[$doc:meta])* $Name:ident { $($BIT:ident = $bit:literal,)* })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
            pub struct $Name(u64);

            impl $Name {
                $(
                    #[doc = concat!("Bit ", stringify!($bit), ".")]
                    pub const $BIT: Self = Self(1 << $bit);
                )*

                /// Returns the value zero.
                #[inline(always)]
                pub const fn empty() -> Self {
                    Self(0)
                }

                /// Makes a value of the register's bits, with those that have no name here.
                #[inline(always)]
                pub const fn from_bits_retain(bits: u64) -> Self {
                    Self(bits)
                }

                /// Returns the register's bits.
                #[inline(always)]
                pub const fn bits(self) -> u64 {
                    self.0
                }

                /// Returns whether all of these bits are set.
                #[inline(always)]
                pub const fn contains(self, bits: Self) -> bool {
                    self.0 & bits.0 == bits.0
                }

                /// Sets these bits, or clears them.
                #[inline(always)]
                pub const fn set(&mut self, bits: Self, on: bool) {
                    self.0 = self.0 & !bits.0 | if on { bits.0 } else { 0 };
                }
            }

            impl BitOr for $Name {
                type Output = Self;

                #[inline(always)]
                fn bitor(self, bits: Self) -> Self {
                    Self(self.0 | bits.0)
                }
            }

            impl Sub for $Name {
                type Output = Self;

                /// Clears these bits.
                #[inline(always)]
                fn sub(self, bits: Self) -> Self {
                    Self(self.0 & !bits.0)
                }
            }

            impl Value for $Name {
                #[inline(always)]
                fn of(bits: u64) -> Self {
                    Self(bits)
                }

                #[inline(always)]
                fn get(self) -> u64 {
                    self.0
                }
            }
        )+
    };
}

values! {
    /// PSTATE.DAIF: masks debug exceptions, SErrors, IRQs and FIQs.
    Daif { F = 6, I = 7, A = 8, D = 9, }

    /// ICC_CTLR_EL1, of which arm-gic writes zero.
    IccCtlrEl1 {}

    /// The INTID of an interrupt that ends: ICC_EOIR0_EL1 and ICC_EOIR1_EL1.
    IccEoir0El1 {}

    /// An INTID that the GIC tells: ICC_HPPIR0_EL1, ICC_HPPIR1_EL1, ICC_IAR0_EL1 and ICC_IAR1_EL1.
    IccHppir0El1 {}

    /// The enable of a group: ICC_IGRPEN0_EL1 and ICC_IGRPEN1_EL1.
    IccIgrpen0El1 { ENABLE = 0, }

    /// ICC_PMR_EL1: the priority mask.
    IccPmrEl1 {}

    /// An SGI and where it goes: ICC_SGI0R_EL1, ICC_SGI1R_EL1 and ICC_ASGI1R_EL1.
    IccSgi0rEl1 {}

    /// ICC_SRE_EL1: system registers on, no bypass of FIQ, none of IRQ.
    IccSreEl1 { SRE = 0, DFB = 1, DIB = 2, }

    /// ICC_SRE_EL2: as ICC_SRE_EL1; and EL1 may set its own.
    IccSreEl2 { SRE = 0, DFB = 1, DIB = 2, ENABLE = 3, }

    /// ICC_SRE_EL3: as ICC_SRE_EL1; and lower exception levels may set their own.
    IccSreEl3 { SRE = 0, DFB = 1, DIB = 2, ENABLE = 3, }

    /// ICC_CTLR_EL3.
    IccCtlrEl3 {
        CBPR_EL1S = 0,
        CBPR_EL1NS = 1,
        EOIMODE_EL3 = 2,
        EOIMODE_EL1S = 3,
        EOIMODE_EL1NS = 4,
        RM = 5,
        PMHE = 6,
        NDS = 17,
    }

    /// ICC_IGRPEN1_EL3: the enables of both copies of Group 1.
    IccIgrpen1El3 { ENABLEGRP1NS = 0, ENABLEGRP1S = 1, }

    /// SCR_EL3, as far as it says who an interrupt goes to (DDI 0487, D24.2).
    ScrEl3 { NS = 0, IRQ = 1, FIQ = 2, EEL2 = 18, }

    /// ICC_SGI0R.
    IccSgi0r {}

    /// ICC_SGI1R.
    IccSgi1r {}

    /// ICC_ASGI1R.
    IccAsgi1r {}

    /// ICC_EOIR0.
    IccEoir0 {}

    /// ICC_EOIR1.
    IccEoir1 {}
}

/// The bits of an INTID.
const INTID: u64 = 0xff_ffff;

impl IccHppir0El1 {
    /// Returns the INTID.
    #[inline(always)]
    pub const fn intid(self) -> u32 {
        (self.0 & INTID) as u32
    }
}

impl IccPmrEl1 {
    /// Returns the mask: interrupts of a higher priority, that is, of a lower number, are signalled.
    #[inline(always)]
    pub const fn priority(self) -> u8 {
        self.0 as u8
    }

    /// Returns the value with this mask.
    #[inline(always)]
    #[must_use]
    pub const fn with_priority(self, priority: u8) -> Self {
        Self(self.0 & !0xff | priority as u64)
    }
}

impl IccCtlrEl3 {
    /// Returns the number of bits of priority, minus one: bits 10:8.
    #[inline(always)]
    pub const fn pribits(self) -> u8 {
        (self.0 >> 8 & 7) as u8
    }

    /// Returns the value with this number of bits of priority, minus one.
    #[inline(always)]
    #[must_use]
    pub const fn with_pribits(self, bits: u8) -> Self {
        Self(self.0 & !(7 << 8) | (bits as u64 & 7) << 8)
    }
}

/// Gives values the setter of an INTID that arm-gic uses.
macro_rules! with_intid {
    ($($Name:ident),+) => {
        $(
            impl $Name {
                /// Sets the INTID. Bits above 23 are ignored.
                #[inline(always)]
                pub const fn set_intid(&mut self, id: u32) {
                    self.0 = self.0 & !INTID | id as u64 & INTID;
                }
            }
        )+
    };
}

with_intid!(IccEoir0El1, IccEoir0, IccEoir1);
