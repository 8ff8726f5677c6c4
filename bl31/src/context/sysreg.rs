//! Reading and writing system registers by name.
//!
//! On the host, where the tests run, there are none: they read as zero and writes are lost. So the
//! code around them compiles and its decisions can be tested there.

/// Reads a system register.
#[cfg(target_os = "none")]
macro_rules! mrs {
    ($register:literal) => {{
        let value: u64;
        // SAFETY: reading the registers that this is used for changes nothing.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $register), out(reg) value,
                options(nomem, nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a system register. Only for registers that no running EL3 code depends on.
#[cfg(target_os = "none")]
macro_rules! msr {
    ($register:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: as the macro's users promise; EL3's memory and control flow are not concerned.
        unsafe {
            core::arch::asm!(concat!("msr ", $register, ", {}"), in(reg) value,
                options(nostack, preserves_flags));
        }
    }};
}

/// Makes writes to system registers take effect for the instructions that follow.
#[cfg(target_os = "none")]
macro_rules! isb {
    () => {{
        // SAFETY: a barrier.
        unsafe { core::arch::asm!("isb", options(nostack, preserves_flags)) }
    }};
}

#[cfg(not(target_os = "none"))]
macro_rules! mrs {
    ($register:literal) => {
        0_u64
    };
}

#[cfg(not(target_os = "none"))]
macro_rules! msr {
    ($register:literal, $value:expr) => {{
        let _: u64 = $value;
    }};
}

#[cfg(not(target_os = "none"))]
macro_rules! isb {
    () => {};
}

pub(crate) use {isb, mrs, msr};
