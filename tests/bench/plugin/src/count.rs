//! The accounting: which instruction belongs to which row of the table, and who executed it.
//!
//! A *window* is one execution of one row. The payload's marks open and close it; two rows have
//! no marks at both ends, because no payload runs there: the boot, from BL31's first instruction
//! to the normal world's first (row [`BOOT`]), and a window from which the core does not return
//! (CPU_OFF), which ends where it begins to wait.
//!
//! The address of an instruction tells who executes it. BL31, the SPMC and the normal world's image
//! lie apart, are mapped one to one, and only their own exception level executes them: the SPMC
//! and the normal world cannot reach BL31's secure memory, and EL3 leaves its own only by ERET.
//!
//! With its cores in one thread QEMU 10 does not say which core executes: a block of code passes
//! the index of the core that first ran it. All cores then count as core 0, and a window may
//! begin on one core and end on another; the payload sees to it that only one core at a time is
//! in EL3. With a thread per core the index is right, and every core has windows of its own. There cores take locks from
//! each other and wait for them, so a wait does not tell that a core is parked: [`Bench::park`] does. A parked core that
//! is turned on makes a window of row [`BOOT`] again.

use super::insn::{Class, Mark};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;

/// The row of the way from BL31's first instruction to the normal world's first.
pub const BOOT: u16 = 0;

/// The longest loop around a WFE or WFI that counts as parked, in instructions. Taking a lock
/// twice, which waits too, takes longer, and so does what follows it.
const PARKING_LOOP: u64 = 16;

/// A line of memory, in bytes: what a cache of Arm's cores keeps as one.
const LINE: u64 = 64;
/// The smallest page of both BL31s' tables, in bytes: what a TLB keeps as one, at worst.
const PAGE: u64 = 4096;

/// Who an instruction belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// BL31.
    El3,
    /// The SPMC, at S-EL2 or S-EL1.
    Spmc,
    /// The normal world.
    Normal,
}

/// The machine, under TF-A's BL2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Machine {
    /// QEMU's virt.
    #[default]
    Virt,
    /// Arm's FVP.
    Fvp,
}

impl Machine {
    /// The owner of the code at `address`, if it is one that is counted: BL1 and BL2, which run before (on the
    /// FVP BL1 also when a core comes), lie elsewhere.
    pub fn owner(self, address: u64) -> Option<Owner> {
        match (self, address) {
            (Machine::Virt, 0x0e09_0000..0x0e10_0000) => Some(Owner::El3),
            (Machine::Virt, 0x0e10_0000..0x1000_0000) => Some(Owner::Spmc),
            (Machine::Virt, 0x4000_0000..) => Some(Owner::Normal),
            // BL2 is where BL31's data will be.
            (Machine::Fvp, 0x0400_3000..0x0402_0000) => Some(Owner::El3),
            (Machine::Fvp, 0x0600_0000..0x0800_0000) => Some(Owner::Spmc),
            (Machine::Fvp, 0x8000_0000..) => Some(Owner::Normal),
            _ => None,
        }
    }

    /// Returns whether a device is at `address`. (On the FVP EL3 maps a page of SRAM as one.)
    fn is_device(self, address: u64) -> bool {
        match self {
            Machine::Virt => address < 0x0e00_0000,
            Machine::Fvp => address < 0x0400_1000 || (0x1c00_0000..0x3000_0000).contains(&address),
        }
    }
}

/// What one window has seen. All but the first three count EL3 only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    el3: u64,
    spmc: u64,
    normal: u64,
    system_registers: u64,
    barriers: u64,
    exclusives: u64,
    cache: u64,
    tlb: u64,
    /// How often EL3 was entered from another owner.
    entries: u64,
    loads: u64,
    stores: u64,
    /// Loads and stores of device registers.
    device: u64,
    /// Those of the system register accesses that write a register of [`insn::IN_ORDER`](super::insn::IN_ORDER).
    in_order: u64,
    /// Lines of memory that instructions came from.
    code_lines: u64,
    /// Lines of memory that were read or written; devices have none.
    data_lines: u64,
    /// Pages of these lines.
    code_pages: u64,
    data_pages: u64,
}

impl Counts {
    fn add(&mut self, owner: Owner, class: Class, entered: bool) {
        match owner {
            Owner::Spmc => self.spmc += 1,
            Owner::Normal => self.normal += 1,
            Owner::El3 => {
                self.el3 += 1;
                self.entries += u64::from(entered);
                match class {
                    Class::SystemRegister => self.system_registers += 1,
                    Class::InOrderWrite => {
                        self.system_registers += 1;
                        self.in_order += 1;
                    }
                    Class::Barrier => self.barriers += 1,
                    Class::Exclusive => self.exclusives += 1,
                    Class::Cache => self.cache += 1,
                    Class::Tlb => self.tlb += 1,
                    Class::Plain | Class::Wait | Class::Sleep | Class::Mark(_) => {}
                }
            }
        }
    }
}

#[derive(Default)]
struct Window {
    row: u16,
    counts: Counts,
    pcs: BTreeMap<u64, u64>,
    /// By line and whether it was written.
    lines: BTreeMap<(u64, bool), u64>,
    code: Touched,
    data: Touched,
    /// Whether the core does not come back from this window.
    last: bool,
    /// Where EL3 last executed WFE or WFI, which of them, and the counts just before.
    waited: Option<(u64, Class, Counts)>,
}

/// The places that a window has touched.
#[derive(Default)]
struct Touched {
    lines: BTreeSet<u64>,
    pages: BTreeSet<u64>,
}

impl Touched {
    /// Adds a place, and counts its line and its page if they are new.
    fn touch(&mut self, address: u64, lines: &mut u64, pages: &mut u64) {
        if self.lines.insert(address / LINE) {
            *lines += 1;
            *pages += u64::from(self.pages.insert(address / PAGE));
        }
    }
}

#[derive(Default)]
struct Core {
    last: Option<Owner>,
    arrived: bool,
    window: Option<Window>,
}

/// Everything seen so far, for all cores.
#[derive(Default)]
pub struct Bench {
    /// Where it is.
    pub machine: Machine,
    /// The function of BL31 in which a core waits to be turned on, where that is known.
    pub park: Range<u64>,
    cores: Vec<Core>,
    samples: Vec<(u16, usize, Counts)>,
    pcs: BTreeMap<(u16, usize, u64), u64>,
    lines: BTreeMap<(u16, usize, u64, bool), u64>,
}

impl Bench {
    /// No core seen yet.
    pub const fn new() -> Self {
        Self {
            machine: Machine::Virt,
            park: 0..0,
            cores: Vec::new(),
            samples: Vec::new(),
            pcs: BTreeMap::new(),
            lines: BTreeMap::new(),
        }
    }

    fn core(&mut self, core: usize) -> &mut Core {
        if self.cores.len() <= core {
            self.cores.resize_with(core + 1, Core::default);
        }
        &mut self.cores[core]
    }

    /// `core` executes the instruction of `class` at `pc`.
    pub fn execute(&mut self, core: usize, pc: u64, owner: Owner, class: Class) {
        let (parks, park_known) = (self.park.contains(&pc), !self.park.is_empty());
        let state = self.core(core);
        let entered = owner == Owner::El3 && state.last != Some(owner);
        state.last = Some(owner);
        if !state.arrived {
            match owner {
                Owner::Normal => {
                    state.arrived = true;
                    self.close(core);
                }
                _ if state.window.is_none() && !parks => {
                    state.window = Some(Window {
                        row: BOOT,
                        ..Window::default()
                    })
                }
                _ => {}
            }
        }
        // Marks are the payload's: the same bits in another image mean nothing.
        if let (Class::Mark(mark), Owner::Normal) = (class, owner) {
            let window = &mut self.core(core).window;
            match mark {
                Mark::Begin(row) => {
                    *window = Some(Window {
                        row,
                        ..Window::default()
                    })
                }
                Mark::Last(row) => {
                    *window = Some(Window {
                        row,
                        last: true,
                        ..Window::default()
                    })
                }
                Mark::End(row) if window.as_ref().is_some_and(|w| w.row == row) => self.close(core),
                Mark::End(_) => {}
            }
            return;
        }
        let Some(window) = &mut self.core(core).window else {
            return;
        };
        if window.last && parks && matches!(class, Class::Wait | Class::Sleep) {
            self.close(core);
            self.core(core).arrived = false;
            return;
        }
        if window.last && !park_known {
            // What may follow the wait, if the core is parked since then.
            let parked = window
                .waited
                .filter(|(.., before)| window.counts.el3 - before.el3 <= PARKING_LOOP);
            let waits = owner == Owner::El3 && matches!(class, Class::Wait | Class::Sleep);
            let others_turn = owner == Owner::Normal;
            match parked {
                // The same wait again; or another core runs while this one sleeps. (A lock that it
                // takes may wait by WFE, and gives others a turn too.)
                Some((at, how, before))
                    if waits && at == pc || others_turn && how == Class::Sleep =>
                {
                    window.counts = before;
                    self.close(core);
                    return;
                }
                _ if waits => window.waited = Some((pc, class, window.counts)),
                _ => {}
            }
        }
        window.counts.add(owner, class, entered);
        if owner == Owner::El3 {
            *window.pcs.entry(pc).or_default() += 1;
            let counts = &mut window.counts;
            window
                .code
                .touch(pc, &mut counts.code_lines, &mut counts.code_pages);
        }
    }

    /// EL3 on `core` reads or writes `size` bytes from `address` on.
    pub fn access(&mut self, core: usize, address: u64, size: u64, write: bool) {
        let device = self.machine.is_device(address);
        let Some(window) = &mut self.core(core).window else {
            return;
        };
        if device {
            window.counts.device += 1;
            return;
        }
        if write {
            window.counts.stores += 1;
        } else {
            window.counts.loads += 1;
        }
        let counts = &mut window.counts;
        for line in address / LINE..=(address + size - 1) / LINE {
            let line = line * LINE;
            *window.lines.entry((line, write)).or_default() += 1;
            window
                .data
                .touch(line, &mut counts.data_lines, &mut counts.data_pages);
        }
    }

    fn close(&mut self, core: usize) {
        let Some(window) = self.core(core).window.take() else {
            return;
        };
        let row = window.row;
        self.samples.push((row, core, window.counts));
        for (pc, n) in window.pcs {
            *self.pcs.entry((row, core, pc)).or_default() += n;
        }
        for ((line, write), n) in window.lines {
            *self.lines.entry((row, core, line, write)).or_default() += n;
        }
    }

    /// The end of the run: a core that waits in its window for good ended it there. Then all
    /// that was seen, one line each:
    /// `window ROW CORE` and the fields of [`Counts`] in order, `pc ROW CORE ADDRESS TIMES`,
    /// `line ROW CORE r|w ADDRESS TIMES`; addresses in hexadecimal.
    pub fn report(&mut self) -> String {
        for core in 0..self.cores.len() {
            if let Some(window) = &mut self.cores[core].window
                && window.last
                && let Some((.., before)) = window.waited
            {
                window.counts = before;
                self.close(core);
            }
        }
        let mut text = String::new();
        for (row, core, c) in &self.samples {
            let _ = writeln!(
                text,
                "window {row} {core} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
                c.el3,
                c.spmc,
                c.normal,
                c.system_registers,
                c.barriers,
                c.exclusives,
                c.cache,
                c.tlb,
                c.entries,
                c.loads,
                c.stores,
                c.device,
                c.in_order,
                c.code_lines,
                c.data_lines,
                c.code_pages,
                c.data_pages
            );
        }
        for ((row, core, pc), n) in &self.pcs {
            let _ = writeln!(text, "pc {row} {core} {pc:x} {n}");
        }
        for ((row, core, line, write), n) in &self.lines {
            let _ = writeln!(
                text,
                "line {row} {core} {} {line:x} {n}",
                if *write { 'w' } else { 'r' }
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EL3: u64 = 0x0e09_1000;
    const SPMC: u64 = 0x0e10_0000;
    const NORMAL: u64 = 0x6000_0000;

    fn run(bench: &mut Bench, core: usize, code: &[(u64, Class)]) {
        for &(pc, class) in code {
            bench.execute(
                core,
                pc,
                Machine::Virt.owner(pc).expect("a counted address"),
                class,
            );
        }
    }

    fn windows(bench: &mut Bench) -> Vec<String> {
        bench
            .report()
            .lines()
            .filter(|l| l.starts_with("window"))
            .map(str::to_owned)
            .collect()
    }

    const PLAIN: Class = Class::Plain;

    #[test]
    fn a_call_is_what_lies_between_its_marks() {
        let mut bench = Bench::new();
        let begin = (NORMAL, Class::Mark(Mark::Begin(7)));
        run(&mut bench, 0, &[(NORMAL, PLAIN), begin, (NORMAL, PLAIN)]);
        run(&mut bench, 0, &[(EL3, Class::Barrier), (EL3, PLAIN)]);
        run(
            &mut bench,
            0,
            &[(SPMC, PLAIN), (EL3, Class::SystemRegister)],
        );
        bench.access(0, 0x0e0a_0010, 8, true);
        bench.access(0, 0x0e0a_0018, 8, false);
        bench.access(0, 0x0900_0000, 4, true);
        let end = (NORMAL, Class::Mark(Mark::End(7)));
        run(&mut bench, 0, &[end, (EL3, PLAIN), (NORMAL, PLAIN)]);
        // Without an instruction of EL3 before the normal world's first there is no boot.
        assert_eq!(
            windows(&mut bench),
            ["window 7 0 3 1 1 1 1 0 0 0 2 1 1 1 0 1 1 1 1"]
        );
    }

    #[test]
    fn lines_and_pages_count_once_in_each_window() {
        let mut bench = Bench::new();
        run(&mut bench, 0, &[(NORMAL, PLAIN)]);
        for _ in 0..2 {
            run(&mut bench, 0, &[(NORMAL, Class::Mark(Mark::Begin(7)))]);
            // Two lines in one page, one of them twice, and one in the next page.
            for at in [0, 0x3c, 0x40, 0, 0x1000] {
                run(&mut bench, 0, &[(EL3 + at, Class::InOrderWrite)]);
            }
            // A pair that crosses into the next line and page, and a line of it again.
            bench.access(0, 0x0e0a_0ff8, 16, true);
            bench.access(0, 0x0e0a_0fc0, 8, false);
            run(&mut bench, 0, &[(NORMAL, Class::Mark(Mark::End(7)))]);
        }
        let expected = ["window 7 0 5 0 0 5 0 0 0 0 1 1 1 0 5 3 2 2 2"; 2];
        assert_eq!(windows(&mut bench), expected);
    }

    #[test]
    fn the_boot_is_from_el3_to_the_normal_world() {
        let mut bench = Bench::new();
        run(&mut bench, 1, &[(EL3, PLAIN), (SPMC, PLAIN), (EL3, PLAIN)]);
        run(
            &mut bench,
            1,
            &[(NORMAL, PLAIN), (EL3, PLAIN), (NORMAL, PLAIN)],
        );
        assert_eq!(
            windows(&mut bench),
            ["window 0 1 2 1 0 0 0 0 0 0 2 0 0 0 0 1 0 1 0"]
        );
    }

    #[test]
    fn a_core_that_does_not_return_ends_its_row_where_it_begins_to_wait() {
        for waits in [1, 2, 5] {
            let mut bench = Bench::new();
            run(&mut bench, 0, &[(NORMAL, Class::Mark(Mark::Last(3)))]);
            for _ in 0..2 {
                run(&mut bench, 0, &[(EL3, Class::Wait)]); // a lock's
                run(&mut bench, 0, &[(EL3 + 4, PLAIN); PARKING_LOOP as usize]);
            }
            for _ in 0..waits {
                run(&mut bench, 0, &[(EL3 + 8, Class::Wait), (EL3 + 12, PLAIN)]);
            }
            let expected = ["window 3 0 34 0 0 0 0 0 0 0 1 0 0 0 0 1 0 1 0"];
            assert_eq!(windows(&mut bench), expected, "{waits}");
        }
    }

    #[test]
    fn where_the_park_is_known_other_waits_are_of_the_row() {
        let mut bench = Bench::new();
        bench.park = EL3 + 0x100..EL3 + 0x110;
        run(&mut bench, 2, &[(NORMAL, Class::Mark(Mark::Last(41)))]);
        run(&mut bench, 2, &[(EL3, Class::Wait); 5]); // a lock's
        run(&mut bench, 2, &[(EL3 + 0x100, PLAIN); 2]);
        run(&mut bench, 2, &[(EL3 + 0x104, Class::Sleep); 3]);
        run(&mut bench, 2, &[(EL3 + 0x108, PLAIN), (EL3 + 0x110, PLAIN)]);
        run(
            &mut bench,
            2,
            &[(SPMC, PLAIN), (EL3, PLAIN), (NORMAL, PLAIN)],
        );
        assert_eq!(
            windows(&mut bench),
            [
                "window 41 2 7 0 0 0 0 0 0 0 1 0 0 0 0 2 0 1 0",
                "window 0 2 2 1 0 0 0 0 0 0 1 0 0 0 0 2 0 1 0"
            ]
        );
    }

    #[test]
    fn a_core_that_sleeps_has_ended_its_row_when_another_one_runs() {
        let mut bench = Bench::new();
        run(&mut bench, 0, &[(NORMAL, Class::Mark(Mark::Last(3)))]);
        // Another core's turn while this one works is part of the row.
        run(
            &mut bench,
            0,
            &[(EL3, PLAIN), (NORMAL, PLAIN), (EL3, PLAIN)],
        );
        run(&mut bench, 0, &[(EL3 + 4, Class::Wait), (NORMAL, PLAIN)]);
        run(&mut bench, 0, &[(EL3 + 8, Class::Sleep), (NORMAL, PLAIN)]);
        run(&mut bench, 0, &[(EL3, PLAIN); 5]);
        assert_eq!(
            windows(&mut bench),
            ["window 3 0 3 0 2 0 0 0 0 0 2 0 0 0 0 1 0 1 0"]
        );
    }

    #[test]
    fn marks_count_in_the_normal_world_only() {
        let mut bench = Bench::new();
        let mark = (EL3, Class::Mark(Mark::Begin(1)));
        run(&mut bench, 0, &[(NORMAL, PLAIN), mark, (EL3, PLAIN)]);
        assert!(windows(&mut bench).is_empty());
    }
}
