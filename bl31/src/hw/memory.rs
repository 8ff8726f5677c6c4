//! `memset` and `memcpy`, written in memory.S.

use core::arch::global_asm;

global_asm!(include_str!("memory.S"));
