// SPDX-License-Identifier: BSD-3-Clause

//! A machine for the tests: one dispatcher, the registers of two worlds, and ways into each state.

#![allow(dead_code, reason = "each test uses its own part")]

use janus_spmd::{
    Action, Activation, Body, Core, Interrupts, LogicalPartition, Message, Messenger, Pages, Regs,
    Request, Run, SpmcConfig, Spmd, Step, Version, Work, World,
};

pub const SPMC: u16 = 0x8000;
pub const IMAGE: std::ops::Range<u64> = 0x0e10_0000..0x0e20_0000;
pub const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];
pub const HINT: u64 = 1 << 16;

/// Function ID of a number in a convention.
pub fn id(number: u32, is_64: bool) -> u64 {
    u64::from(if is_64 { 0xC400_0000 } else { 0x8400_0000 } | number)
}

/// w2 of FFA_ERROR.
pub fn error_code(code: i32) -> u64 {
    u64::from(code as u32)
}

pub struct ExamplePartition(pub u16, pub [u64; 2]);

impl LogicalPartition for ExamplePartition {
    fn id(&self) -> u16 {
        self.0
    }
    fn uuid(&self) -> [u64; 2] {
        self.1
    }
    fn start(&self, messenger: &mut dyn Messenger) {
        let message = Message {
            sender: self.0,
            receiver: 0x8001,
            body: Body::Req64([1, 2, 3, 4, 5]),
        };
        let _ = messenger.ask(Request::Message(message));
    }
}

/// An [`ExamplePartition`] whose requests end where the SPMC gives way to an interrupt.
pub struct GivesWay(pub ExamplePartition);

impl LogicalPartition for GivesWay {
    fn id(&self) -> u16 {
        self.0.id()
    }
    fn uuid(&self) -> [u64; 2] {
        self.0.uuid()
    }
    fn interrupts(&self) -> Interrupts {
        Interrupts::End
    }
    fn start(&self, _: &mut dyn Messenger) {}
}

pub static GIVES_WAY: GivesWay = GivesWay(ExamplePartition(0xFFC2, [0x3333, 0x4444]));

pub static PARTITION: ExamplePartition = ExamplePartition(0xFFC0, [0x1111, 0x2222]);

static PARTITIONS: [&dyn LogicalPartition; 1] = [&PARTITION];
static BOTH_PARTITIONS: [&dyn LogicalPartition; 2] = [&PARTITION, &GIVES_WAY];

pub fn config(version: Version) -> SpmcConfig {
    SpmcConfig {
        id: SPMC,
        version,
        sel2: true,
        image: IMAGE,
        entry: IMAGE.start,
        doorbell_sri: None,
        partitions: &[],
    }
}

pub fn config_with_partition(version: Version) -> SpmcConfig {
    SpmcConfig {
        partitions: &PARTITIONS,
        ..config(version)
    }
}

/// With [`PARTITION`] and [`GIVES_WAY`].
pub fn config_with_both(version: Version) -> SpmcConfig {
    SpmcConfig {
        partitions: &BOTH_PARTITIONS,
        ..config(version)
    }
}

/// Registers that tell where they come from: no two alike, upper halves in use.
pub fn pattern(seed: u64) -> Regs {
    std::array::from_fn(|i| (seed << 56) | 0x00AB_CDEF_0000_0000 | (seed << 16) | (i as u64 + 1))
}

/// One core of a system.
pub struct Machine {
    pub spmd: Spmd,
    pub core: Core,
    pub normal: Regs,
    pub secure: Regs,
}

impl Machine {
    pub fn new(config: SpmcConfig) -> Self {
        let spmd = Spmd::with_spmc(config);
        Self {
            spmd,
            core: Core::new(),
            normal: pattern(1),
            secure: pattern(2),
        }
    }

    pub fn booting(config: SpmcConfig) -> Self {
        let mut machine = Self::new(config);
        assert!(machine.core.begin_boot(&machine.spmd, true));
        machine
    }

    pub fn running(config: SpmcConfig) -> Self {
        let mut machine = Self::booting(config);
        assert_eq!(
            machine.secure_says(&[id(0x6B, false)]),
            Action::El3(Work::SpmcReady)
        );
        machine
    }

    /// The SPMC runs, and the normal world has asked for `asked` (`None`: for nothing) and got
    /// `answer`.
    pub fn negotiated(config: SpmcConfig, asked: Option<Version>, answer: Version) -> Self {
        let direct = config.version == Version::V1_0;
        let mut machine = Self::running(config);
        let Some(asked) = asked else { return machine };
        let asked = u64::from(asked.to_register());
        let action = machine.normal_says(&[id(0x63, false), asked, 0]);
        if direct {
            assert_eq!(action, Action::Return);
            return machine;
        }
        assert_eq!(action, Action::Enter);
        let answer = u64::from(answer.to_register());
        let action = machine.secure_says(&[id(0x70, false), 0x8000_FFFF, 0x8000_0009, answer]);
        assert_eq!(action, Action::Enter);
        machine
    }

    /// The normal world calls with these registers, the rest as they are.
    pub fn normal_says(&mut self, first: &[u64]) -> Action {
        self.normal[..first.len()].copy_from_slice(first);
        self.spmd.call(
            &mut self.core,
            World::Normal,
            &mut self.normal,
            &mut self.secure,
        )
    }

    /// The SPMC calls with these registers, the rest as they are.
    pub fn secure_says(&mut self, first: &[u64]) -> Action {
        self.secure[..first.len()].copy_from_slice(first);
        self.spmd.call(
            &mut self.core,
            World::Secure,
            &mut self.secure,
            &mut self.normal,
        )
    }

    pub fn says(&mut self, world: World, first: &[u64]) -> Action {
        match world {
            World::Normal => self.normal_says(first),
            World::Secure => self.secure_says(first),
        }
    }

    pub fn interrupt(&mut self) -> Action {
        self.spmd.secure_interrupt(&mut self.core, &mut self.secure)
    }

    pub fn request(&mut self, request: Request) {
        self.spmd
            .request(&mut self.core, request, &mut self.secure)
            .expect("the SPMC is idle");
    }

    pub fn regs(&self, world: World) -> Regs {
        match world {
            World::Normal => self.normal,
            World::Secure => self.secure,
        }
    }
}

pub const POWER: Request = Request::Psci {
    function: 0x8400_0002,
    arguments: [0; 3],
};

pub fn message(body: Body) -> Request {
    message_of(0xFFC0, body)
}

/// A message of this logical partition.
pub fn message_of(sender: u16, body: Body) -> Request {
    Request::Message(Message {
        sender,
        receiver: 0x8001,
        body,
    })
}

/// A step of the live activation of 8001 by FFC0.
pub fn activation(step: Step) -> Request {
    Request::Activation(Activation {
        sender: 0xFFC0,
        partition: 0x8001,
        step,
    })
}

pub const START: Step = Step::Start {
    image: pages(0x1_0e80_0000, 0x100),
    manifest: Some(pages(0x0e90_0000, 1)),
};

pub const fn pages(base: u64, count: u32) -> Pages {
    Pages::new(base, count).expect("pages")
}

/// The rest of it.
pub fn rest_of(sender: u16, req2: bool) -> Request {
    Request::Run(Run {
        sender,
        receiver: 0x8001,
        vcpu: 3,
        req2,
    })
}
