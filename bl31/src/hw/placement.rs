//! What the image says where it cannot run: boot firmware has put it beside the memory that it has on this
//! platform.

use janus_drivers::console::Transmitter;
use janus_drivers::wait;
use janus_plat::{Plat, Platform};

type Device = <Plat as Platform>::Console;

/// Says where the image is, and where it could be, and stops. Called by entry.S: no MMU, a stack over the
/// image's own code, and none of its absolute addresses are right. So no formatting: that needs tables.
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
