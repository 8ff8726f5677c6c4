// SPDX-License-Identifier: BSD-3-Clause

//! What the registers of a call mean, by name: for tools that show calls to people. The dispatcher
//! itself reads none of it, and no image has it.
//!
//! To be held against the tables of the interface chapters of DEN0077A, as [`crate::table`], which has
//! the calls themselves. What is not listed carries a payload, or must be zero.

use crate::requests::framework;
use crate::table::{ROWS, Row};
use ArgumentKind::{
    Address, Bits, Function, Id, IdHigh, Number, Status, Text, Uuid, Version, Words,
};

/// How a value is to be shown. Show a kind that you do not know in hexadecimal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ArgumentKind {
    /// As a number.
    Number,
    /// In hexadecimal.
    Address,
    /// An FF-A ID.
    Id,
    /// An FF-A ID in bits 31:16 with a vCPU number in 15:0.
    IdHigh,
    /// A function ID (bit 31 set) or a feature ID: see [`feature`].
    Function,
    /// A status code: see [`status`].
    Status,
    /// A version as [`crate::Version`] reads it.
    Version,
    /// Flags: masks and their names.
    Bits(&'static [(u64, &'static str)]),
    /// A UUID in this and the following registers: two of 64 bits, or four of 32.
    Uuid,
    /// A bitmap, or a handle, whose upper half is in the next register.
    Words,
    /// Characters, as many as the register before says.
    Text,
}

/// One argument of a call or of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Argument {
    /// The number of its register.
    pub register: u8,
    /// The highest of its bits in the register.
    pub high: u8,
    /// The lowest of its bits in the register.
    pub low: u8,
    /// Its name.
    pub name: &'static str,
    /// How it is to be shown.
    pub kind: ArgumentKind,
}

impl Argument {
    /// Returns the argument from a register's value: its bits, moved down to bit 0.
    pub fn of(&self, register: u64) -> u64 {
        let bits = u64::from(self.high).saturating_sub(u64::from(self.low)) + 1;
        let mask = if bits >= 64 {
            u64::MAX
        } else {
            (1 << bits) - 1
        };
        register >> (self.low & 63) & mask
    }
}

const fn field(
    register: u8,
    high: u8,
    low: u8,
    name: &'static str,
    kind: ArgumentKind,
) -> Argument {
    Argument {
        register,
        high,
        low,
        name,
        kind,
    }
}

const fn w(register: u8, name: &'static str, kind: ArgumentKind) -> Argument {
    field(register, 31, 0, name, kind)
}

const fn x(register: u8, name: &'static str, kind: ArgumentKind) -> Argument {
    field(register, 63, 0, name, kind)
}

const SENDER: Argument = field(1, 31, 16, "sender", Id);
const RECEIVER: Argument = field(1, 15, 0, "receiver", Id);
const TARGET: Argument = w(1, "target", IdHigh);
const HANDLE: Argument = w(1, "handle", Words);
const BITMAP: Argument = w(3, "bitmap", Words);
const LENGTH: Argument = w(1, "length", Number);
const FRAGMENT: Argument = w(2, "fragment", Number);
const VM: Argument = field(1, 15, 0, "vm", Id);

const MEMORY: &[Argument] = &[
    LENGTH,
    FRAGMENT,
    x(3, "buffer", Address),
    w(4, "pages", Number),
];
const DIRECT: &[Argument] = &[SENDER, RECEIVER];
const DIRECT2: &[Argument] = &[SENDER, RECEIVER, x(2, "uuid", Uuid)];

/// The flags of a partition in its information (properties), bits of the word.
pub const PARTITION_PROPERTIES: &[(u64, &str)] = &[
    (1, "receives-direct-req"),
    (1 << 1, "sends-direct-req"),
    (1 << 2, "indirect-messages"),
    (1 << 3, "notifications"),
    (1 << 6, "vm-created-messages"),
    (1 << 7, "vm-destroyed-messages"),
    (1 << 8, "aarch64"),
    (1 << 9, "receives-direct-req2"),
    (1 << 10, "sends-direct-req2"),
    (1 << 11, "live-activation"),
    (1 << 12, "cpu-rendezvous"),
];

/// The arguments of calls, by function number.
static ARGUMENTS: &[(&[u8], &[Argument])] = &[
    (&[0x60], &[TARGET, w(2, "status", Status)]),
    (&[0x61], &[TARGET]),
    (&[0x62], &[TARGET, w(2, "interrupt", Number)]),
    (
        &[0x63],
        &[
            w(1, "version", Version),
            w(2, "flags", Bits(&[(1, "query"), (2, "query-2")])),
        ],
    ),
    (
        &[0x64],
        &[w(1, "asked", Function), w(2, "properties", Address)],
    ),
    (&[0x65, 0x84], &[VM]),
    (
        &[0x66],
        &[
            x(1, "tx", Address),
            x(2, "rx", Address),
            field(3, 5, 0, "pages", Number),
        ],
    ),
    (&[0x67], &[field(1, 31, 16, "vm", Id)]),
    (
        &[0x68],
        &[
            w(1, "uuid", Uuid),
            w(5, "flags", Bits(&[(1, "count-only")])),
        ],
    ),
    (&[0x6B], &[w(2, "flags", Bits(&[(1, "keep-rx")]))]),
    (&[0x6C], &[TARGET, w(2, "timeout", Words)]),
    (&[0x6D], &[TARGET]),
    (
        &[0x6E],
        &[
            SENDER,
            RECEIVER,
            w(3, "length", Number),
            w(4, "flags", Bits(&[(1, "notify")])),
        ],
    ),
    (&[0x6F, 0x70], DIRECT),
    (&[0x71, 0x72, 0x73, 0x74], MEMORY),
    (&[0x75], &[LENGTH, FRAGMENT]),
    (
        &[0x77],
        &[
            HANDLE,
            w(3, "flags", Bits(&[(1, "zero"), (2, "time-slice")])),
        ],
    ),
    (&[0x78, 0x79], &[HANDLE]),
    (
        &[0x7A],
        &[
            HANDLE,
            w(3, "offset", Number),
            field(4, 31, 16, "endpoint", Id),
        ],
    ),
    (
        &[0x7B],
        &[
            HANDLE,
            w(3, "fragment", Number),
            field(4, 31, 16, "endpoint", Id),
        ],
    ),
    (&[0x7D], &[VM, w(2, "vcpus", Number)]),
    (&[0x7E], &[VM]),
    (
        &[0x7F],
        &[
            SENDER,
            RECEIVER,
            w(2, "flags", Bits(&[(1, "per-vcpu")])),
            BITMAP,
        ],
    ),
    (&[0x80], &[SENDER, RECEIVER, BITMAP]),
    (
        &[0x81],
        &[
            SENDER,
            RECEIVER,
            field(
                2,
                15,
                0,
                "flags",
                Bits(&[(1, "per-vcpu"), (2, "delay-sri")]),
            ),
            field(2, 31, 16, "vcpu", Number),
            BITMAP,
        ],
    ),
    (
        &[0x82],
        &[
            field(1, 15, 0, "receiver", Id),
            field(1, 31, 16, "vcpu", Number),
            w(
                2,
                "flags",
                Bits(&[
                    (1, "from-sps"),
                    (2, "from-vms"),
                    (4, "from-spm"),
                    (8, "from-hyp"),
                ]),
            ),
        ],
    ),
    (
        &[0x86],
        &[
            field(1, 31, 16, "sender", Id),
            w(2, "flags", Bits(&[(2, "delay-sri")])),
        ],
    ),
    (&[0x87], &[x(1, "entry", Address)]),
    (&[0x88], &[x(1, "base", Address)]),
    (
        &[0x89],
        &[
            x(1, "base", Address),
            w(2, "pages", Number),
            w(3, "permissions", Address),
        ],
    ),
    (&[0x8A], &[w(1, "characters", Number), x(2, "text", Text)]),
    (
        &[0x8B],
        &[
            x(1, "uuid", Uuid),
            field(3, 15, 0, "first", Number),
            field(3, 31, 16, "tag", Number),
        ],
    ),
    (&[0x8D], DIRECT2),
    (&[0x8E], DIRECT),
    (&[0x94, 0x95], &[SENDER, RECEIVER]),
];

/// What FFA_SUCCESS carries, by the number of the function that it answers.
static ANSWERS: &[(&[u8], &[Argument])] = &[
    (
        &[0x64],
        &[w(2, "properties", Address), w(3, "more", Address)],
    ),
    (&[0x68], &[w(2, "partitions", Number), w(3, "size", Number)]),
    (&[0x69, 0x85], &[field(2, 15, 0, "id", Id)]),
    (&[0x71, 0x72, 0x73, 0x7B], &[w(2, "handle", Words)]),
    (
        &[0x82],
        &[
            w(2, "from-sps", Words),
            w(4, "from-vms", Words),
            w(6, "from-spm", Address),
            w(7, "from-hyp", Address),
        ],
    ),
    (
        &[0x83],
        &[
            field(2, 0, 0, "more", Number),
            field(2, 11, 7, "lists", Number),
            field(2, 63, 12, "sizes", Address),
            x(3, "ids", Address),
        ],
    ),
    (&[0x88], &[w(2, "permissions", Address)]),
    (
        &[0x8B],
        &[
            field(2, 15, 0, "last", Number),
            field(2, 31, 16, "current", Number),
            field(2, 47, 32, "tag", Number),
            field(2, 63, 48, "size", Number),
            field(3, 15, 0, "id", Id),
            field(3, 31, 16, "contexts", Number),
            field(3, 63, 32, "properties", Bits(PARTITION_PROPERTIES)),
        ],
    ),
];

fn find(table: &[(&[u8], &'static [Argument])], number: u8) -> &'static [Argument] {
    let mut rows = table.iter();
    let found = rows.find(|(numbers, _)| numbers.contains(&number));
    found.map_or(&[], |(_, arguments)| arguments)
}

/// What the registers of a call carry beside the function ID, by its number.
pub fn arguments(number: u8) -> &'static [Argument] {
    find(ARGUMENTS, number)
}

/// What the registers of FFA_SUCCESS carry where it answers the call with this number.
pub fn answer(number: u8) -> &'static [Argument] {
    find(ANSWERS, number)
}

/// The row of a function number.
pub fn row(number: u8) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.number == number)
}

/// The name of a status code of FFA_ERROR.
pub const fn status(code: i32) -> Option<&'static str> {
    Some(match code {
        -1 => "NOT_SUPPORTED",
        -2 => "INVALID_PARAMETERS",
        -3 => "NO_MEMORY",
        -4 => "BUSY",
        -5 => "INTERRUPTED",
        -6 => "DENIED",
        -7 => "RETRY",
        -8 => "ABORTED",
        -9 => "NO_DATA",
        -10 => "NOT_READY",
        _ => return None,
    })
}

/// The name of a feature ID of FFA_FEATURES.
pub const fn feature(id: u32) -> Option<&'static str> {
    Some(match id {
        1 => "notification pending interrupt",
        2 => "schedule receiver interrupt",
        3 => "managed exit interrupt",
        _ => return None,
    })
}

/// The name of a framework message, by w2 of the direct message that carries it; `None` where it is
/// none (bit 31 clear) or one without a name.
pub const fn framework_message(w2: u32) -> Option<&'static str> {
    if w2 & framework::BIT == 0 {
        return None;
    }
    Some(match framework::BIT | (w2 & 0xFF) {
        framework::PSCI_REQUEST => "PSCI request",
        framework::WARM_BOOT => "warm boot",
        framework::POWER_RESPONSE => "power response",
        framework::VM_CREATED => "VM created",
        framework::VM_CREATED_RESPONSE => "VM created response",
        framework::VM_DESTROYED => "VM destroyed",
        framework::VM_DESTROYED_RESPONSE => "VM destroyed response",
        framework::VERSION_REQUEST => "version request",
        framework::VERSION_RESPONSE => "version response",
        framework::START_REQUEST => "live activation start",
        framework::START_RESPONSE => "live activation start response",
        framework::FINISH_REQUEST => "live activation finish",
        framework::FINISH_RESPONSE => "live activation finish response",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls without arguments, and those whose registers the specification leaves to be shown raw.
    const NONE: &[&str] = &[
        "ID_GET",
        "MSG_POLL",
        "MEM_RELINQUISH",
        "NORMAL_WORLD_RESUME",
        "NOTIFICATION_INFO_GET",
        "SPM_ID_GET",
        "EL3_INTR_HANDLE",
        "NS_RES_INFO_GET",
        "ABORT",
        "NOTIFICATION_SET2",
        "NOTIFICATION_GET2",
    ];

    #[test]
    fn every_call_has_its_arguments_and_no_other_number_has() {
        for number in 0..=u8::MAX {
            let named = row(number).is_some_and(|row| !NONE.contains(&row.name));
            assert_eq!(
                !arguments(number).is_empty(),
                named,
                "{number:#x}: it has a row in ARGUMENTS, or its name is in NONE"
            );
            assert!(answer(number).is_empty() || row(number).is_some());
        }
    }

    #[test]
    fn fields_lie_in_registers() {
        for number in 0..=u8::MAX {
            for argument in arguments(number).iter().chain(answer(number)) {
                assert!(
                    argument.register > 0 && argument.register < 18,
                    "{argument:?}"
                );
                assert!(
                    argument.low <= argument.high && argument.high < 64,
                    "{argument:?}"
                );
            }
        }
        assert_eq!(SENDER.of(0x8001_0003), 0x8001);
        assert_eq!(x(1, "", Number).of(u64::MAX), u64::MAX);
    }

    #[test]
    fn names() {
        assert_eq!(status(crate::ErrorCode::Aborted as i32), Some("ABORTED"));
        assert_eq!(status(0), None);
        assert_eq!(framework_message(framework::WARM_BOOT), Some("warm boot"));
        assert_eq!(
            (framework_message(1), framework_message(0x8000_00FF)),
            (None, None)
        );
    }
}
