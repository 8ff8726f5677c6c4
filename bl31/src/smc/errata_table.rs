//! The table of CPU errata with their revisions, for the CPU models that the platforms can have.
//!
//! Numbers and revisions are those of Arm's Software Developer Errata Notices. A revision is a byte made from MIDR_EL1:
//! the variant (r) in the upper half, the revision (p) in the lower.

/// An erratum and the revisions that have it.
#[derive(Clone, Copy)]
pub struct Erratum {
    /// The number of the erratum.
    pub number: u32,
    /// The first revision that has it.
    pub first: u8,
    /// The last revision that has it; 0xff if all later ones have it.
    pub last: u8,
}

impl Erratum {
    /// Returns whether this revision has the erratum.
    pub fn affects(&self, revision: u8) -> bool {
        (self.first..=self.last).contains(&revision)
    }
}

const fn e(number: u32, first: u8, last: u8) -> Erratum {
    Erratum {
        number,
        first,
        last,
    }
}

/// The errata of Arm's models, by MIDR_EL1.PartNum.
#[rustfmt::skip]
pub const ERRATA: &[(u16, &[Erratum])] = &[
    (0xd03, &[ // Cortex-A53
        e(819472, 0x00, 0x01),
        e(824069, 0x00, 0x02),
        e(826319, 0x00, 0x02),
        e(827319, 0x00, 0x02),
        e(836870, 0x00, 0x03),
        e(855873, 0x03, 0xff),
        e(1530924, 0x00, 0xff),
    ]),
    (0xd04, &[ // Cortex-A35
        e(855472, 0x00, 0x00),
    ]),
    (0xd05, &[ // Cortex-A55
        e(768277, 0x00, 0x00),
        e(798797, 0x00, 0x00),
        e(846532, 0x00, 0x01),
        e(903758, 0x00, 0x01),
        e(1221012, 0x00, 0x10),
        e(1530923, 0x00, 0xff),
    ]),
    (0xd07, &[ // Cortex-A57
        e(806969, 0x00, 0x00),
        e(813419, 0x00, 0x00),
        e(813420, 0x00, 0x00),
        e(814670, 0x00, 0x00),
        e(817169, 0x00, 0x01),
        e(817171, 0x00, 0x01),
        e(826974, 0x00, 0x11),
        e(826977, 0x00, 0x11),
        e(828024, 0x00, 0x11),
        e(829520, 0x00, 0x12),
        e(833471, 0x00, 0x12),
        e(836019, 0x00, 0xff),
        e(859972, 0x00, 0x13),
        e(1319537, 0x00, 0xff),
    ]),
    (0xd08, &[ // Cortex-A72
        e(859971, 0x00, 0x03),
        e(1319367, 0x00, 0xff),
    ]),
    (0xd0b, &[ // Cortex-A76
        e(1073348, 0x00, 0x10),
        e(1130799, 0x00, 0x20),
        e(1165347, 0x00, 0x20),
        e(1207823, 0x00, 0x20),
        e(1220197, 0x00, 0x20),
        e(1257314, 0x00, 0x30),
        e(1262606, 0x00, 0x30),
        e(1262888, 0x00, 0x30),
        e(1275112, 0x00, 0x30),
        e(1791580, 0x00, 0x40),
        e(1868343, 0x00, 0x40),
        e(1946160, 0x00, 0xff),
        e(2356586, 0x00, 0xff),
        e(2743102, 0x00, 0x41),
        e(3888013, 0x00, 0xff),
    ]),
    (0xd0c, &[ // Neoverse-N1
        e(925373, 0x00, 0x00),
        e(1043202, 0x00, 0x10),
        e(1073348, 0x00, 0x10),
        e(1130799, 0x00, 0x20),
        e(1165347, 0x00, 0x20),
        e(1207823, 0x00, 0x20),
        e(1220197, 0x00, 0x20),
        e(1257314, 0x00, 0x30),
        e(1262606, 0x00, 0x30),
        e(1262888, 0x00, 0x30),
        e(1275112, 0x00, 0x30),
        e(1315703, 0x00, 0x30),
        e(1542419, 0x30, 0x40),
        e(1791580, 0x00, 0x40),
        e(1868343, 0x00, 0x40),
        e(1946160, 0x30, 0x41),
        e(2743102, 0x00, 0x41),
        e(3324349, 0x00, 0x41),
        e(3888013, 0x00, 0xff),
    ]),
    (0xd40, &[ // Neoverse-V1
        e(1542436, 0x00, 0x00),
        e(1618634, 0x00, 0x00),
        e(1618635, 0x00, 0x00),
        e(1618636, 0x00, 0x00),
        e(1619807, 0x00, 0x00),
        e(1654562, 0x00, 0x00),
        e(1674403, 0x00, 0x00),
        e(1774420, 0x00, 0x10),
        e(1791573, 0x00, 0x10),
        e(1852267, 0x00, 0x10),
        e(1925756, 0x00, 0x11),
        e(1940577, 0x10, 0x11),
        e(1966096, 0x10, 0x11),
        e(2139242, 0x00, 0x11),
        e(2216392, 0x10, 0x11),
        e(2294912, 0x00, 0x12),
        e(2348377, 0x00, 0x11),
        e(2372203, 0x00, 0x11),
        e(2743093, 0x00, 0x12),
        e(2743233, 0x00, 0x12),
        e(2779461, 0x00, 0x12),
        e(3888016, 0x00, 0xff),
    ]),
    (0xd47, &[ // Cortex-A710
        e(1785648, 0x00, 0x00),
        e(1793423, 0x00, 0x00),
        e(1847092, 0x00, 0x00),
        e(1887102, 0x00, 0x10),
        e(1901946, 0x10, 0x10),
        e(1916945, 0x00, 0x10),
        e(1917258, 0x00, 0x10),
        e(1927200, 0x00, 0x10),
        e(1987031, 0x00, 0x20),
        e(2008768, 0x00, 0x20),
        e(2017096, 0x00, 0x20),
        e(2055002, 0x10, 0x20),
        e(2081180, 0x00, 0x20),
        e(2083908, 0x20, 0x20),
        e(2136059, 0x00, 0x20),
        e(2147715, 0x20, 0x20),
        e(2216384, 0x00, 0x20),
        e(2267065, 0x00, 0x20),
        e(2282622, 0x00, 0x21),
        e(2291219, 0x00, 0x20),
        e(2371105, 0x00, 0x20),
        e(2742423, 0x00, 0x21),
        e(2768515, 0x00, 0x21),
        e(2778471, 0x00, 0x21),
        e(3324338, 0x00, 0x21),
        e(3701772, 0x00, 0x21),
        e(3888122, 0x00, 0xff),
        e(4302969, 0x00, 0xff),
    ]),
    (0xd49, &[ // Neoverse-N2
        e(2002655, 0x00, 0x00),
        e(2009478, 0x00, 0x00),
        e(2025414, 0x00, 0x00),
        e(2067956, 0x00, 0x00),
        e(2138953, 0x00, 0x03),
        e(2138956, 0x00, 0x00),
        e(2138958, 0x00, 0x00),
        e(2189731, 0x00, 0x00),
        e(2242400, 0x00, 0x00),
        e(2242415, 0x00, 0x00),
        e(2280757, 0x00, 0x00),
        e(2326639, 0x00, 0x00),
        e(2340933, 0x00, 0x00),
        e(2346952, 0x00, 0x02),
        e(2376738, 0x00, 0x03),
        e(2388450, 0x00, 0x00),
        e(2743014, 0x00, 0x02),
        e(2743089, 0x00, 0x02),
        e(2779511, 0x00, 0x02),
        e(3324339, 0x00, 0x03),
        e(3701773, 0x00, 0x03),
        e(3888123, 0x00, 0x03),
        e(4302970, 0x00, 0x03),
    ]),
];
