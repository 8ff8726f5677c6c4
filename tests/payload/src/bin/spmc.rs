//! The test SPMC. It runs at S-EL2 or S-EL1, at the level at which it is entered.

#![no_std]
#![no_main]

use core::panic::PanicInfo;
use payload::framework::{spmc, text::Text};

#[unsafe(no_mangle)]
extern "C" fn payload_main(core: usize) -> ! {
    spmc::main(core)
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    spmc::panicked(Text::of_panic(info))
}
