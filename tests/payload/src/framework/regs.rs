//! The registers of a call or of its answer.

use core::fmt;

/// x0-x17 of a call or of its answer.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Regs(pub [u64; 18]);

impl Regs {
    /// Makes registers with `values` from x0 on, and zero in the others.
    pub fn new(values: &[u64]) -> Self {
        let mut regs = Self::default();
        regs.0[..values.len()].copy_from_slice(values);
        regs
    }

    /// Makes registers with a value that differs for each register, core and `salt`; x0 is `function`.
    pub fn filled(function: u32, core: usize, salt: u64) -> Self {
        let mut regs = Self::default();
        for (n, x) in regs.0.iter_mut().enumerate() {
            // The multiplication by an odd number spreads the few bits that differ over all 64.
            *x = ((core * 32 + n) as u64 * 2 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (salt << 1));
        }
        regs.0[0] = u64::from(function);
        regs
    }

    /// Returns w0: the function ID or the status.
    pub fn function(&self) -> u32 {
        self.0[0] as u32
    }

    /// Returns x`n`.
    pub fn x(&self, n: usize) -> u64 {
        self.0[n]
    }

    /// Returns w`n`.
    pub fn w(&self, n: usize) -> u32 {
        self.0[n] as u32
    }

    /// Returns the registers with x`n` = `value`.
    pub fn with(mut self, n: usize, value: u64) -> Self {
        self.0[n] = value;
        self
    }
}

impl fmt::Display for Regs {
    /// Writes x0 and every register that is not zero.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "x0={:#x}", self.0[0])?;
        for (n, x) in self.0.iter().enumerate().skip(1).filter(|(_, x)| **x != 0) {
            write!(f, " x{n}={x:#x}")?;
        }
        Ok(())
    }
}
