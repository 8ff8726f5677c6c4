//! FF-A's function IDs and error codes, and calls with raw registers.
//!
//! The registers are raw on purpose: a case must be able to send what no library would send, and see what no library
//! would show.

use super::regs::Regs;
use crate::arch::smc;

/// Declares the function IDs, each as `NAME = number of the 32-bit form`.
macro_rules! functions {
    ($($name:ident = $id:literal,)*) => {
        $(#[doc = concat!("FFA_", stringify!($name), ".")] pub const $name: u32 = $id;)*
        /// Returns the name of a function ID, for messages.
        pub fn name(id: u32) -> &'static str {
            match id & !(1 << 30) {
                $($id => concat!("FFA_", stringify!($name)),)*
                _ => "unknown",
            }
        }
    };
}

functions! {
    ERROR = 0x8400_0060,
    SUCCESS = 0x8400_0061,
    INTERRUPT = 0x8400_0062,
    VERSION = 0x8400_0063,
    FEATURES = 0x8400_0064,
    RX_RELEASE = 0x8400_0065,
    RXTX_MAP = 0x8400_0066,
    RXTX_UNMAP = 0x8400_0067,
    PARTITION_INFO_GET = 0x8400_0068,
    ID_GET = 0x8400_0069,
    MSG_POLL = 0x8400_006a,
    MSG_WAIT = 0x8400_006b,
    YIELD = 0x8400_006c,
    RUN = 0x8400_006d,
    MSG_SEND = 0x8400_006e,
    DIRECT_REQ = 0x8400_006f,
    DIRECT_RESP = 0x8400_0070,
    MEM_DONATE = 0x8400_0071,
    MEM_LEND = 0x8400_0072,
    MEM_SHARE = 0x8400_0073,
    MEM_RETRIEVE_REQ = 0x8400_0074,
    MEM_RETRIEVE_RESP = 0x8400_0075,
    MEM_RELINQUISH = 0x8400_0076,
    MEM_RECLAIM = 0x8400_0077,
    MEM_OP_PAUSE = 0x8400_0078,
    MEM_OP_RESUME = 0x8400_0079,
    MEM_FRAG_RX = 0x8400_007a,
    MEM_FRAG_TX = 0x8400_007b,
    NORMAL_WORLD_RESUME = 0x8400_007c,
    NOTIFICATION_BITMAP_CREATE = 0x8400_007d,
    NOTIFICATION_BITMAP_DESTROY = 0x8400_007e,
    NOTIFICATION_BIND = 0x8400_007f,
    NOTIFICATION_UNBIND = 0x8400_0080,
    NOTIFICATION_SET = 0x8400_0081,
    NOTIFICATION_GET = 0x8400_0082,
    NOTIFICATION_INFO_GET = 0x8400_0083,
    RX_ACQUIRE = 0x8400_0084,
    SPM_ID_GET = 0x8400_0085,
    MSG_SEND2 = 0x8400_0086,
    SECONDARY_EP_REGISTER = 0x8400_0087,
    MEM_PERM_GET = 0x8400_0088,
    MEM_PERM_SET = 0x8400_0089,
    CONSOLE_LOG = 0x8400_008a,
    PARTITION_INFO_GET_REGS = 0x8400_008b,
    EL3_INTR_HANDLE = 0x8400_008c,
    DIRECT_REQ2 = 0x8400_008d,
    DIRECT_RESP2 = 0x8400_008e,
    NS_RES_INFO_GET = 0x8400_008f,
    ABORT = 0x8400_0090,
    NOTIFICATION_BIND2 = 0x8400_0094,
    NOTIFICATION_UNBIND2 = 0x8400_0095,
    NOTIFICATION_SET2 = 0x8400_0096,
    NOTIFICATION_GET2 = 0x8400_0097,
}

/// The bit of a function ID that says that it is of the 64-bit convention.
pub const SMC64: u32 = 1 << 30;

/// The bit of w2 that marks a framework message.
pub const FRAMEWORK: u64 = 1 << 31;

/// The kinds of framework messages, in w2\[7:0\].
pub mod message {
    /// PSCI power request, from the SPMD.
    pub const POWER: u64 = 0;
    /// Warm boot, from the SPMD.
    pub const WARM_BOOT: u64 = 1;
    /// Response to a power request and to a warm boot.
    pub const POWER_RESPONSE: u64 = 2;
    /// A VM was created.
    pub const VM_CREATED: u64 = 4;
    /// Response to [`VM_CREATED`].
    pub const VM_CREATED_RESPONSE: u64 = 5;
    /// A VM was destroyed.
    pub const VM_DESTROYED: u64 = 6;
    /// Response to [`VM_DESTROYED`].
    pub const VM_DESTROYED_RESPONSE: u64 = 7;
    /// Version request, from the SPMD.
    pub const VERSION: u64 = 8;
    /// Response to [`VERSION`].
    pub const VERSION_RESPONSE: u64 = 9;
}

/// NOT_SUPPORTED.
pub const NOT_SUPPORTED: i32 = -1;
/// INVALID_PARAMETERS.
pub const INVALID_PARAMETERS: i32 = -2;
/// NO_MEMORY.
pub const NO_MEMORY: i32 = -3;
/// BUSY.
pub const BUSY: i32 = -4;
/// INTERRUPTED.
pub const INTERRUPTED: i32 = -5;
/// DENIED.
pub const DENIED: i32 = -6;
/// RETRY.
pub const RETRY: i32 = -7;
/// ABORTED.
pub const ABORTED: i32 = -8;
/// NO_DATA.
pub const NO_DATA: i32 = -9;

/// The hypervisor's ID.
pub const HYPERVISOR: u64 = 0;
/// The SPMC's ID in the manifests of the tests.
pub const SPMC: u64 = 0x8000;
/// The SPMD's ID.
pub const SPMD: u64 = 0xffff;

/// Returns w1 of a message from `sender` to `receiver`.
pub const fn route(sender: u64, receiver: u64) -> u64 {
    (sender << 16) | receiver
}

/// Calls `function` with `arguments` from x1 on, and zero in the other registers. Returns the answer.
pub fn call(function: u32, arguments: &[u64]) -> Regs {
    smc::call(request(function, arguments))
}

/// Returns the registers of a call of `function` with `arguments` from x1 on, and zero in the others.
pub fn request(function: u32, arguments: &[u64]) -> Regs {
    let mut regs = Regs::default();
    regs.0[0] = u64::from(function);
    regs.0[1..=arguments.len()].copy_from_slice(arguments);
    regs
}

/// Returns the registers of FFA_ERROR with `code`.
pub fn error(code: i32) -> Regs {
    request(ERROR, &[0, u64::from(code as u32)])
}

/// Returns the registers of FFA_SUCCESS.
pub fn success() -> Regs {
    request(SUCCESS, &[])
}

/// Returns the direct response to `to`: in its convention, with its IDs exchanged, and with `values` from x3 on.
pub fn response(to: &Regs, values: &[u64]) -> Regs {
    let (sender, receiver) = ((to.x(1) >> 16) & 0xffff, to.x(1) & 0xffff);
    let id = to.function() & SMC64
        | if to.function() & !SMC64 == DIRECT_REQ2 {
            DIRECT_RESP2
        } else {
            DIRECT_RESP
        };
    let mut regs = request(id, &[route(receiver, sender), to.x(2) & FRAMEWORK]);
    regs.0[3..3 + values.len()].copy_from_slice(values);
    if id & !SMC64 == DIRECT_RESP2 {
        regs.0[2] = 0;
    }
    regs
}

/// Returns the response to a framework message, of kind `message` and with `status` in w3.
pub fn framework_response(to: &Regs, message: u64, status: i32) -> Regs {
    response(to, &[u64::from(status as u32)]).with(2, FRAMEWORK | message)
}

/// Fails this part of the case unless `got` is FFA_ERROR with `code` and zero in the rest of x1-x7.
pub fn expect_error(got: &Regs, code: i32, what: &str) -> super::case::Outcome {
    if got.0[..8] != error(code).0[..8] {
        crate::fail!("{what}: {got}, should be FFA_ERROR {code}")
    }
    Ok(())
}
