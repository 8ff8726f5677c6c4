//! The functions that move vector registers, in the section `.text.simd`. No other code of the image uses these
//! registers.
//!
//! All have the C calling convention and change nothing but the registers that they name. On the host they do
//! nothing.

/// Declares functions that move vector registers.
macro_rules! vectors {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $Arg:ty),*) $(-> $Ret:ty)? {
        $($line:expr),+ $(,)?
    })+) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            ///
            /// The CPU has the instructions, CPTR_EL3 does not trap them, and memory has room for
            /// the longest vectors.
            #[cfg(target_os = "none")]
            #[unsafe(naked)]
            #[unsafe(link_section = ".text.simd")]
            pub unsafe extern "C" fn $name($($arg: $Arg),*) $(-> $Ret)? {
                core::arch::naked_asm!(
                    ".arch_extension fp",
                    ".arch_extension simd",
                    ".arch_extension sve",
                    $($line,)+
                    "ret",
                    // Instructions behind the return must not be executed speculatively.
                    "dsb nsh",
                    "isb",
                    ".arch_extension nosve",
                    ".arch_extension nosimd",
                    ".arch_extension nofp",
                )
            }

            #[cfg(not(target_os = "none"))]
            #[doc = "Does nothing on the host."]
            ///
            /// # Safety
            ///
            /// There is no condition.
            pub unsafe extern "C" fn $name($(_: $Arg),*) $(-> $Ret)? {
                const _: &[&str] = &[$($line),+];
                $(<$Ret>::default())?
            }
        )+
    };
}

/// Makes `op qA, qB, [x0, #16 * A]` for all pairs of Q registers.
macro_rules! q_pairs {
    ($op:literal) => {
        q_pairs!($op; 0 1, 2 3, 4 5, 6 7, 8 9, 10 11, 12 13, 14 15, 16 17, 18 19, 20 21, 22 23,
            24 25, 26 27, 28 29, 30 31)
    };
    ($op:literal; $($a:literal $b:literal),*) => {
        concat!($($op, " q", $a, ", q", $b, ", [x0, #16 * ", $a, "]\n"),*)
    };
}

/// Begins a loop over the numbers of the Z registers (`.irp`), which `.endr` ends.
macro_rules! for_z {
    () => {
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"
    };
}

/// Begins a loop over the numbers of the P registers (`.irp`), which `.endr` ends.
macro_rules! for_p {
    () => {
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
    };
}

vectors! {
    /// Stores Q0-Q31, 512 bytes.
    fn save_q(to: *mut u8) { q_pairs!("stp") }

    /// Loads Q0-Q31 from 512 bytes, and clears the rest of the Z registers.
    fn load_q(from: *const u8) { q_pairs!("ldp") }

    /// Clears Q0-Q31, and the rest of the Z registers.
    fn clear_q() { for_z!(), "movi v\\n\\().2d, #0", ".endr" }

    /// Returns the length of SVE's vectors at EL3, in bytes.
    fn vector_length() -> u16 { "rdvl x0, #1" }

    /// Returns the length of vectors in streaming mode at EL3, in bytes.
    fn streaming_length() -> u16 { ".inst 0x04bf5820 // rdsvl x0, #1" }

    /// Stores Z0-Z31 and P0-P15 at EL3's vector length, which is the longest of all ELs.
    fn save_z(z: *mut u8, p: *mut u8) {
        for_z!(), "str z\\n, [x0, #\\n, mul vl]", ".endr",
        for_p!(), "str p\\n, [x1, #\\n, mul vl]", ".endr",
    }

    /// Loads Z0-Z31 and P0-P15 as [`save_z`] stored them.
    fn load_z(z: *const u8, p: *const u8) {
        for_z!(), "ldr z\\n, [x0, #\\n, mul vl]", ".endr",
        for_p!(), "ldr p\\n, [x1, #\\n, mul vl]", ".endr",
    }

    /// Stores FFR; changes P0.
    fn save_ffr(to: *mut u8) { "rdffr p0.b", "str p0, [x0]" }

    /// Loads FFR; changes P0.
    fn load_ffr(from: *const u8) { "ldr p0, [x0]", "wrffr p0.b" }

    /// Clears the bits of Z0-Z31 above 128.
    fn clear_upper_z() { for_z!(), "mov v\\n\\().16b, v\\n\\().16b", ".endr" }

    /// Clears P0-P15 and FFR.
    fn clear_p() { for_p!(), "pfalse p\\n\\().b", ".endr", "wrffr p0.b" }
}
