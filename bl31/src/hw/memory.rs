//! memset and memcpy: see memory.S.

use core::arch::global_asm;

global_asm!(include_str!("memory.S"));
