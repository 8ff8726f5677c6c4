//! Which FVP this is, and turning it off: the system registers of the motherboard.

use super::{read, write};
use crate::{SocId, Stop, WrongMachine};

const SYS_ID: usize = 0x1c01_0000;
const SYS_CFGCTRL: usize = 0x1c01_00a4;
/// Start, write; the function is in bits 25:20.
const CFGCTRL_START: u32 = 1 << 31 | 1 << 30;
const SHUTDOWN: u32 = 8 << 20;
const REBOOT: u32 = 9 << 20;

/// The FVPs that Janus has to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// FVP_Base_RevC-2xAEMvA and its relatives: CCI-550, SMMUv3.
    RevC,
    /// The older Base FVPs: CCI-400.
    Base,
    /// The Foundation FVP: one cluster, no interconnect, no TZC.
    Foundation,
}

impl Variant {
    /// The variant that a SYS_ID names: revision in bits 31:28, board in 27:16, the memory map (with a
    /// GICv3) in 15:12, and that it is a model in 11:8.
    ///
    /// # Errors
    ///
    /// It is another board, or one with a GIC of the older memory map.
    pub const fn of(sys_id: u32) -> Result<Self, WrongMachine> {
        const BASE: u32 = 0x020;
        const FOUNDATION: u32 = 0x010;
        const REV_C: u32 = 2;
        let (revision, board) = (sys_id >> 28, sys_id >> 16 & 0xfff);
        let (map, architecture) = (sys_id >> 12 & 0xf, sys_id >> 8 & 0xf);
        match (board, map, architecture) {
            (BASE, 1, 1) if revision >= REV_C => Ok(Self::RevC),
            (BASE, 1, 1) => Ok(Self::Base),
            (FOUNDATION, 1, 1) => Ok(Self::Foundation),
            _ => Err(WrongMachine {
                register: "SYS_ID",
                value: sys_id,
                wanted: "Arm's Base and Foundation FVPs with the memory map of a GICv3",
            }),
        }
    }

    /// Reads what this machine is from its SYS_ID.
    ///
    /// # Errors
    ///
    /// As [`Variant::of`].
    pub fn here() -> Result<Self, WrongMachine> {
        Self::of(read(SYS_ID))
    }

    /// Its name, for the boot line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RevC => "FVP Base RevC",
            Self::Base => "FVP Base",
            Self::Foundation => "Foundation FVP",
        }
    }

    /// Returns whether a TZC-400 keeps the worlds' DRAM apart.
    pub const fn has_tzc(self) -> bool {
        !matches!(self, Self::Foundation)
    }
}

/// Arm's JEP-106 code, and a number of the FVP's; the board's revision.
pub fn soc_id() -> SocId {
    SocId {
        version: 0x043b_0000,
        revision: read(SYS_ID) >> 28,
    }
}

/// Turns the machine off, or resets it.
pub fn stop(how: Stop) {
    let function = match how {
        Stop::Off { .. } => SHUTDOWN,
        Stop::Reset(_) => REBOOT,
    };
    write(SYS_CFGCTRL, CFGCTRL_START | function);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards() {
        for (sys_id, variant) in [
            (0x2020_1100, Variant::RevC),
            (0x0020_1100, Variant::Base),
            (0x1020_1100, Variant::Base),
            (0x3010_1100, Variant::Foundation),
            (0x0010_1100, Variant::Foundation),
        ] {
            assert_eq!(Variant::of(sys_id), Ok(variant), "{sys_id:#x}");
        }
        // Juno; the older memory map; no model; nothing there.
        for sys_id in [0x0252_1100, 0x2020_0100, 0x2020_1000, 0, u32::MAX] {
            assert_eq!(
                Variant::of(sys_id).map_err(|wrong| wrong.value),
                Err(sys_id)
            );
        }
    }
}
