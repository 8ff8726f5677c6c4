// SPDX-License-Identifier: BSD-3-Clause

//! The dispatcher in another EL3, a fake monitor of one core, whose two worlds are functions.
//!
//! A real monitor replaces `run` by its world switch: restore the world's registers, ERET, and come back with
//! the next SMC's registers saved. All else stays as it is here. `cargo run -p janus-spmd --example embed`

use janus_spmd::{Action, Core, Regs, SpmcConfig, Spmd, Version, Work, World};

const MSG_WAIT: u64 = 0x8400_006B;
const DIRECT_REQ: u64 = 0x8400_006F;
const DIRECT_RESP: u64 = 0x8400_0070;

/// What EL3 keeps per core: the dispatcher's state, and x0 to x17 of both worlds.
struct Monitor {
    spmd: Spmd,
    core: Core,
    normal: Regs,
    secure: Regs,
}

impl Monitor {
    /// Runs `world` until the dispatcher wants something that is not just another entry into a world.
    fn enter(&mut self, mut world: World) -> Option<Work> {
        loop {
            let (regs, other) = match world {
                World::Normal => (&mut self.normal, &mut self.secure),
                World::Secure => (&mut self.secure, &mut self.normal),
            };
            let run = if world == World::Normal {
                hypervisor
            } else {
                spmc
            };
            // Returns at the world's next SMC, its registers in place; false: it has no more to say.
            if !run(regs) {
                return None;
            }
            println!("{world:?} calls {:#x}", regs[0]);
            match self.spmd.call(&mut self.core, world, regs, other) {
                Action::Return => {}
                Action::Enter if world == World::Normal => world = World::Secure,
                Action::Enter => world = World::Normal,
                Action::El3(work) => return Some(work),
            }
        }
    }
}

/// x0 to x17 with these in front.
fn registers<const N: usize>(first: [u64; N]) -> Regs {
    core::array::from_fn(|x| first.get(x).copied().unwrap_or(0))
}

/// The secure world: waits for work, and answers each request with its payload plus one.
fn spmc(regs: &mut Regs) -> bool {
    *regs = match regs[0] {
        DIRECT_REQ => {
            let reversed = (regs[1] as u32).rotate_left(16);
            registers([DIRECT_RESP, reversed.into(), 0, regs[3] + 1])
        }
        _ => registers([MSG_WAIT]),
    };
    true
}

/// The normal world: endpoint 1 asks partition 0x8001 once, and has no more to say after the answer.
fn hypervisor(regs: &mut Regs) -> bool {
    let answered = regs[0] == DIRECT_RESP;
    if !answered {
        *regs = registers([DIRECT_REQ, 0x0001_8001, 0, 41]);
    }
    !answered
}

#[test]
fn the_example_runs() {
    main();
}

fn main() {
    let config = SpmcConfig {
        id: 0x8000,
        version: Version::V1_1,
        sel2: true,
        image: 0x0e10_0000..0x0f00_0000,
        entry: 0x0e10_0000,
        doorbell_sri: None,
        partitions: &[],
    };
    let mut monitor = Monitor {
        spmd: Spmd::with_spmc(config),
        core: Core::new(),
        normal: registers([]),
        secure: registers([]),
    };
    assert!(monitor.core.begin_boot(&monitor.spmd, true));
    assert_eq!(monitor.enter(World::Secure), Some(Work::SpmcReady));
    assert_eq!(monitor.enter(World::Normal), None);
    println!("the answer is {}", monitor.normal[3]);
    assert_eq!(monitor.normal[3], 42);
}
