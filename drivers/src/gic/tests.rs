//! The GIC on memory that stands in for its registers. (Write-one-to-set registers keep only the
//! last write there.)

use super::*;
use std::vec::Vec;

const WORDS_64K: usize = 0x1_0000 / 4;
const GICD_TYPER: usize = 0x4;
const GICD_PIDR2: usize = 0xffe8;
const GICR_TYPER: usize = 0x8;
const GICR_WAKER: usize = 0x14;
const SGI_BASE: usize = 0x1_0000;

static TABLE: [SecureInterrupt; 4] = [
    SecureInterrupt {
        intid: 29,
        group: SecureGroup::Group1S,
        priority: 0x10,
        trigger: Trigger::Level,
        target: Target::Any,
    },
    SecureInterrupt {
        intid: 20,
        group: SecureGroup::Group0,
        priority: 0x20,
        trigger: Trigger::Edge,
        target: Target::Any,
    },
    SecureInterrupt {
        intid: 40,
        group: SecureGroup::Group1S,
        priority: 0x30,
        trigger: Trigger::Edge,
        target: Target::Core(0x8000_0102),
    },
    SecureInterrupt {
        intid: 41,
        group: SecureGroup::Group0,
        priority: 0x40,
        trigger: Trigger::Level,
        target: Target::Any,
    },
];

/// The upper half to the SPMC.
const USUAL: Sgis = Sgis {
    secure: 0xff00,
    group0: 0,
    forgotten: 0,
};

/// Registers that are never freed: tests hold `&'static` to them as platforms do.
struct Fake {
    gicd: *mut u32,
    regions: Vec<*mut u32>,
    config: &'static Config,
}

impl Fake {
    /// A GIC whose redistributor regions have these cores (Aff3.Aff2.Aff1.Aff0 as in GICR_TYPER).
    fn new(regions: &[&[u32]], vlpis: bool, secure: &'static [SecureInterrupt]) -> Self {
        let frames = if vlpis { 4 } else { 2 };
        let memory = |words: usize| {
            // u64s, for the alignment.
            let memory: &'static mut [u64] = vec![0; words / 2].leak();
            memory.as_mut_ptr().cast::<u32>()
        };
        let gicd = memory(WORDS_64K);
        let mut pointers = Vec::new();
        for cores in regions {
            let region = memory(cores.len() * frames * WORDS_64K);
            for (i, affinity) in cores.iter().enumerate() {
                let last = u32::from(i + 1 == cores.len()) << 4;
                let typer = i * frames * 0x1_0000 + GICR_TYPER;
                write(region, typer, last | u32::from(vlpis) << 1);
                write(region, typer + 4, *affinity);
            }
            pointers.push(region);
        }
        let addresses: Vec<usize> = pointers.iter().map(|p| p.expose_provenance()).collect();
        let config = Box::leak(Box::new(Config {
            gicd: gicd.expose_provenance(),
            gicr: addresses.leak(),
            secure,
        }));
        write(gicd, GICD_PIDR2, 3 << 4);
        write(gicd, GICD_TYPER, 1 << 10 | 2); // two security states, 64 SPIs
        Self {
            gicd,
            regions: pointers,
            config,
        }
    }

    fn gic(&self) -> Gic {
        // SAFETY: `new` made the memory, and it lives for ever.
        unsafe { Gic::new(self.config) }
    }
}

fn write(base: *mut u32, offset: usize, value: u32) {
    // SAFETY: tests stay within the fake's memory.
    unsafe { base.add(offset / 4).write_volatile(value) }
}

fn read(base: *mut u32, offset: usize) -> u32 {
    // SAFETY: tests stay within the fake's memory.
    unsafe { base.add(offset / 4).read_volatile() }
}

#[test]
fn refuses_what_it_cannot_drive() {
    let fake = Fake::new(&[&[0]], false, &[]);
    assert_eq!(fake.gic().check(), Ok(()));
    write(fake.gicd, GICD_PIDR2, 2 << 4);
    assert_eq!(fake.gic().check(), Err(Error::Version(2)));
    write(fake.gicd, GICD_PIDR2, 4 << 4);
    assert_eq!(fake.gic().check(), Ok(()));
    write(fake.gicd, 0, 1 << 6);
    assert_eq!(fake.gic().check(), Err(Error::OneSecurityState));
    write(fake.gicd, 0, 0);
    write(fake.gicd, GICD_TYPER, 2);
    assert_eq!(fake.gic().check(), Err(Error::OneSecurityState));
}

#[test]
fn distributor_is_non_secure_but_for_the_table() {
    let fake = Fake::new(&[&[0]], false, &TABLE);
    write(fake.gicd, 0xd04, 0xffff_ffff); // IGRPMODR of SPIs 32 to 63
    fake.gic().init_distributor(true).unwrap();
    assert_eq!(read(fake.gicd, 0), 0b11_0111); // both ARE bits, all groups
    assert_eq!(read(fake.gicd, 0x84), !(0b11 << 8)); // IGROUPR
    assert_eq!(read(fake.gicd, 0xd04) >> 8 & 0b11, 0b01); // IGRPMODR: 40 is Group 1, 41 Group 0
    assert_eq!(read(fake.gicd, 0x88), 0xffff_ffff);
    assert_eq!(read(fake.gicd, 0x428), 0x8080_4030); // IPRIORITYR of 40 to 43
    assert_eq!(read(fake.gicd, 0xc08) >> 16 & 0b1111, 0b0010); // ICFGR: 40 edge, 41 level
    assert_eq!(read(fake.gicd, 0x6100 + 8 * 8), 0x102); // IROUTER of 40 (first is 32's)
    assert_eq!(read(fake.gicd, 0x6100 + 8 * 9), 1 << 31);
    assert_eq!(read(fake.gicd, 0x104), 1 << 9); // the last to be enabled: 41
}

#[test]
fn without_spmc_secure_group_1_stays_disabled() {
    let fake = Fake::new(&[&[0]], false, &TABLE[2..3]);
    fake.gic().init_distributor(false).unwrap();
    assert_eq!(read(fake.gicd, 0x104), 0);
    assert_eq!(read(fake.gicd, 0xd04) >> 8 & 1, 1);
}

#[test]
fn a_table_that_does_not_fit_is_reported() {
    static TOO_HIGH: [SecureInterrupt; 1] = [SecureInterrupt {
        intid: 96,
        ..TABLE[2]
    }];
    static RESERVED: [SecureInterrupt; 1] = [SecureInterrupt {
        intid: 1030,
        ..TABLE[2]
    }];
    for (table, id) in [(&TOO_HIGH, 96), (&RESERVED, 1030)] {
        let fake = Fake::new(&[&[0]], false, table);
        assert_eq!(
            fake.gic().init_distributor(true),
            Err(Error::BadInterrupt(id))
        );
    }
}

#[test]
fn redistributors_are_found_by_affinity() {
    for vlpis in [false, true] {
        let fake = Fake::new(
            &[&[0x0, 0x1, 0x100], &[0x0100_0000, 0x0100_0001]],
            vlpis,
            &[],
        );
        let stride = if vlpis { 0x4_0000 } else { 0x2_0000 };
        let gic = fake.gic();
        for (mpidr, region, frame) in [
            (0x8000_0000, 0, 0),
            (0x8100_0001, 0, 1), // MT is no affinity
            (0x8000_0100, 0, 2),
            (0x01_8000_0001, 1, 1),
        ] {
            let found = gic.redistributor(mpidr).unwrap();
            let expected = fake.regions[region].addr() + frame * stride;
            assert_eq!(found.frame.as_ptr().addr(), expected, "{mpidr:#x}");
        }
        for mpidr in [0x2, 0x200, 0x01_0000_0002] {
            assert!(gic.redistributor(mpidr).is_none());
        }
    }
}

#[test]
fn private_interrupts_are_divided() {
    let fake = Fake::new(&[&[0, 1]], false, &TABLE);
    let gic = fake.gic();
    let sgis = Sgis {
        secure: 0x7f00,
        group0: 1 << 15,
        forgotten: 1 << 14,
    };
    let mut redistributor = gic.redistributor(1).unwrap();
    redistributor.init(&gic, &sgis, true).unwrap();
    redistributor.give_to_normal_world(8, 0xd0).unwrap();
    let sgi = 2 * 0x1_0000 + SGI_BASE;
    let reg = |offset| read(fake.regions[0], sgi + offset);
    // Non-secure: SGIs 0 to 8, all PPIs but 20 and 29.
    assert_eq!(reg(0x80), !(0xfe00 | 1 << 20 | 1 << 29));
    // Secure Group 1: 9 to 14 and 29; Group 0: 15 and 20.
    assert_eq!(reg(0xd00), 0x7e00 | 1 << 29);
    assert_eq!(reg(0x408), 0x0000_00d0);
    assert_eq!(reg(0x414), 0x8080_8020);
    assert_eq!(reg(0x41c), 0x8080_1080);
    assert_eq!(reg(0xc04), 1 << 9); // 20 is edge triggered
    // What woke the core waits no more, all else does.
    assert_eq!(reg(0x280), 1 << 14);
    // The other core was not touched.
    assert_eq!(read(fake.regions[0], SGI_BASE + 0x80), 0);
}

/// The registers beyond the first 32 interrupts start as the others do, and the table's lines for them are not lost.
#[test]
fn extended_private_interrupts_are_divided() {
    static EXTENDED: [SecureInterrupt; 2] = [
        SecureInterrupt {
            intid: 1056 + 3,
            ..TABLE[1]
        },
        TABLE[0],
    ];
    let fake = Fake::new(&[&[0]], false, &EXTENDED);
    let typer = read(fake.regions[0], GICR_TYPER);
    write(fake.regions[0], GICR_TYPER, typer | 1 << 27); // 32 extended PPIs
    let gic = fake.gic();
    let mut redistributor = gic.redistributor(0).unwrap();
    redistributor.init(&gic, &USUAL, true).unwrap();
    let reg = |offset| read(fake.regions[0], SGI_BASE + offset);
    assert_eq!(reg(0x80), !(0xff00 | 1 << 29));
    assert_eq!((reg(0x184), reg(0x84), reg(0xd04)), (!0, !(1 << 3), 0));
    assert_eq!((reg(0x420), reg(0xc08)), (0x2080_8080, 2 << 6));
    // Only what was enabled last is kept.
    assert_eq!((reg(0x100), reg(0x104)), (0xff00 | 1 << 29, 1 << 3));
}

#[test]
fn a_parked_core_listens_to_one_sgi() {
    let fake = Fake::new(&[&[0]], false, &[]);
    let gic = fake.gic();
    let reg = |offset| read(fake.regions[0], SGI_BASE + offset);
    let mut redistributor = gic.redistributor(0).unwrap();
    redistributor.init(&gic, &USUAL, true).unwrap();
    write(fake.regions[0], SGI_BASE + 0x40c, !0);
    redistributor.listen(13).unwrap();
    // All disabled, then 13 enabled; it alone became Group 0, and its priority the highest.
    assert_eq!((reg(0x180), reg(0x100)), (!0, 1 << 13));
    assert_eq!((reg(0x80), reg(0xd00)), (0xffff_00ff, 0xdf00));
    assert_eq!(reg(0x40c), 0xffff_00ff);
    assert_eq!(redistributor.listen(16), Err(Error::BadInterrupt(16)));
}

#[test]
fn without_spmc_all_high_sgis_are_secure() {
    let fake = Fake::new(&[&[0]], false, &[]);
    let gic = fake.gic();
    gic.redistributor(0)
        .unwrap()
        .init(&gic, &USUAL, false)
        .unwrap();
    assert_eq!(read(fake.regions[0], SGI_BASE + 0x80), 0xffff_00ff);
    assert_eq!(read(fake.regions[0], SGI_BASE + 0x100), 0);
}

#[test]
fn an_sgi_that_does_not_exist_is_reported() {
    let fake = Fake::new(&[&[0]], false, &[]);
    let mut redistributor = fake.gic().redistributor(0).unwrap();
    let given = redistributor.give_to_normal_world(16, 0xd0);
    assert_eq!(given, Err(Error::BadInterrupt(16)));
    let state = redistributor.sgi_state(29);
    assert_eq!(state, Err(Error::BadInterrupt(29)));
}

#[test]
fn an_sgi_is_given_away_and_read_back() {
    let fake = Fake::new(&[&[0]], false, &[]);
    let gic = fake.gic();
    let mut redistributor = gic.redistributor(0).unwrap();
    redistributor.init(&gic, &USUAL, true).unwrap();
    redistributor.give_to_normal_world(10, 0xd0).unwrap();
    // The fake keeps the last write to ISENABLER only, and that is the one of SGI 10.
    let state = |non_secure, enabled, priority| SgiState {
        non_secure,
        enabled,
        priority,
    };
    let read = [9, 10, 3].map(|id| redistributor.sgi_state(id).unwrap());
    let expected = [
        state(false, false, 0),
        state(true, true, 0xd0),
        state(true, false, 0x80),
    ];
    assert_eq!(read, expected);
}

/// Each word has the priorities of its own four: the highest for the secure ones, whichever they are.
#[test]
fn the_priority_of_an_sgi_is_that_of_its_owner() {
    const NS: u32 = 0x8080_8080;
    for (secure, group0, words) in [
        (0xff00, 0, [NS, NS, 0, 0]),
        (0, 1 << 3, [0x0080_8080, NS, NS, NS]),
        (0x0050, 0x8000, [NS, 0x8000_8000, NS, 0x0080_8080]),
    ] {
        let sgis = Sgis {
            secure,
            group0,
            forgotten: 0,
        };
        assert_eq!([0, 1, 2, 3].map(|word| sgis.priorities(word)), words);
    }
}

#[test]
fn a_private_interrupt_becomes_el3s() {
    let fake = Fake::new(&[&[0]], false, &[]);
    let gic = fake.gic();
    let reg = |offset| read(fake.regions[0], SGI_BASE + offset);
    let mut redistributor = gic.redistributor(0).unwrap();
    redistributor.init(&gic, &USUAL, true).unwrap();
    write(fake.regions[0], SGI_BASE + 0xc04, !0);
    redistributor.claim_ppi(IntId::ppi(13));
    // Group 0, the highest priority, a level, enabled.
    assert_eq!((reg(0x80) | reg(0xd00)) >> 29 & 1, 0);
    assert_eq!(reg(0x41c), 0x8080_0080);
    assert_eq!(reg(0xc04), !(2 << 26));
    assert_eq!(reg(0x100), 1 << 29);
}

/// A PPI that EL3 borrowed is as it was afterwards, whatever that is: not enabled where nobody wants it any more. The
/// others stay as they are. (The fake's registers of ones to set and to clear are words of their own.)
#[test]
fn a_borrowed_interrupt_is_given_back() {
    let bit = 1 << 29;
    for (groups, modifiers, active, triggers) in [
        (!bit, bit, 0, 0x5555_5555),
        (!0, 0, bit, !0),
        (0, !bit, !0, 0),
    ] {
        for enable in [true, false] {
            let fake = Fake::new(&[&[0]], false, &[]);
            let set = |offset, value| write(fake.regions[0], SGI_BASE + offset, value);
            let reg = |offset| read(fake.regions[0], SGI_BASE + offset);
            let was = [
                (0x80, groups),
                (0xd00, modifiers),
                (0x300, active),
                (0x41c, 0x1122_3344),
                (0xc04, triggers),
            ];
            for (offset, value) in was {
                set(offset, value);
            }
            set(0x100, bit);
            let mut redistributor = fake.gic().redistributor(0).unwrap();
            let ppi = redistributor.borrow(IntId::ppi(13));
            assert_eq!(reg(0x380), bit, "active no more");
            assert_eq!((reg(0x80) | reg(0xd00)) & bit, 0);
            assert_eq!(reg(0x41c), 0x1122_0044);
            set(0x100, 0);
            set(0x300, 0);
            redistributor.give_back(&ppi, enable);
            for (offset, value) in was {
                let value = if offset == 0x300 { value & bit } else { value };
                assert_eq!(reg(offset), value, "{offset:#x}");
            }
            assert_eq!(reg(0x180), bit, "disabled meanwhile");
            assert_eq!(reg(0x100), if enable { bit } else { 0 });
        }
    }
}

#[test]
fn sleep_and_wake_do_nothing_twice() {
    let fake = Fake::new(&[&[0]], false, &[]);
    let mut redistributor = fake.gic().redistributor(0).unwrap();
    // Awake already: ChildrenAsleep is clear, and stays what it is.
    write(fake.regions[0], GICR_WAKER, 0);
    redistributor.wake();
    assert_eq!(read(fake.regions[0], GICR_WAKER), 0);
    write(fake.regions[0], GICR_WAKER, 0b110);
    redistributor.sleep();
    assert_eq!(read(fake.regions[0], GICR_WAKER), 0b110);
}

#[test]
fn a_context_brings_the_groups_back() {
    let fake = Fake::new(&[&[0]], false, &TABLE);
    let gic = fake.gic();
    let mut redistributor = gic.redistributor(0).unwrap();
    redistributor.init(&gic, &USUAL, true).unwrap();
    gic.init_distributor(true).unwrap();
    let mut private = RedistributorContext::new();
    let mut shared = DistributorContext::<31>::new();
    redistributor.save(&mut private).unwrap();
    gic.save(&mut shared).unwrap();
    let groups = (
        read(fake.gicd, 0x84),
        read(fake.regions[0], SGI_BASE + 0x80),
    );
    for (base, offset) in [
        (fake.gicd, 0x84),
        (fake.gicd, 0),
        (fake.regions[0], SGI_BASE + 0x80),
    ] {
        write(base, offset, 0);
    }
    gic.restore(&shared).unwrap();
    redistributor.restore(&private).unwrap();
    assert_eq!(
        (
            read(fake.gicd, 0x84),
            read(fake.regions[0], SGI_BASE + 0x80)
        ),
        groups
    );
    assert_eq!(read(fake.gicd, 0), 0b11_0111);
    let mut small = DistributorContext::<1>::new();
    assert_eq!(gic.save(&mut small), Err(Error::ContextTooSmall));
}

/// Secure SPIs that are routed to a core where nobody takes them go to another core, or nowhere; all
/// others stay.
#[test]
fn spis_leave_a_core_that_does_not_take_them() {
    const TO_ME: u64 = 0x1_0203;
    let fake = Fake::new(&[&[0]], false, &[]);
    let gic = fake.gic();
    let router = |spi: usize| 0x6100 + 8 * spi;
    for (to, disabled, route) in [(Some(0x8000_0001), 0, 1), (None, 0b10, TO_ME as u32)] {
        // SPIs 32 to 37: Group 0, secure Group 1 (three), non-secure; all enabled but 35.
        write(fake.gicd, 0x84, 0b11_0000);
        write(fake.gicd, 0xd04, 0b10_1110);
        write(fake.gicd, 0x104, 0b11_0111);
        for (spi, affinity) in [
            (0, TO_ME),
            (1, TO_ME),
            (2, 0x1_0202),
            (3, TO_ME),
            (5, TO_ME),
        ] {
            write(fake.gicd, router(spi), affinity as u32);
        }
        write(fake.gicd, 0x184, 0);
        write(fake.gicd, 0x384, 0);
        gic.reroute_spis(SecureGroup::Group1S, 0x8000_0000 | TO_ME, to);
        assert_eq!(read(fake.gicd, router(1)), route);
        for spi in [0, 3, 5] {
            assert_eq!(read(fake.gicd, router(spi)), TO_ME as u32, "{spi}");
        }
        assert_eq!(read(fake.gicd, router(2)), 0x1_0202);
        // Disabled, and active no more.
        assert_eq!(
            (read(fake.gicd, 0x184), read(fake.gicd, 0x384)),
            (disabled, 0b10)
        );
        gic.reroute_spis(SecureGroup::Group0, TO_ME, Some(4));
        assert_eq!(read(fake.gicd, router(0)), 4);
    }
    // One that any core may take stays.
    write(fake.gicd, router(1), 1 << 31 | TO_ME as u32);
    gic.reroute_spis(SecureGroup::Group1S, TO_ME, Some(9));
    assert_eq!(read(fake.gicd, router(1)), 1 << 31 | TO_ME as u32);
}

#[test]
fn a_core_without_its_secure_world_has_no_secure_interrupts() {
    let fake = Fake::new(&[&[0]], false, &TABLE);
    let gic = fake.gic();
    let reg = |offset| read(fake.regions[0], SGI_BASE + offset);
    let mut redistributor = gic.redistributor(0).unwrap();
    let sgis = Sgis {
        secure: 0x7f00,
        group0: 1 << 15,
        forgotten: 1 << 14,
    };
    redistributor.init(&gic, &sgis, true).unwrap();
    redistributor.end_secure_group1();
    // Secure Group 1 are 8 to 14 and 29: disabled, not pending. Group 0 are 15 and 20.
    let group1 = 0x7f00 | 1 << 29;
    assert_eq!((reg(0x180), reg(0x280)), (group1, group1));
    assert_eq!(reg(0x380), group1 | 1 << 15 | 1 << 20);
    assert_eq!(read(fake.regions[0], 0) >> 24, 0b100); // DPG1S
}

#[test]
fn a_core_that_is_off_has_nothing_active_and_is_not_chosen() {
    let fake = Fake::new(&[&[0]], false, &[]);
    let gic = fake.gic();
    let mut redistributor = gic.redistributor(0).unwrap();
    redistributor.init(&gic, &USUAL, true).unwrap();
    assert_eq!(read(fake.regions[0], 0), 0);
    write(fake.regions[0], SGI_BASE + 0x380, 0);
    redistributor.listen(15).unwrap();
    assert_eq!(read(fake.regions[0], SGI_BASE + 0x380), !0);
    assert_eq!(read(fake.regions[0], 0) >> 24, 0b111); // DPG1S, DPG1NS, DPG0
    redistributor.init(&gic, &USUAL, true).unwrap();
    assert_eq!(read(fake.regions[0], 0), 0);
}

#[test]
fn the_normal_world_is_let_into_nothing_of_the_secure_one() {
    let fake = Fake::new(&[&[0]], false, &[]);
    let gic = fake.gic();
    for offset in (0xe00..0xf00).step_by(4) {
        write(fake.gicd, offset, !0);
    }
    write(fake.regions[0], SGI_BASE + 0xe00, !0);
    gic.init_distributor(true).unwrap();
    gic.redistributor(0)
        .unwrap()
        .init(&gic, &USUAL, true)
        .unwrap();
    // Two registers for 32 interrupts, those of the private ones first, which the distributor has not.
    let end = 0xe08 + 8 * (read(fake.gicd, 4) as usize & 0x1f);
    assert_ne!(end, 0xe08);
    assert!(
        (0xe08..end)
            .step_by(4)
            .all(|offset| read(fake.gicd, offset) == 0)
    );
    assert_eq!(read(fake.regions[0], SGI_BASE + 0xe00), 0);
}

/// A GIC-600 whose group is on its way when its redistributor is powered up: the wait ends when it is
/// there.
#[test]
fn a_redistributor_is_waited_for_while_its_group_powers_up() {
    const IIDR: usize = 4;
    const PWRR: usize = 0x24;
    let fake = Fake::new(&[&[0]], false, &[]);
    write(fake.regions[0], IIDR, 0x0200_043b);
    write(fake.regions[0], PWRR, 1 << 2); // RDGPD, and not yet RDGPO
    let pwrr = fake.regions[0].addr() + PWRR;
    let _ = fake.regions[0].expose_provenance();
    let hardware = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        // SAFETY: the fake's memory lives for ever.
        unsafe { std::ptr::with_exposed_provenance_mut::<u32>(pwrr).write_volatile(0) };
    });
    fake.gic().redistributor(0).unwrap().wake();
    assert_eq!(read(fake.regions[0], PWRR), 0);
    hardware.join().unwrap();
}
