//! The service that identifies this build to a lab: vendor EL3 monitor calls that return Janus' version and the
//! platform. Every platform of the product offers it.
//!
//! docs/smccc.md has the calls, register by register.

use crate::{Callers, Forms, Function, Handler, Kind, Owner, Platform, Service};

/// The service on platform `P`.
pub const fn service<P: Platform>() -> Service {
    const {
        assert!(
            P::NAME.len() <= MAX_NAME,
            "the platform's name is longer than 28 bytes"
        );
    }
    Service {
        owner: Owner::VendorEl3,
        uuid: 0x6d0f2e63_91a4_4c0b_8a37_5b1e7fd2c904,
        revision: [1, 0],
        functions: const {
            &[
                fast(0, Handler::Words(version)),
                fast(1, Handler::Words(platform::<P>)),
                #[cfg(feature = "lab")]
                fast(0x10, Handler::El3(crate::lab::counter)),
                #[cfg(feature = "lab")]
                Function {
                    callers: Callers::Normal,
                    ..fast(0x11, Handler::El3(crate::lab::log_level))
                },
            ]
        },
    }
}

/// What seven 32-bit registers hold.
const MAX_NAME: usize = 28;

/// A fast call that both worlds may make, in both forms.
const fn fast(number: u16, handle: Handler) -> Function {
    Function {
        number,
        kind: Kind::Fast,
        forms: Forms::Both,
        callers: Callers::Both,
        handle,
    }
}

#[cfg(target_os = "none")]
unsafe extern "C" {
    /// The image's build ID, by bl31's linker script. (`readelf -n` shows it.)
    safe static build_id: [u32; 2];
}
/// Zero on the host, where there is no image and so no build ID.
#[cfg(not(target_os = "none"))]
#[expect(non_upper_case_globals, reason = "the linker's name")]
static build_id: [u32; 2] = [0x4433_2211, 0x8877_6655];

/// Parses one number of this crate's version, which is also Janus' version.
const fn part(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("a version has numbers"),
    }
}

/// Major << 16 | minor.
const VERSION: u32 =
    part(env!("CARGO_PKG_VERSION_MAJOR")) << 16 | part(env!("CARGO_PKG_VERSION_MINOR"));
const PATCH: u32 = part(env!("CARGO_PKG_VERSION_PATCH"));

/// The version, and the build in two words.
fn version() -> [u32; 8] {
    let [high, low] = build_id.map(u32::swap_bytes);
    [0, VERSION, PATCH, high, low, 0, 0, 0]
}

/// The platform's name, four bytes a register.
fn platform<P: Platform>() -> [u32; 8] {
    const { name(P::NAME) }
}

/// Returns 0 and `name` in registers, the first byte lowest.
const fn name(name: &str) -> [u32; 8] {
    let mut words = [0; 8];
    let mut i = 0;
    while i < name.len() {
        words[1 + i / 4] |= (name.as_bytes()[i] as u32) << (8 * (i % 4));
        i += 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_registers() {
        assert_eq!(
            name("QEMU virt"),
            [0, 0x554d_4551, 0x7269_7620, 0x74, 0, 0, 0, 0]
        );
    }
}
