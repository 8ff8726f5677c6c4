// SPDX-License-Identifier: BSD-3-Clause

//! Arm's CPU models by MIDR_EL1, for tables of what a model needs.

/// Returns MIDR_EL1.PartNum if Arm is the implementer.
#[inline]
pub fn arm_part(midr: u64) -> Option<u16> {
    const ARM: u64 = 0x41;
    (midr >> 24 & 0xff == ARM).then_some((midr >> 4 & 0xfff) as u16)
}

/// Looks up the CPU with this MIDR_EL1 in a table of Arm's models, each given by its MIDR_EL1.PartNum.
pub fn find<T: Copy>(models: &[(u16, T)], midr: u64) -> Option<T> {
    let part = arm_part(midr)?;
    let model = models.iter().find(|(of, _)| *of == part);
    model.map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_implementer_and_part() {
        let models = [(0xd07, 1), (0xd08, 2)];
        assert_eq!(find(&models, 0x410f_d083), Some(2));
        assert_eq!(find(&models, 0x411f_d070), Some(1));
        assert_eq!(find(&models, 0x410f_d034), None);
        // The part number of another implementer.
        assert_eq!(find(&models, 0x420f_d083), None);
        assert_eq!(arm_part(0x420f_d083), None);
    }
}
