// SPDX-License-Identifier: BSD-3-Clause

//! The table of FF-A calls: one row per call, and what the dispatcher does with it from the normal world and
//! from the SPMC. Read it beside the interface chapters of DEN0077A.
//!
//! The dispatcher enforces `since` only on calls that it answers itself, and in FFA_FEATURES. Forwarded calls
//! are the SPMC's to judge: it knows its caller's version. A normal world that never asked for a version may
//! make them all.

use crate::call::{Call, PLACES};
use FromNormal as N;
use FromSecure as S;
use janus_arm::World;
use janus_arm::ffa::Version;

/// The calling conventions a function is defined in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conventions {
    /// SMC32 only.
    Smc32 = 0b01,
    /// SMC64 only.
    Smc64 = 0b10,
    /// Both.
    Both = 0b11,
    /// SMC32, and for a caller of version 1.3 or later SMC64.
    Smc64Since1_3 = 0b101,
}

/// What the dispatcher does with a call from the normal world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FromNormal {
    /// Answered with FFA_ERROR NOT_SUPPORTED.
    NotSupported,
    /// Forwarded to the SPMC.
    Forward,
    /// Forwarded to the SPMC while both sides are at 1.0; else NOT_SUPPORTED.
    ForwardAt1_0,
    /// Forwarded to the SPMC where both sides are at 1.3 or later; else NOT_SUPPORTED.
    ForwardSince1_3,
    /// Version negotiation: the SPMC is asked by a framework message.
    Version,
    /// Forwarded to the SPMC. Where it has no schedule receiver interrupt, EL3 may answer with its own.
    Features,
    /// FFA_SUCCESS with w2 = 0, the ID of the hypervisor, or of the kernel where there is none.
    IdGet,
    /// FFA_SUCCESS with w2 = the SPMC's ID.
    SpmIdGet,
    /// Forwarded to the SPMC, unless the sender in w1 is a secure ID.
    Send2,
    /// Forwarded to the SPMC, if the normal world may use its sender, receiver and framework message.
    DirectReq,
    /// The 18-register form of [`FromNormal::DirectReq`]: no framework messages, and both sides at 1.2 or later.
    DirectReq2,
    /// DENIED: no partition of the normal world is ever asked anything.
    DirectResp,
    /// The 18-register form of [`FromNormal::DirectResp`]: DENIED; NOT_SUPPORTED below 1.2 on either side.
    DirectResp2,
}

/// What the dispatcher does with a call from the SPMC.
///
/// The *local* rules ([`FromSecure::is_local`]) are the same in every state: the SPMC goes on, or EL3 acts.
/// The others hand over to the normal world, and each state decides about them anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FromSecure {
    /// FFA_ERROR NOT_SUPPORTED.
    NotSupported,
    /// Answered with the dispatcher's own version.
    Version,
    /// Answered with whether the dispatcher accepts the function in w1 from the SPMC.
    Features,
    /// FFA_SUCCESS with w2 = the SPMC's ID.
    IdGet,
    /// FFA_SUCCESS with w2 = 0xFFFF.
    SpmIdGet,
    /// Answered with the EL3 logical partitions.
    PartitionInfo,
    /// Registers where the other cores enter the SPMC.
    SecondaryEntry,
    /// EL3 prints characters on its console.
    ConsoleLog,
    /// EL3 handles the Group 0 interrupt that is pending.
    El3Interrupt,
    /// DENIED: the SPMC cannot ask the normal world anything.
    DirectReq,
    /// The 18-register form of [`FromSecure::DirectReq`]; NOT_SUPPORTED below 1.2 on either side.
    DirectReq2,
    /// The SPMC says that it cannot go on: it is dead.
    Abort,
    /// Forwarded to the normal world.
    Forward,
    /// The end of a failed initialisation, an answer to the SPMD, or forwarded to the normal world.
    Error,
    /// An answer to the SPMD, or forwarded to the normal world.
    Success,
    /// The end of the initialisation, or forwarded to the normal world.
    MsgWait,
    /// An answer to the SPMD, or forwarded to the normal world.
    DirectResp,
    /// The 18-register form of [`FromSecure::DirectResp`]; NOT_SUPPORTED below 1.2 on either side.
    DirectResp2,
    /// Forwarded to the normal world while both sides are at 1.0; else NOT_SUPPORTED.
    ForwardAt1_0,
    /// The end of a secure interrupt.
    Resume,
}

impl FromSecure {
    /// Returns whether the rule is the same in every state.
    #[inline(always)]
    pub fn is_local(self) -> bool {
        match self {
            Self::NotSupported
            | Self::Version
            | Self::Features
            | Self::IdGet
            | Self::SpmIdGet
            | Self::PartitionInfo
            | Self::SecondaryEntry
            | Self::ConsoleLog
            | Self::El3Interrupt
            | Self::DirectReq
            | Self::DirectReq2
            | Self::Abort => true,
            Self::Forward
            | Self::Error
            | Self::Success
            | Self::MsgWait
            | Self::DirectResp
            | Self::DirectResp2
            | Self::ForwardAt1_0
            | Self::Resume => false,
        }
    }
}

/// One call of FF-A.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Row {
    /// The function number: bits 7:0 of the function ID.
    pub number: u8,
    /// The name without `FFA_`.
    pub name: &'static str,
    /// The version of FF-A that introduced it.
    pub since: Version,
    /// The calling conventions in which it is defined.
    pub conventions: Conventions,
    /// What the dispatcher does with it from the normal world.
    pub normal: FromNormal,
    /// What the dispatcher does with it from the SPMC.
    pub secure: FromSecure,
}

const fn row(
    number: u8,
    name: &'static str,
    since: Version,
    conventions: Conventions,
    normal: FromNormal,
    secure: FromSecure,
) -> Row {
    Row {
        number,
        name,
        since,
        conventions,
        normal,
        secure,
    }
}

const V1_0: Version = Version::V1_0;
const V1_1: Version = Version::V1_1;
const V1_2: Version = Version::V1_2;
const V1_3: Version = Version::V1_3;
const C32: Conventions = Conventions::Smc32;
const C64: Conventions = Conventions::Smc64;
const BOTH: Conventions = Conventions::Both;
const C64_1_3: Conventions = Conventions::Smc64Since1_3;

/// Every call of FF-A 1.0 to 1.3, in the order of its function number.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    //   no.   name                       since conv.    from the normal world  from the SPMC
    row(0x60, "ERROR",                    V1_0, BOTH,    N::Forward,            S::Error),
    row(0x61, "SUCCESS",                  V1_0, BOTH,    N::Forward,            S::Success),
    row(0x62, "INTERRUPT",                V1_0, C64_1_3, N::NotSupported,       S::Forward),
    row(0x63, "VERSION",                  V1_0, C32,     N::Version,            S::Version),
    row(0x64, "FEATURES",                 V1_0, C32,     N::Features,           S::Features),
    row(0x65, "RX_RELEASE",               V1_0, C32,     N::Forward,            S::NotSupported),
    row(0x66, "RXTX_MAP",                 V1_0, BOTH,    N::Forward,            S::NotSupported),
    row(0x67, "RXTX_UNMAP",               V1_0, C32,     N::Forward,            S::NotSupported),
    row(0x68, "PARTITION_INFO_GET",       V1_0, C32,     N::Forward,            S::NotSupported),
    row(0x69, "ID_GET",                   V1_0, C32,     N::IdGet,              S::IdGet),
    row(0x6A, "MSG_POLL",                 V1_0, C32,     N::NotSupported,       S::NotSupported),
    row(0x6B, "MSG_WAIT",                 V1_0, C64_1_3, N::NotSupported,       S::MsgWait),
    row(0x6C, "YIELD",                    V1_0, C64_1_3, N::NotSupported,       S::Forward),
    row(0x6D, "RUN",                      V1_0, C64_1_3, N::Forward,            S::NotSupported),
    row(0x6E, "MSG_SEND",                 V1_0, C32,     N::ForwardAt1_0,       S::ForwardAt1_0),
    row(0x6F, "MSG_SEND_DIRECT_REQ",      V1_0, BOTH,    N::DirectReq,          S::DirectReq),
    row(0x70, "MSG_SEND_DIRECT_RESP",     V1_0, BOTH,    N::DirectResp,         S::DirectResp),
    row(0x71, "MEM_DONATE",               V1_0, BOTH,    N::Forward,            S::Forward),
    row(0x72, "MEM_LEND",                 V1_0, BOTH,    N::Forward,            S::Forward),
    row(0x73, "MEM_SHARE",                V1_0, BOTH,    N::Forward,            S::Forward),
    row(0x74, "MEM_RETRIEVE_REQ",         V1_0, BOTH,    N::Forward,            S::Forward),
    row(0x75, "MEM_RETRIEVE_RESP",        V1_0, C32,     N::Forward,            S::Forward),
    row(0x76, "MEM_RELINQUISH",           V1_0, C32,     N::Forward,            S::Forward),
    row(0x77, "MEM_RECLAIM",              V1_0, C32,     N::Forward,            S::Forward),
    row(0x78, "MEM_OP_PAUSE",             V1_0, C32,     N::NotSupported,       S::Forward),
    row(0x79, "MEM_OP_RESUME",            V1_0, C32,     N::Forward,            S::NotSupported),
    row(0x7A, "MEM_FRAG_RX",              V1_0, C32,     N::Forward,            S::Forward),
    row(0x7B, "MEM_FRAG_TX",              V1_0, C32,     N::Forward,            S::Forward),
    row(0x7C, "NORMAL_WORLD_RESUME",      V1_0, C64_1_3, N::NotSupported,       S::Resume),
    row(0x7D, "NOTIFICATION_BITMAP_CREATE",  V1_1, C32,  N::Forward,            S::NotSupported),
    row(0x7E, "NOTIFICATION_BITMAP_DESTROY", V1_1, C32,  N::Forward,            S::NotSupported),
    row(0x7F, "NOTIFICATION_BIND",        V1_1, C32,     N::Forward,            S::NotSupported),
    row(0x80, "NOTIFICATION_UNBIND",      V1_1, C32,     N::Forward,            S::NotSupported),
    row(0x81, "NOTIFICATION_SET",         V1_1, C32,     N::Forward,            S::NotSupported),
    row(0x82, "NOTIFICATION_GET",         V1_1, C32,     N::Forward,            S::NotSupported),
    row(0x83, "NOTIFICATION_INFO_GET",    V1_1, BOTH,    N::Forward,            S::NotSupported),
    row(0x84, "RX_ACQUIRE",               V1_1, C32,     N::Forward,            S::NotSupported),
    row(0x85, "SPM_ID_GET",               V1_1, C32,     N::SpmIdGet,           S::SpmIdGet),
    row(0x86, "MSG_SEND2",                V1_1, C32,     N::Send2,              S::NotSupported),
    row(0x87, "SECONDARY_EP_REGISTER",    V1_0, BOTH,    N::NotSupported,       S::SecondaryEntry),
    row(0x88, "MEM_PERM_GET",             V1_1, BOTH,    N::NotSupported,       S::NotSupported),
    row(0x89, "MEM_PERM_SET",             V1_1, BOTH,    N::NotSupported,       S::NotSupported),
    row(0x8A, "CONSOLE_LOG",              V1_2, BOTH,    N::NotSupported,       S::ConsoleLog),
    row(0x8B, "PARTITION_INFO_GET_REGS",  V1_2, C64,     N::Forward,            S::PartitionInfo),
    row(0x8C, "EL3_INTR_HANDLE",          V1_2, C32,     N::NotSupported,       S::El3Interrupt),
    row(0x8D, "MSG_SEND_DIRECT_REQ2",     V1_2, C64,     N::DirectReq2,         S::DirectReq2),
    row(0x8E, "MSG_SEND_DIRECT_RESP2",    V1_2, C64,     N::DirectResp2,        S::DirectResp2),
    row(0x8F, "NS_RES_INFO_GET",          V1_3, C64,     N::Forward,            S::NotSupported),
    row(0x90, "ABORT",                    V1_3, BOTH,    N::NotSupported,       S::Abort),
    row(0x94, "NOTIFICATION_BIND2",       V1_3, C64,     N::ForwardSince1_3,    S::NotSupported),
    row(0x95, "NOTIFICATION_UNBIND2",     V1_3, C64,     N::ForwardSince1_3,    S::NotSupported),
    row(0x96, "NOTIFICATION_SET2",        V1_3, C64,     N::ForwardSince1_3,    S::NotSupported),
    row(0x97, "NOTIFICATION_GET2",        V1_3, C64,     N::ForwardSince1_3,    S::NotSupported),
];

/// The part of a row that the running dispatcher needs.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub normal: FromNormal,
    pub secure: FromSecure,
    pub conventions: Conventions,
    /// The minor version of `since`; all rows are of major 1.
    pub since: u8,
}

const FIRST: u8 = 0x60;
/// How many function numbers FF-A has: 0x60 to 0xEF.
const COUNT: usize = 0x90;

/// The rules of a function number without a row.
const NO_ROW: Rules = Rules {
    normal: N::NotSupported,
    secure: S::NotSupported,
    conventions: Conventions::Both,
    since: 0,
};

/// The rows by function number, made by the compiler: finding one is one comparison and one load.
static BY_NUMBER: [Rules; COUNT] = {
    let mut rules = [NO_ROW; COUNT];
    let mut i = 0;
    while i < ROWS.len() {
        let row = ROWS[i];
        assert!(
            i == 0 || ROWS[i - 1].number < row.number,
            "rows in order, none twice"
        );
        assert!(row.since.major() == 1);
        rules[(row.number - FIRST) as usize] = Rules {
            normal: row.normal,
            secure: row.secure,
            conventions: row.conventions,
            since: row.since.minor() as u8,
        };
        i += 1;
    }
    rules
};

/// What [`crate::dispatch`] may do with a call without a full decision: a bit for each way. A function has one of these
/// for each convention.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ShortCut(u8);

impl ShortCut {
    /// From the normal world: forwarded as it is.
    pub const FORWARD: Self = Self(1 << 0);
    /// From the normal world: forwarded if [`crate::direct::may_request`].
    pub const REQUEST: Self = Self(1 << 1);
    /// From the normal world: forwarded if [`crate::direct::may_address`]. Only where both sides have 18 registers.
    pub const REQUEST2: Self = Self(1 << 2);
    /// From the normal world: forwarded, unless it asks for the schedule receiver interrupt.
    pub const FEATURES: Self = Self(1 << 3);
    /// From the SPMC: forwarded as it is.
    pub const PASS: Self = Self(1 << 4);
    /// From the SPMC: forwarded if [`crate::direct::may_respond`].
    pub const RESPONSE: Self = Self(1 << 5);
    /// From the SPMC: forwarded if [`crate::direct::may_answer`]. Only where both sides have 18 registers.
    pub const RESPONSE2: Self = Self(1 << 6);
    /// From the normal world: answered with an ID. Only where it is at 1.2 or later, because FFA_SPM_ID_GET does not exist
    /// at 1.0.
    pub const ID: Self = Self(1 << 7);
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Those that depend on no version.
    pub const ALWAYS: Self = Self(
        Self::FORWARD.0 | Self::REQUEST.0 | Self::FEATURES.0 | Self::PASS.0 | Self::RESPONSE.0,
    );

    /// Returns what either has.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns what both have.
    #[inline(always)]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns whether `bit` is among them.
    #[inline(always)]
    pub const fn has(self, bit: Self) -> bool {
        self.0 & bit.0 != 0
    }

    /// Finds the short cuts of a call of `from`.
    #[inline(always)]
    pub fn of(from: World, call: Call) -> Self {
        let cuts = SHORT_CUTS.get(call.place_from(from) as usize);
        Self(cuts.copied().unwrap_or(0))
    }

    /// The short cuts of a row in a convention that it has.
    const fn of_row(row: &Row) -> Self {
        let normal = match row.normal {
            N::Forward => Self::FORWARD.0,
            N::DirectReq => Self::REQUEST.0,
            N::DirectReq2 => Self::REQUEST2.0,
            N::Features => Self::FEATURES.0,
            N::IdGet | N::SpmIdGet => Self::ID.0,
            N::NotSupported
            | N::ForwardAt1_0
            | N::ForwardSince1_3
            | N::Version
            | N::Send2
            | N::DirectResp
            | N::DirectResp2 => 0,
        };
        let secure = match row.secure {
            S::Forward | S::Error | S::Success | S::MsgWait => Self::PASS.0,
            S::DirectResp => Self::RESPONSE.0,
            S::DirectResp2 => Self::RESPONSE2.0,
            S::NotSupported
            | S::Version
            | S::Features
            | S::IdGet
            | S::SpmIdGet
            | S::PartitionInfo
            | S::SecondaryEntry
            | S::ConsoleLog
            | S::El3Interrupt
            | S::DirectReq
            | S::DirectReq2
            | S::Abort
            | S::ForwardAt1_0
            | S::Resume => 0,
        };
        Self(normal | secure)
    }
}

/// The short cuts by [`Call::place`]. To find those of a call takes one comparison and one load.
static SHORT_CUTS: [u8; PLACES as usize] = {
    let mut cuts = [0; PLACES as usize];
    let mut i = 0;
    while i < ROWS.len() {
        let row = &ROWS[i];
        let mut convention = 0;
        while convention < 2 {
            if row.conventions as u32 >> convention & 1 != 0 {
                let id = 0x8400_0000 | (convention as u32) << 30 | row.number as u32;
                cuts[Call::named(id).place() as usize] = ShortCut::of_row(row).0;
            }
            convention += 1;
        }
        i += 1;
    }
    cuts
};

/// Finds the rules of the function called. `None`: the function ID is not FF-A's.
#[inline(always)]
pub(crate) fn find(call: Call) -> Option<&'static Rules> {
    let rules = BY_NUMBER.get((call.place() / 4) as usize)?;
    (!call.is_yielding()).then_some(rules)
}

/// Finds the rules of the function called; those of a function that does not exist where the ID is not FF-A's.
#[inline(always)]
pub(crate) fn rules(call: Call) -> &'static Rules {
    find(call).unwrap_or(&NO_ROW)
}

impl Rules {
    /// Returns whether the function exists in the convention called, at any version.
    #[inline(always)]
    pub fn has(&self, call: Call) -> bool {
        self.conventions as u32 >> u32::from(call.is_64()) & 1 != 0
    }

    /// Returns whether the function exists in the convention called for a caller of version `caller`; `None`:
    /// one that never asked for a version.
    pub fn has_for(&self, call: Call, caller: Option<Version>) -> bool {
        self.has(call)
            || (self.conventions == Conventions::Smc64Since1_3
                && caller.is_none_or(|version| version >= Version::V1_3))
    }

    /// Returns whether FF-A `version` has the function.
    pub fn exists_at(&self, version: Version) -> bool {
        version >= Version::new(1, u16::from(self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a convention means does not follow from where it stands among the others.
    #[test]
    fn a_convention_is_what_its_name_says() {
        let id = |is_64: bool| Call::named(if is_64 { 0xC400_0060 } else { 0x8400_0060 });
        for (conventions, smc32, smc64, smc64_at_1_3) in [
            (C32, true, false, false),
            (C64, false, true, true),
            (BOTH, true, true, true),
            (C64_1_3, true, false, true),
        ] {
            let rules = Rules {
                conventions,
                ..NO_ROW
            };
            assert_eq!(rules.has(id(false)), smc32, "{conventions:?}");
            assert_eq!(rules.has(id(true)), smc64, "{conventions:?}");
            for (version, smc64) in [(V1_2, smc64), (V1_3, smc64_at_1_3)] {
                let version = Some(version);
                assert_eq!(rules.has_for(id(true), version), smc64, "{conventions:?}");
                assert_eq!(rules.has_for(id(false), version), smc32, "{conventions:?}");
            }
        }
    }

    /// The compiler finds a number that stands twice or in the wrong place; this finds a name that does.
    #[test]
    fn each_call_has_one_row() {
        for (index, row) in ROWS.iter().enumerate() {
            assert!(
                ROWS[..index].iter().all(|other| other.name != row.name),
                "{}",
                row.name
            );
            let rules = &BY_NUMBER[usize::from(row.number - FIRST)];
            assert_eq!(rules.normal, row.normal, "{}", row.name);
            assert_eq!(rules.secure, row.secure, "{}", row.name);
            assert_eq!(rules.conventions, row.conventions, "{}", row.name);
        }
    }
}
