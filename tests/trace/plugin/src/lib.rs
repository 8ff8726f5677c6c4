//! QEMU TCG plugin of `cargo xtask run --trace`:
//! `-plugin FILE,out=TRACE,from=ADDRESS,to=ADDRESS,threads=on|off`.
//!
//! It appends to TRACE a record for each entry to EL3 and each exit from it. The image is looked at from
//! outside: an entry is the first instruction of a vector of VBAR_EL3, an exit is an ERET that EL3
//! executes. `from` and `to` say where BL31's code may be; any other code only has its instructions
//! counted, a block at a time. Virtual addresses of the lower ELs may be the same, so the exception level
//! is looked at each time. `threads` says whether QEMU runs each core in a thread of its own: see
//! [`counters`].

mod cores;
mod counters;
mod out;
mod registers;

use janus_trace_format::{Event, Record, Way};
use out::OUT;
use qemu_plugin::install::{Args, Info};
use qemu_plugin::plugin::{HasCallbacks, Register};
use qemu_plugin::{
    CallbackFlags, PluginId, Result, TranslationBlock, VCPUIndex, qemu_plugin_register_atexit_cb,
    register,
};
use registers::{EL3, REGISTERS, Registers};
use std::ops::Range;

/// ERET, ERETAA and ERETAB have this in their upper 20 bits.
const ERET: u32 = 0xd69f_0000;
/// A table of vectors has this size, a vector this one.
const VECTORS: u64 = 0x800;
const VECTOR: u64 = 0x80;
const REGISTERS_READ: CallbackFlags = CallbackFlags::QEMU_PLUGIN_CB_R_REGS;

struct Tracer {
    code: Range<u64>,
}

/// What the command line of QEMU says.
struct Options {
    out: String,
    code: Range<u64>,
    threads: bool,
}

impl Options {
    fn parse(raw: &[String]) -> std::result::Result<Options, String> {
        let value = |name: &str| {
            let found = raw
                .iter()
                .find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| format!("`{name}=` is missing"))
        };
        let address = |name: &str| {
            let text = value(name)?;
            let digits = text.strip_prefix("0x").unwrap_or(text);
            u64::from_str_radix(digits, 16).map_err(|_| format!("{name}={text} is no address"))
        };
        Ok(Options {
            out: value("out")?.to_owned(),
            code: address("from")?..address("to")?,
            threads: value("threads")? == "on",
        })
    }
}

/// Ends QEMU, which has no other way to hear that a plugin cannot do its work.
fn give_up(why: &str) -> ! {
    eprintln!("janus-trace-plugin: {why}");
    std::process::exit(1);
}

impl Register for Tracer {
    fn register(&mut self, id: PluginId, args: &Args, _: &Info) -> Result<()> {
        let options = Options::parse(&args.raw).unwrap_or_else(|why| {
            give_up(&format!(
                "{why}: -plugin FILE,out=TRACE,from=ADDRESS,to=ADDRESS,threads=on|off"
            ))
        });
        self.code = options.code;
        counters::begin(options.threads);
        cores::begin(options.threads);
        if let Err(error) = out::open(&options.out) {
            give_up(&format!("{}: {error}", options.out));
        }
        qemu_plugin_register_atexit_cb(id, |_| OUT.lock().end())
    }
}

impl HasCallbacks for Tracer {
    fn on_vcpu_init(&mut self, _: PluginId, _: VCPUIndex) -> Result<()> {
        if REGISTERS.get().is_none() {
            match Registers::find() {
                Ok(found) => drop(REGISTERS.set(found)),
                Err(name) => give_up(&format!(
                    "this QEMU does not show {name}: use 10.0 or later"
                )),
            }
        }
        Ok(())
    }

    fn on_translation_block_translate(
        &mut self,
        _: PluginId,
        block: TranslationBlock,
    ) -> Result<()> {
        let start = block.vaddr();
        if self.code.contains(&start) {
            // Called before the block is counted: instructions counted up to an entry belong to the world.
            if start.is_multiple_of(VECTOR) {
                block.register_execute_callback_flags(move |cpu| entry(cpu, start), REGISTERS_READ);
            }
            for insn in block.instructions() {
                let mut word = [0; 4];
                insn.read_data(&mut word);
                if u32::from_le_bytes(word) & 0xffff_f000 == ERET {
                    insn.register_execute_callback_flags(exit, REGISTERS_READ);
                }
            }
        }
        if cores::wanted() {
            counters::at_first_block(&block, cores::first_block);
        }
        counters::count(block);
        Ok(())
    }
}

/// A core executes the first instruction of a block at `pc` that may be a vector.
fn entry(cpu: VCPUIndex, pc: u64) {
    let Some(registers) = REGISTERS.get() else {
        return;
    };
    if registers.el() != EL3 {
        return;
    }
    let offset = pc.wrapping_sub(registers.vectors.read());
    if offset < VECTORS {
        let esr = registers.esr.read();
        let vector = offset as u16;
        record(cpu, registers, Way::Entry { vector, esr });
    }
}

/// A core is about to execute an ERET.
fn exit(cpu: VCPUIndex) {
    let Some(registers) = REGISTERS.get() else {
        return;
    };
    // One from EL3 to EL3 is no exit.
    if registers.el() == EL3 && registers.spsr.read() & 0x1f != 0xd {
        record(cpu, registers, Way::Exit);
    }
}

fn record(cpu: VCPUIndex, registers: &Registers, way: Way) {
    // Only one core at a time from here on, so that the order in the file is that of the counts.
    let mut out = OUT.lock();
    let (own, all) = counters::now(cpu);
    out.write(&Record::Event(Event {
        way,
        core: cores::affinity(cpu, registers),
        own,
        all,
        scr: registers.scr.read(),
        spsr: registers.spsr.read(),
        elr: registers.elr.read(),
        regs: registers.arguments(),
    }));
}

register!(Tracer { code: 0..0 });
