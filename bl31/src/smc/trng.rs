//! The TRNG firmware interface (DEN0098, version 1.0): conditioned entropy for lower ELs.
//!
//! Without a source every function is NOT_SUPPORTED.

/// TRNG_VERSION, the first function.
pub const TRNG_VERSION: u32 = 0x8400_0050;
/// TRNG_FEATURES.
pub const TRNG_FEATURES: u32 = 0x8400_0051;
/// TRNG_GET_UUID.
pub const TRNG_GET_UUID: u32 = 0x8400_0052;
/// TRNG_RND, SMC32: up to 96 bits.
pub const TRNG_RND_32: u32 = 0x8400_0053;
/// TRNG_RND, SMC64: up to 192 bits.
pub const TRNG_RND_64: u32 = 0xc400_0053;

const NOT_SUPPORTED: u64 = -1_i64 as u64;
const INVALID_PARAMETERS: u64 = -2_i64 as u64;
const NO_ENTROPY: u64 = -3_i64 as u64;

/// 9f2cbe2a-4d5c-4c1e-8a83-0f6f3e7d51c4: the UUID of the CPU's own source, RNDRRS.
const UUID: [u64; 4] = [0x2abe_2c9f, 0x1e4c_5c4d, 0x6f0f_838a, 0xc451_7d3e];

/// A function of the interface.
enum Function {
    Version,
    Features,
    Uuid,
    Random32,
    Random64,
}

/// Returns the function with this ID. Calls and TRNG_FEATURES use this.
fn find(function: u32) -> Option<Function> {
    Some(match function {
        TRNG_VERSION => Function::Version,
        TRNG_FEATURES => Function::Features,
        TRNG_GET_UUID => Function::Uuid,
        TRNG_RND_32 => Function::Random32,
        TRNG_RND_64 => Function::Random64,
        _ => return None,
    })
}

/// Returns the answer in x0 to x3 to a call of `function` with x1.
///
/// `source` returns 64 bits of entropy, or None if there are none at present. Without a source, nothing is supported.
pub fn call(function: u32, x1: u64, source: Option<impl FnMut() -> Option<u64>>) -> [u64; 4] {
    let (Some(source), Some(function)) = (source, find(function)) else {
        return [NOT_SUPPORTED, 0, 0, 0];
    };
    match function {
        Function::Version => [1 << 16, 0, 0, 0],
        Function::Features => [find(x1 as u32).map_or(NOT_SUPPORTED, |_| 0), 0, 0, 0],
        Function::Uuid => UUID,
        Function::Random32 => random(u64::from(x1 as u32), 32, source),
        Function::Random64 => random(x1, 64, source),
    }
}

/// Returns the answer with `bits` random bits in three words of `width` bits. Bit 0 is bit 0 of the last word. All
/// other bits are zero.
fn random(bits: u64, width: u64, mut source: impl FnMut() -> Option<u64>) -> [u64; 4] {
    if bits == 0 || bits > 3 * width {
        return [INVALID_PARAMETERS, 0, 0, 0];
    }
    let mut answer = [0; 4];
    for (i, word) in answer[1..].iter_mut().rev().enumerate() {
        let wanted = bits.saturating_sub(i as u64 * width).min(width);
        if wanted == 0 {
            break;
        }
        let Some(entropy) = source() else {
            return [NO_ENTROPY, 0, 0, 0];
        };
        *word = entropy & u64::MAX >> (64 - wanted);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    type Source = fn() -> Option<u64>;
    const ONES: Option<Source> = Some(|| Some(u64::MAX));
    const DRY: Option<Source> = Some(|| None);
    const NONE: Option<Source> = None;

    #[test]
    fn without_a_source_nothing_is_supported() {
        for function in [
            TRNG_VERSION,
            TRNG_FEATURES,
            TRNG_GET_UUID,
            TRNG_RND_32,
            TRNG_RND_64,
        ] {
            assert_eq!(
                call(function, TRNG_VERSION.into(), NONE),
                [NOT_SUPPORTED, 0, 0, 0]
            );
        }
    }

    #[test]
    fn functions() {
        assert_eq!(call(TRNG_VERSION, 0, ONES)[0], 0x1_0000);
        for function in [
            TRNG_VERSION,
            TRNG_FEATURES,
            TRNG_GET_UUID,
            TRNG_RND_32,
            TRNG_RND_64,
        ] {
            assert_eq!(call(TRNG_FEATURES, function.into(), ONES)[0], 0);
        }
        assert_eq!(call(TRNG_FEATURES, 0xc400_0050, ONES)[0], NOT_SUPPORTED);
        assert_eq!(call(0xc400_0050, 0, ONES)[0], NOT_SUPPORTED);
        let uuid = call(TRNG_GET_UUID, 0, ONES);
        assert!(uuid.iter().all(|word| *word <= u32::MAX.into()) && uuid[0] != u32::MAX.into());
    }

    #[test]
    fn as_many_bits_as_asked_for() {
        for bits in 1..=192 {
            let [status, words @ ..] = call(TRNG_RND_64, bits, ONES);
            assert_eq!(status, 0);
            let ones: u32 = words.iter().map(|word| word.count_ones()).sum();
            assert_eq!(u64::from(ones), bits);
            assert_eq!(words[2], if bits < 64 { (1 << bits) - 1 } else { u64::MAX });
            assert_eq!(words[0] != 0, bits > 128);
        }
        for bits in 1..=96 {
            let [status, words @ ..] = call(TRNG_RND_32, bits, ONES);
            assert_eq!(status, 0);
            let ones: u32 = words.iter().map(|word| word.count_ones()).sum();
            assert_eq!(u64::from(ones), bits);
            assert!(words.iter().all(|word| *word <= u32::MAX.into()));
        }
    }

    #[test]
    fn bad_requests_and_dry_sources_give_nothing() {
        for (function, bits) in [
            (TRNG_RND_64, 0),
            (TRNG_RND_64, 193),
            (TRNG_RND_64, u64::MAX),
            (TRNG_RND_32, 0),
            (TRNG_RND_32, 97),
        ] {
            assert_eq!(call(function, bits, ONES), [INVALID_PARAMETERS, 0, 0, 0]);
        }
        assert_eq!(call(TRNG_RND_64, 192, DRY), [NO_ENTROPY, 0, 0, 0]);
        // Bits from before the source ran dry are not returned either.
        let mut left = 2;
        let source = || {
            left -= 1;
            (left >= 0).then_some(u64::MAX)
        };
        assert_eq!(call(TRNG_RND_64, 192, Some(source)), [NO_ENTROPY, 0, 0, 0]);
    }
}
