//! QEMU TCG plugin of `cargo xtask bench`: `-plugin FILE,out=REPORT,threads=on|off,fvp=on|off,park=N,park_end=N`.
//!
//! It sees every instruction of the guest before it executes and every load and store of BL31,
//! sorts them with [`insn`] and [`count`], and writes the report when QEMU ends. `threads` says
//! whether QEMU runs each core in a thread of its own: [`count`] explains why the plugin has to know. `fvp` says which
//! machine it is. `park` and `park_end` (decimal) are the addresses of [`Bench::park`].

mod count;
mod insn;

use count::{Bench, Machine, Owner};
use qemu_plugin::install::{Args, Info, Value};
use qemu_plugin::plugin::{HasCallbacks, Register};
use qemu_plugin::{
    MemRW, PluginId, Result, TranslationBlock, qemu_plugin_register_atexit_cb, register,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

static BENCH: Mutex<Bench> = Mutex::new(Bench::new());

fn bench() -> MutexGuard<'static, Bench> {
    BENCH.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Counter {
    threads: bool,
    machine: Machine,
}

impl Register for Counter {
    fn register(&mut self, id: PluginId, args: &Args, _: &Info) -> Result<()> {
        let out = match args.parsed.get("out") {
            Some(Value::String(path)) => path.clone(),
            _ => {
                eprintln!("janus-bench-plugin: say where the report goes: -plugin FILE,out=REPORT");
                std::process::exit(1);
            }
        };
        let on = |name: &str| matches!(args.parsed.get(name), Some(Value::Bool(true)));
        self.threads = on("threads");
        if on("fvp") {
            self.machine = Machine::Fvp;
            bench().machine = Machine::Fvp;
        }
        let address = |name: &str| match args.parsed.get(name) {
            Some(Value::Integer(at)) => *at as u64,
            _ => 0,
        };
        bench().park = address("park")..address("park_end");
        qemu_plugin_register_atexit_cb(id, move |_| {
            if let Err(error) = std::fs::write(&out, bench().report()) {
                eprintln!("janus-bench-plugin: {out}: {error}");
                std::process::exit(1);
            }
        })
    }
}

impl HasCallbacks for Counter {
    fn on_translation_block_translate(
        &mut self,
        _: PluginId,
        block: TranslationBlock,
    ) -> Result<()> {
        let threads = self.threads;
        let index = move |core: u32| if threads { core as usize } else { 0 };
        for insn in block.instructions() {
            let pc = insn.vaddr();
            let Some(owner) = self.machine.owner(pc) else {
                continue;
            };
            let mut word = [0; 4];
            insn.read_data(&mut word);
            let class = insn::classify(u32::from_le_bytes(word));
            insn.register_execute_callback(move |core| {
                bench().execute(index(core), pc, owner, class)
            });
            if owner == Owner::El3 {
                insn.register_memory_access_callback(
                    move |core, access, address| {
                        let size = 1 << access.size_shift();
                        bench().access(index(core), address, size, access.is_store())
                    },
                    MemRW::QEMU_PLUGIN_MEM_RW,
                );
            }
        }
        Ok(())
    }
}

register!(Counter {
    threads: false,
    machine: Machine::Virt
});
