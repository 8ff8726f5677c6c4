//! The test hypervisor: NS-EL2, on every core of the machine.

#![no_std]
#![no_main]

use core::panic::PanicInfo;
use payload::arch::entry;
use payload::framework::{cores, hypervisor, text::Text};

#[unsafe(no_mangle)]
extern "C" fn payload_main(_core: usize) -> ! {
    if entry::my_boot_state().secondary == 1 {
        cores::worker()
    } else {
        hypervisor::main()
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    hypervisor::panicked(Text::of_panic(info))
}
