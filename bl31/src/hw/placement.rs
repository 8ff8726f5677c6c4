//! The message of an image that cannot run where it is, because boot firmware has loaded it outside of the memory that
//! the platform has for it.

use janus_drivers::console::Transmitter;
use janus_drivers::wait;
use janus_plat::{Plat, Platform};

type Device = <Plat as Platform>::Console;

/// Prints where the image is and where it could be, and stops. Called by entry.S with the MMU off and the stack over
/// the image's own code. Absolute addresses are wrong here, so that `core::fmt`, which has tables of them, cannot be
/// used.
#[unsafe(no_mangle)]
extern "C" fn say_misplaced(start: usize, end: usize) -> ! {
    let map = Plat::MEMORY;
    say("[janus] ERROR: BL31 is at ");
    say_range(start, end);
    say(" and cannot run there: have it loaded to a page of ");
    say_range(map.lowest, map.image.end);
    say("\n[janus] ERROR: this core stops here\n");
    wait::for_ever()
}

fn say_range(start: usize, end: usize) {
    say_hex(start);
    say(" to ");
    say_hex(end);
}

#[inline(never)]
fn say(text: &str) {
    put(text.as_bytes());
}

fn put(bytes: &[u8]) {
    Transmitter::<Device>::new().write(bytes);
}

#[inline(never)]
fn say_hex(number: usize) {
    say("0x");
    let mut rest = number as u64;
    let mut shown = false;
    for _ in 0..16 {
        rest = rest.rotate_left(4);
        let digit = (rest & 0xf) as u8;
        shown |= digit != 0;
        if shown {
            put(&[if digit < 10 {
                b'0' | digit
            } else {
                (b'a' - 10).wrapping_add(digit)
            }]);
        }
    }
}
