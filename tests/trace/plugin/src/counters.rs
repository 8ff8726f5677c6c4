//! How many instructions each core has executed.
//!
//! QEMU's own inline counters, one a core: a block of code adds its length when it begins. A block that
//! an exception leaves in its middle is counted whole; calls, interrupts and sleep end blocks.
//!
//! With all cores in one thread (`-icount`) QEMU 10 puts into a block the number of the core that
//! translated it, so that the counters do not belong to cores. Then there is one count, that of the
//! machine.

use qemu_plugin::{
    CallbackFlags, PluginCondition, PluginOp, PluginU64, TranslationBlock, VCPUIndex,
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu, qemu_plugin_scoreboard_sum,
    qemu_plugin_u64_get, sys,
};
use std::sync::OnceLock;

struct Counters {
    /// A QEMU scoreboard of one u64 a core, by its address: QEMU's own functions lock it.
    scoreboard: usize,
    threads: bool,
}

static COUNTERS: OnceLock<Counters> = OnceLock::new();

impl Counters {
    fn counter(&self) -> PluginU64 {
        PluginU64 {
            score: self.scoreboard as *mut _,
            offset: 0,
        }
    }
}

/// Makes the counters.
pub fn begin(threads: bool) {
    // SAFETY: allocates; it is never freed, so that it outlives every block.
    let scoreboard = unsafe { sys::qemu_plugin_scoreboard_new(size_of::<u64>()) } as usize;
    let _ = COUNTERS.set(Counters {
        scoreboard,
        threads,
    });
}

/// Registers `call` for the case that the block is the first one that a core executes. Use it before
/// [`count`].
pub fn at_first_block(block: &TranslationBlock, call: fn(VCPUIndex)) {
    if let Some(counters) = COUNTERS.get() {
        block.register_conditional_execute_callback_flags(
            call,
            CallbackFlags::QEMU_PLUGIN_CB_R_REGS,
            PluginCondition::QEMU_PLUGIN_COND_EQ,
            counters.counter(),
            0,
        );
    }
}

/// Makes QEMU count a block when it is executed.
pub fn count(block: TranslationBlock) {
    if let Some(counters) = COUNTERS.get() {
        let instructions = block.size() as u64;
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
            block,
            PluginOp::QEMU_PLUGIN_INLINE_ADD_U64,
            counters.counter(),
            instructions,
        );
    }
}

/// The instructions of the core with this number, and of all cores together.
pub fn now(cpu: VCPUIndex) -> (u64, u64) {
    let Some(counters) = COUNTERS.get() else {
        return (0, 0);
    };
    let all = qemu_plugin_scoreboard_sum(counters.counter());
    if counters.threads {
        (qemu_plugin_u64_get(counters.counter(), cpu), all)
    } else {
        (all, all)
    }
}
