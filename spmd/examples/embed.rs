// SPDX-License-Identifier: BSD-3-Clause

//! The dispatcher in a different EL3: a fake monitor with one core, whose two worlds are functions.
//!
//! A real monitor has its world switch where this one calls a function: it restores the world's registers, executes
//! ERET, and is back at the world's next SMC. Run it: `cargo run -p janus-spmd --example embed`

use janus_spmd::{Action, Core, Regs, SpmcConfig, Spmd, Version, Work, World};

const MSG_WAIT: u64 = 0x8400_006B;
const DIRECT_REQ: u64 = 0x8400_006F;
const DIRECT_RESP: u64 = 0x8400_0070;

/// The SPMC: waits for work, and answers each request with its payload plus one. The endpoint IDs change places.
fn spmc(regs: &mut Regs) {
    match regs[0] {
        DIRECT_REQ => (regs[0], regs[1], regs[3]) = (DIRECT_RESP, 0x8001_0001, regs[3] + 1),
        _ => regs[0] = MSG_WAIT,
    }
}

/// The hypervisor: endpoint 1 sends partition 0x8001 a request, with 41 as its payload.
fn hypervisor(regs: &mut Regs) {
    (regs[0], regs[1], regs[3]) = (DIRECT_REQ, 0x0001_8001, 41);
}

fn main() {
    let spmd = Spmd::with_spmc(SpmcConfig {
        id: 0x8000,
        version: Version::V1_1,
        sel2: true,
        image: 0x0e10_0000..0x0f00_0000,
        entry: 0x0e10_0000,
        doorbell_sri: None,
        partitions: &[],
    });
    let mut core = Core::new();
    // x0 to x17 of each world while it does not run.
    let (mut normal, mut secure): (Regs, Regs) = ([0; 18], [0; 18]);

    // The boot core enters the SPMC first, then the normal world, until that has its response.
    assert!(core.begin_boot(&spmd, true));
    let mut world = World::Secure;
    while normal[0] != DIRECT_RESP {
        let (caller, other) = match world {
            World::Normal => (&mut normal, &mut secure),
            World::Secure => (&mut secure, &mut normal),
        };
        match world {
            World::Normal => hypervisor(caller),
            World::Secure => spmc(caller),
        }
        println!("{world:?} calls {:#x}", caller[0]);
        world = match (spmd.call(&mut core, world, caller, other), world) {
            (Action::Return, world) => world,
            (Action::Enter, World::Normal) => World::Secure,
            (Action::Enter, World::Secure) => World::Normal,
            // The SPMC is ready: time for the normal world.
            (Action::El3(Work::SpmcReady), _) => World::Normal,
            (Action::El3(work), _) => panic!("the example's worlds cause no {work:?}"),
        };
    }
    println!("the response is {}", normal[3]);
    assert_eq!(normal[3], 42);
}

#[test]
fn the_example_runs() {
    main();
}
