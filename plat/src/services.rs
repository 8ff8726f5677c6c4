//! SMCs of a platform's own: which there are, and who may make them (SMCCC, DEN0028, sections 2, 5 and 6).
//!
//! A [`Service`] is all calls of one owner: a table with a row for each, and what SMCCC's general queries
//! say. bl31 answers the queries, and refuses what is in no row; a row's handler sees only calls that are its own.
//! That two services or two rows claim one call is found when the image is built ([`check`]).

use crate::El3;
use core::ops::RangeInclusive;
use janus_spmd::World;

/// Bit 31 of a function ID: a fast call, not a yielding one.
pub const FAST: u32 = 1 << 31;
/// Bit 30 of a function ID: SMC64.
const SMC64: u32 = 1 << 30;
/// Numbers of the general queries, and those that SMCCC keeps for more of them.
pub const QUERIES: RangeInclusive<u16> = 0xff00..=0xffff;

/// The owner of a range of SMCs that a platform may define (SMCCC, table of owning entities).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// SiP service calls, 0x82 and 0xC2.
    Sip = 2,
    /// OEM service calls, 0x83 and 0xC3.
    Oem = 3,
    /// Vendor specific EL3 monitor calls, 0x87 and 0xC7.
    VendorEl3 = 7,
}

/// A service: all SMCs of one owner.
pub struct Service {
    /// The owner of these calls.
    pub owner: Owner,
    /// What names this service (Call UID), as a UUID is written: `0x28b46fb6_2ec5_11e9_a9ca_4b564d003a74`.
    pub uuid: u128,
    /// Major and minor number of its revision. A revision with a higher minor number has all calls of one with a
    /// lower minor number.
    pub revision: [u32; 2],
    /// Its calls.
    pub functions: &'static [Function],
}

/// A call, or its two forms.
pub struct Function {
    /// Bits 15 to 0 of its ID, below [`QUERIES`].
    pub number: u16,
    /// Whether it is a fast or a yielding call.
    pub kind: Kind,
    /// The forms in which it exists.
    pub forms: Forms,
    /// Who may make it. Everybody else gets the answer for a call that does not exist.
    pub callers: Callers,
    /// Answers it, on the core that called; usual environment.
    pub handle: Handler,
}

/// What answers a call.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Returns w0 to w7. They depend neither on the caller nor on the parameters.
    Words(fn() -> [u32; 8]),
    /// Code that reads parameters, or has something done. An image in which no row has any lacks what it stands on.
    El3(fn(&mut dyn El3, &Call)),
}

/// Bit 31 of a function ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Returns when it is done.
    Fast,
    /// May return before it is done, and then says how to continue.
    Yielding,
}

/// The widths in which a function exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forms {
    /// 32-bit parameters.
    Smc32 = 0b01,
    /// 64-bit parameters.
    Smc64 = 0b10,
    /// Two calls, told apart by bit 30 of the ID.
    Both = 0b11,
}

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// The normal world.
    Normal = 0b01,
    /// The SPMC.
    Secure = 0b10,
    /// Both worlds.
    Both = 0b11,
}

/// A call that is being handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The world that made it.
    pub from: World,
    /// Its function ID, without the SVE hint (bit 16).
    pub function: u32,
}

impl Call {
    /// Returns whether its parameters have 64 bits.
    pub fn is_64(&self) -> bool {
        self.function & SMC64 != 0
    }

    /// Cuts a register to the width of this call's form.
    fn form(&self, value: u64) -> u64 {
        if self.is_64() {
            value
        } else {
            value & 0xffff_ffff
        }
    }

    /// The parameter in register `n`, 1 to 17.
    pub fn parameter(&self, el3: &mut dyn El3, n: usize) -> u64 {
        let value = el3.registers(self.from).get(n).copied();
        self.form(value.unwrap_or_default())
    }

    /// Answers in x0 and up, at most to x17. The caller keeps its other registers.
    pub fn answer(&self, el3: &mut dyn El3, values: &[u64]) {
        let registers = el3.registers(self.from).iter_mut().take(18);
        for (register, value) in registers.zip(values) {
            *register = self.form(*value);
        }
    }
}

impl Function {
    /// Returns whether the call `function` that `from` makes is in this row.
    #[inline(never)]
    pub fn is(&self, from: World, function: u32) -> bool {
        let caller = match from {
            World::Normal => Callers::Normal,
            World::Secure => Callers::Secure,
        };
        let form = 1 << (function >> 30 & 1);
        self.number == function as u16
            && (self.kind as u32 == Kind::Fast as u32) == (function & FAST != 0)
            && self.forms as u32 & form != 0
            && self.callers as u32 & caller as u32 != 0
    }

    /// The number of function IDs that this row claims.
    fn ids(&self) -> u32 {
        (self.forms as u32).count_ones()
    }

    /// Returns an ID that both rows claim, if there is one.
    const fn shared_with(&self, other: &Self, owner: Owner) -> Option<u32> {
        let forms = self.forms as u32 & other.forms as u32;
        if self.number != other.number || self.kind as u32 != other.kind as u32 || forms == 0 {
            return None;
        }
        let form = if forms & Forms::Smc32 as u32 == 0 {
            SMC64
        } else {
            0
        };
        let kind = match self.kind {
            Kind::Fast => FAST,
            Kind::Yielding => 0,
        };
        Some(kind | form | id(owner, self.number) & !FAST)
    }
}

/// The ID of a fast SMC32 call.
const fn id(owner: Owner, number: u16) -> u32 {
    FAST | (owner as u32) << 24 | number as u32
}

impl Service {
    /// Call Count: function IDs, of both forms, fast and yielding. The general queries are not counted.
    pub fn count(&self) -> u32 {
        let ids = self.functions.iter().map(Function::ids);
        ids.fold(0, u32::wrapping_add)
    }

    /// Returns whether any of its calls is yielding, and whether any needs [`El3`].
    pub const fn needs(&self) -> (bool, bool) {
        let (mut yielding, mut el3, mut i) = (false, false, 0);
        while i < self.functions.len() {
            yielding |= matches!(self.functions[i].kind, Kind::Yielding);
            el3 |= matches!(self.functions[i].handle, Handler::El3(_));
            i += 1;
        }
        (yielding, el3)
    }

    /// Call UID: w0 to w3 hold the UUID's bytes, the first one lowest.
    pub const fn uid(&self) -> [u32; 4] {
        let uuid = self.uuid;
        [
            ((uuid >> 96) as u32).swap_bytes(),
            ((uuid >> 64) as u32).swap_bytes(),
            ((uuid >> 32) as u32).swap_bytes(),
            (uuid as u32).swap_bytes(),
        ]
    }
}

/// Finds a call that is claimed twice: by two services, by two rows of one service, or by a row that has the number
/// of a general query.
pub const fn claimed_twice(services: &[Service]) -> Option<u32> {
    let mut s = 0;
    while s < services.len() {
        let service = &services[s];
        let mut other = 0;
        while other < s {
            if services[other].owner as u32 == service.owner as u32 {
                return Some(id(service.owner, *QUERIES.start()));
            }
            other += 1;
        }
        let mut f = 0;
        while f < service.functions.len() {
            let function = &service.functions[f];
            if function.number >= *QUERIES.start() {
                return Some(id(service.owner, function.number));
            }
            let mut other = 0;
            while other < f {
                let shared = function.shared_with(&service.functions[other], service.owner);
                if shared.is_some() {
                    return shared;
                }
                other += 1;
            }
            f += 1;
        }
        s += 1;
    }
    None
}

/// Stops the build, or panics, if a call is claimed twice, and says which.
///
/// ```compile_fail,E0080
/// use janus_plat::{Owner, Service};
/// const SERVICE: Service = Service { owner: Owner::Oem, uuid: 1, revision: [1, 0], functions: &[] };
/// const _: () = janus_plat::services::check(&[SERVICE, SERVICE]);
/// ```
pub const fn check(services: &[Service]) {
    let Some(id) = claimed_twice(services) else {
        return;
    };
    let mut text =
        *b"two of the platform's services or functions claim the SMC 0x........: leave one out";
    let mut digit = 0;
    while digit < 8 {
        text[60 + digit] = b"0123456789abcdef"[(id >> (28 - 4 * digit) & 0xf) as usize];
        digit += 1;
    }
    match core::str::from_utf8(&text) {
        Ok(text) => panic!("{}", text),
        Err(_) => unreachable!(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn service(owner: Owner, functions: &'static [Function]) -> Service {
        Service {
            owner,
            uuid: 0x28b46fb6_2ec5_11e9_a9ca_4b564d003a74,
            revision: [1, 0],
            functions,
        }
    }

    const fn row(number: u16, kind: Kind, forms: Forms, callers: Callers) -> Function {
        Function {
            number,
            kind,
            forms,
            callers,
            handle: Handler::Words(|| [0; 8]),
        }
    }

    const BOTH: Function = row(1, Kind::Fast, Forms::Both, Callers::Both);
    const WIDE: Function = row(1, Kind::Fast, Forms::Smc64, Callers::Normal);
    const NARROW: Function = row(1, Kind::Fast, Forms::Smc32, Callers::Secure);
    const SLOW: Function = row(1, Kind::Yielding, Forms::Both, Callers::Both);
    const OTHER: Function = row(2, Kind::Fast, Forms::Both, Callers::Both);
    const QUERY: Function = row(0xff01, Kind::Fast, Forms::Smc32, Callers::Both);

    #[test]
    fn a_call_has_one_owner() {
        use Owner::{Oem, Sip, VendorEl3};
        let twice = |functions| claimed_twice(&[service(Sip, functions)]);
        assert_eq!(twice(&[BOTH, SLOW, OTHER]), None);
        assert_eq!(twice(&[WIDE, NARROW, OTHER]), None);
        assert_eq!(twice(&[OTHER, BOTH, WIDE]), Some(0xc200_0001));
        assert_eq!(twice(&[NARROW, OTHER, BOTH]), Some(0x8200_0001));
        assert_eq!(twice(&[SLOW, SLOW]), Some(0x0200_0001));
        assert_eq!(twice(&[QUERY]), Some(0x8200_ff01));
        let [sip, oem, vendor] = [Sip, Oem, VendorEl3].map(|owner| service(owner, &[BOTH]));
        assert_eq!(claimed_twice(&[sip, oem, vendor]), None);
        let [oem, vendor, too] = [Oem, VendorEl3, Oem].map(|owner| service(owner, &[]));
        assert_eq!(claimed_twice(&[oem, vendor, too]), Some(0x8300_ff00));
    }

    #[test]
    #[should_panic(expected = "claim the SMC 0xc7000001: leave one out")]
    fn the_message_names_the_call() {
        check(&[service(Owner::VendorEl3, &[BOTH, WIDE])]);
    }

    #[test]
    fn a_row_takes_its_calls() {
        use World::{Normal, Secure};
        assert!(BOTH.is(Normal, 0x8200_0001) && BOTH.is(Secure, 0xc200_0001));
        assert!(!BOTH.is(Normal, 0x8200_0002) && !BOTH.is(Normal, 0x0200_0001));
        assert!(WIDE.is(Normal, 0xc200_0001));
        assert!(!WIDE.is(Normal, 0x8200_0001) && !WIDE.is(Secure, 0xc200_0001));
        assert!(NARROW.is(Secure, 0x8200_0001));
        assert!(!NARROW.is(Secure, 0xc200_0001) && !NARROW.is(Normal, 0x8200_0001));
        assert!(SLOW.is(Normal, 0x4200_0001) && !SLOW.is(Normal, 0xc200_0001));
    }

    /// KVM's service, whose registers Linux compares.
    #[test]
    fn queries() {
        let service = service(Owner::Sip, &[BOTH, OTHER, SLOW, QUERY]);
        assert_eq!(
            service.uid(),
            [0xb66f_b428, 0xe911_c52e, 0x564b_caa9, 0x743a_004d]
        );
        assert_eq!(service.count(), 7);
    }
}
