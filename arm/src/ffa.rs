// SPDX-License-Identifier: BSD-3-Clause

//! FF-A (DEN0077A): its versions.

use core::fmt;

/// An FF-A version: major in bits 30:16, minor in bits 15:0, bit 31 clear.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Version(u32);

impl Version {
    /// FF-A 1.0.
    pub const V1_0: Self = Self::new(1, 0);
    /// FF-A 1.1.
    pub const V1_1: Self = Self::new(1, 1);
    /// FF-A 1.2: 18-register messages.
    pub const V1_2: Self = Self::new(1, 2);
    /// FF-A 1.3, the dispatcher's own.
    pub const V1_3: Self = Self::new(1, 3);
    /// The highest version the dispatcher speaks.
    pub const OWN: Self = Self::V1_3;

    /// Makes version `major`.`minor`. Bit 15 of `major` is ignored.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self(((major as u32 & 0x7FFF) << 16) | minor as u32)
    }

    /// Reads a version from a register's value. `None`: bit 31 is set.
    pub const fn from_register(w: u32) -> Option<Self> {
        if w >> 31 == 0 { Some(Self(w)) } else { None }
    }

    /// The version whose [`to_register`](Self::to_register) was `w`.
    pub const fn from_bits(w: u32) -> Self {
        Self(w)
    }

    /// Returns the version as a register's value.
    pub const fn to_register(self) -> u32 {
        self.0
    }

    /// Returns the major version.
    pub const fn major(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Returns the minor version.
    pub const fn minor(self) -> u16 {
        self.0 as u16
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = (u32::from(self.major()), u32::from(self.minor()));
        write!(f, "{major}.{minor}")
    }
}
