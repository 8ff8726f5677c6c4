// SPDX-License-Identifier: BSD-3-Clause

//! Whole flows: boots, power management, messages about VMs, interrupts, deaths; what bl31 and the two
//! worlds see at each step.

mod support;

use janus_spmd::{
    Action, Answer, Body, Core, Death, NotAvailable, Regs, Request, Spmd, StateName, Version,
    WRONG_CALLS, WarmBoot, Work, World,
};
use support::*;

const MSG_WAIT: u64 = 0x8400_006B;
const RESUME: u64 = 0x8400_007C;
const ABORT: u64 = 0x8400_0090;
const REQ_32: u64 = 0x8400_006F;
const RESP_32: u64 = 0x8400_0070;
const EP_REGISTER: u64 = 0xC400_0087;

const READY: Action = Action::El3(Work::SpmcReady);

fn assert_error(regs: &Regs, code: i32) {
    assert_eq!(
        regs[..8],
        [id(0x60, false), 0, error_code(code), 0, 0, 0, 0, 0]
    );
}

/// FFA_ERROR as the answer to SECONDARY_EP_REGISTER_64.
fn assert_error_64(regs: &Regs, code: i32) {
    assert_eq!(regs[0], id(0x60, true));
    assert_eq!(regs[1..8], [0, error_code(code), 0, 0, 0, 0, 0]);
}

/// Another core of the same system.
struct Other {
    core: Core,
    normal: Regs,
    secure: Regs,
}

impl Other {
    fn new() -> Self {
        Self {
            core: Core::new(),
            normal: pattern(3),
            secure: pattern(4),
        }
    }

    fn says(&mut self, spmd: &Spmd, world: World, first: &[u64]) -> Action {
        let (caller, other) = match world {
            World::Normal => (&mut self.normal, &mut self.secure),
            World::Secure => (&mut self.secure, &mut self.normal),
        };
        caller[..first.len()].copy_from_slice(first);
        spmd.call(&mut self.core, world, caller, other)
    }

    fn boot(&mut self, spmd: &Spmd) {
        assert!(self.core.begin_boot(spmd, false));
        assert_eq!(self.says(spmd, World::Secure, &[MSG_WAIT]), READY);
    }
}

mod boot {
    use super::*;

    #[test]
    fn cores_after_the_first_enter_where_the_spmc_says() {
        let mut machine = Machine::booting(config(Version::V1_1));
        assert_eq!(machine.spmd.entry(true), IMAGE.start);
        assert_eq!(
            machine.spmd.entry(false),
            IMAGE.start,
            "the primary entry point by default"
        );
        let entry = IMAGE.start + 0x40;
        assert_eq!(machine.secure_says(&[EP_REGISTER, entry]), Action::Return);
        assert_eq!(machine.secure[..8], [id(0x61, true), 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            machine.secure_says(&[EP_REGISTER, entry + 4]),
            Action::Return
        );
        assert_eq!(machine.secure_says(&[MSG_WAIT]), READY);
        assert_eq!(machine.spmd.entry(false), entry + 4, "the last one counts");
        assert_eq!(machine.spmd.entry(true), IMAGE.start);
        assert_eq!(machine.secure_says(&[EP_REGISTER, entry]), Action::Return);
        assert_error_64(&machine.secure, -6);
        let mut other = Other::new();
        assert!(other.core.begin_boot(&machine.spmd, false));
        let action = other.says(&machine.spmd, World::Secure, &[EP_REGISTER, entry]);
        assert_eq!(action, Action::Return);
        assert_error_64(&other.secure, -6);
        assert_eq!(machine.spmd.secondary_entry(), Some(entry + 4));
    }

    #[test]
    fn an_entry_point_is_that_of_an_instruction_in_the_image() {
        for (entry, good) in [
            (IMAGE.start, true),
            (IMAGE.end - 4, true),
            (IMAGE.end, false),
            (IMAGE.start - 4, false),
            (IMAGE.start + 2, false),
            (0, false),
            (u64::MAX, false),
            (IMAGE.start | 1 << 32, false),
        ] {
            let mut machine = Machine::booting(config(Version::V1_2));
            assert_eq!(machine.secure_says(&[EP_REGISTER, entry]), Action::Return);
            if good {
                assert_eq!(machine.spmd.secondary_entry(), Some(entry));
            } else {
                assert_error_64(&machine.secure, -2);
                assert_eq!(machine.spmd.secondary_entry(), None);
            }
            // SMC32 carries only the lower half.
            let mut machine = Machine::booting(config(Version::V1_2));
            let upper = 0xFFFF_FFFF_0000_0000;
            let action = machine.secure_says(&[id(0x87, false), upper | IMAGE.start]);
            assert_eq!(action, Action::Return);
            assert_eq!(machine.secure[..3], [id(0x61, false), 0, 0]);
            assert_eq!(machine.spmd.secondary_entry(), Some(IMAGE.start));
        }
    }

    #[test]
    fn address_0_is_no_entry_point() {
        let mut config = config(Version::V1_2);
        config.image = 0..0x1000;
        let mut machine = Machine::booting(config);
        assert_eq!(machine.secure_says(&[EP_REGISTER, 0]), Action::Return);
        assert_error_64(&machine.secure, -2);
    }

    #[test]
    fn the_boot_cores_failure_is_everybodys() {
        let mut machine = Machine::booting(config(Version::V1_2));
        let action = machine.secure_says(&[id(0x60, false), 0, error_code(-3)]);
        assert_eq!(action, Action::El3(Work::SpmcFailed(-3)));
        let mut other = Other::new();
        assert!(
            !other.core.begin_boot(&machine.spmd, false),
            "an SPMC that is not there"
        );
        assert_eq!(
            other.says(&machine.spmd, World::Normal, &[id(0x69, false)]),
            Action::Return
        );
        assert_error(&other.normal, -1);
    }

    #[test]
    fn another_cores_failure_is_its_own_until_the_next_cpu_on() {
        let mut machine = Machine::running(config(Version::V1_2));
        let mut other = Other::new();
        assert!(other.core.begin_boot(&machine.spmd, false));
        let action = other.says(&machine.spmd, World::Secure, &[id(0x60, false), 0, 7]);
        assert_eq!(
            action,
            Action::El3(Work::SpmcFailed(7)),
            "a code nobody knows"
        );
        assert_eq!(
            other.says(&machine.spmd, World::Normal, &[REQ_32, 0x8000, 0]),
            Action::Return
        );
        assert_error(&other.normal, -1);
        assert_eq!(machine.normal_says(&[REQ_32, 0x8000, 0]), Action::Enter);
        other.core.turn_off();
        other.boot(&machine.spmd);
        assert_eq!(
            other.says(&machine.spmd, World::Normal, &[REQ_32, 0x8000, 0]),
            Action::Enter
        );
    }

    #[test]
    fn no_core_boots_an_spmc_that_is_not_up() {
        let machine = Machine::booting(config(Version::V1_2));
        assert!(!Other::new().core.begin_boot(&machine.spmd, false));
        assert!(!Other::new().core.begin_boot(&Spmd::new(), true));
    }

    #[test]
    fn calls_of_the_boot_are_answered() {
        let mut machine = Machine::booting(config(Version::V1_1));
        assert_eq!(
            machine.secure_says(&[id(0x63, false), 0x1_0001]),
            Action::Return
        );
        assert_eq!(machine.secure[..8], [0x1_0003, 0, 0, 0, 0, 0, 0, 0]);
        for (asked, answer) in [
            (0x1_0000, 0x1_0003),
            (0x1_7FFF, 0x1_0003),
            (0x2_0000, 0xFFFF_FFFF),
            (0x0_0001, 0xFFFF_FFFF),
            (0x8001_0001, 0xFFFF_FFFF),
        ] {
            assert_eq!(
                machine.secure_says(&[id(0x63, false), asked]),
                Action::Return
            );
            assert_eq!(
                machine.secure[0], answer,
                "FFA_VERSION({asked:#x}) of the SPMC"
            );
        }
        assert_eq!(machine.secure_says(&[id(0x99, false)]), Action::Return);
        assert_error(&machine.secure, -1);
        assert_eq!(machine.core.state(), StateName::Booting);
    }
}

mod power {
    use super::*;

    #[test]
    fn cpu_off_and_on_again() {
        let mut machine = Machine::running(config(Version::V1_2));
        let normal = machine.normal;
        machine.request(POWER);
        let mut expected = [0; 18];
        expected[..4].copy_from_slice(&[REQ_32, 0xFFFF_8000, 0x8000_0000, 0x8400_0002]);
        assert_eq!(machine.secure, expected, "x4-x17 are zero");
        let action = machine.secure_says(&[RESP_32, 0x8000_FFFF, 0x8000_0002, 0]);
        assert_eq!(action, Action::El3(Work::Answered(Answer::Done)));
        assert_eq!(machine.normal, normal);
        machine.core.turn_off();
        assert!(!machine.core.has_spmc());
        assert!(machine.core.begin_boot(&machine.spmd, false));
        assert_eq!(machine.secure_says(&[MSG_WAIT]), READY);
        assert_eq!(machine.normal_says(&[REQ_32, 0x8000, 0]), Action::Enter);
    }

    #[test]
    fn a_refusal_leaves_everything_as_it_was() {
        let mut machine = Machine::running(config(Version::V1_2));
        for _ in 0..3 {
            machine.request(POWER);
            let action = machine.secure_says(&[RESP_32, 0x8000_FFFF, 0x8000_0002, error_code(-3)]);
            assert_eq!(action, Action::El3(Work::Answered(Answer::Refused(-3))));
            assert_eq!(machine.core.state(), StateName::Running);
        }
        assert_eq!(machine.normal_says(&[REQ_32, 0x8000, 0]), Action::Enter);
    }

    #[test]
    fn suspend_and_warm_boot() {
        let mut machine = Machine::running(config(Version::V1_2));
        let arguments = [0x1_2345_6789, 2, 3];
        machine.request(Request::Psci {
            function: 0xC400_0001,
            arguments,
        });
        assert_eq!(
            machine.secure[..4],
            [id(0x6F, true), 0xFFFF_8000, 0x8000_0000, 0xC400_0001]
        );
        assert_eq!(machine.secure[4..7], arguments);
        assert_eq!(machine.secure[7..], [0; 11]);
        let action = machine.secure_says(&[id(0x70, true), 0x8000_FFFF, 0x8000_0002, 0]);
        assert_eq!(action, Action::El3(Work::Answered(Answer::Done)));
        machine.request(Request::Psci {
            function: 0x8400_0001,
            arguments,
        });
        assert_eq!(machine.secure[0], REQ_32);
        assert_eq!(
            machine.secure[4], 0x2345_6789,
            "SMC32 has 32-bit parameters"
        );
        let action = machine.secure_says(&[RESP_32, 0x8000_FFFF, 0x8000_0002, 0]);
        assert_eq!(action, Action::El3(Work::Answered(Answer::Done)));
        machine.request(Request::Psci {
            function: 0x8401_0008,
            arguments: [0; 3],
        });
        assert_eq!(
            machine.secure[3], 0x8400_0008,
            "the SVE hint is no part of a function"
        );
        let action = machine.secure_says(&[RESP_32, 0x8000_FFFF, 0x8000_0002, 0]);
        assert_eq!(action, Action::El3(Work::Answered(Answer::Done)));
        for (kind, w3) in [(WarmBoot::SuspendToRam, 0), (WarmBoot::LowPower, 1)] {
            machine.request(Request::WarmBoot(kind));
            assert_eq!(machine.secure[..4], [REQ_32, 0xFFFF_8000, 0x8000_0001, w3]);
            assert_eq!(machine.secure[4..], [0; 14]);
            let action = machine.secure_says(&[id(0x60, false), 0, error_code(-4)]);
            assert_eq!(action, Action::El3(Work::Answered(Answer::Ignored(-4))));
        }
    }

    /// NOT_SUPPORTED, by FFA_ERROR or as a status, says that the SPMC does not know the function: it is
    /// not asked about it again on any core, and about every other function it is.
    #[test]
    fn an_spmc_is_not_asked_again_what_it_does_not_know() {
        let psci = |function| Request::Psci {
            function,
            arguments: [0; 3],
        };
        let known = [
            psci(0x8400_0002),
            psci(0x8400_0001),
            psci(0xC400_0001),
            psci(0x8400_0008),
            psci(0xC400_000E),
            Request::WarmBoot(WarmBoot::LowPower),
        ];
        let error = [id(0x60, false), 0, error_code(-1), 0];
        let status = [RESP_32, 0x8000_FFFF, 0x8000_0002, error_code(-1)];
        let other_error = [id(0x60, false), 0, error_code(-4), 0];
        let refusal = [RESP_32, 0x8000_FFFF, 0x8000_0002, error_code(-3)];
        for (answer, again) in [
            (error, false),
            (status, false),
            (other_error, true),
            (refusal, true),
        ] {
            for (index, &request) in known.iter().enumerate() {
                let mut machine = Machine::running(config(Version::V1_2));
                let mut other = Other::new();
                other.boot(&machine.spmd);
                machine.request(request);
                let action = machine.secure_says(&answer);
                assert!(matches!(action, Action::El3(Work::Answered(_))));
                let before = other.secure;
                for (second, &asked) in known.iter().enumerate() {
                    let mut core = Other::new();
                    core.boot(&machine.spmd);
                    let made = machine
                        .spmd
                        .request(&mut core.core, asked, &mut core.secure);
                    let expected = if again || second != index {
                        Ok(())
                    } else {
                        Err(NotAvailable::Unknown)
                    };
                    assert_eq!(made, expected, "{asked:?} after {request:?}");
                }
                let told = machine
                    .spmd
                    .request(&mut other.core, request, &mut other.secure);
                if told.is_err() {
                    assert_eq!(
                        (other.secure, other.core.state()),
                        (before, StateName::Running)
                    );
                }
            }
        }
    }

    #[test]
    fn the_spmc_works_on_while_it_has_a_request() {
        let mut machine = Machine::running(config(Version::V1_2));
        machine.request(POWER);
        assert_eq!(machine.secure_says(&[id(0x69, false)]), Action::Return);
        assert_eq!(machine.secure[2], 0x8000);
        assert_eq!(
            machine.secure_says(&[id(0x8C, false)]),
            Action::El3(Work::Group0Interrupt),
            "a Group 0 interrupt does not wait"
        );
        assert_eq!(machine.core.state(), StateName::RequestedPower);
        assert_eq!(
            machine.interrupt(),
            Action::Return,
            "the normal world does not run"
        );
        let action = machine.secure_says(&[RESP_32, 0x8000_FFFF, 0x8000_0002, 0]);
        assert_eq!(action, Action::El3(Work::Answered(Answer::Done)));
    }

    #[test]
    fn a_request_needs_an_idle_spmc() {
        let ask = |machine: &mut Machine| {
            let before = machine.secure;
            let result = machine
                .spmd
                .request(&mut machine.core, POWER, &mut machine.secure);
            assert_eq!(machine.secure, before);
            result
        };
        let mut machine = Machine::new(config(Version::V1_2));
        assert_eq!(ask(&mut machine), Err(NotAvailable::NoSpmc), "off");
        let mut machine = Machine::booting(config(Version::V1_2));
        assert_eq!(ask(&mut machine), Err(NotAvailable::Busy), "booting");
        let mut machine = Machine::running(config(Version::V1_2));
        assert_eq!(machine.interrupt(), Action::Enter);
        assert_eq!(
            ask(&mut machine),
            Err(NotAvailable::Busy),
            "handling an interrupt"
        );
        let mut machine = Machine::running(config(Version::V1_2));
        machine.request(POWER);
        assert_eq!(
            ask(&mut machine),
            Err(NotAvailable::Busy),
            "one request at a time"
        );
        let mut regs = [0; 18];
        let result = Spmd::new().request(&mut Core::new(), POWER, &mut regs);
        assert_eq!(result, Err(NotAvailable::NoSpmc));
    }
}

mod interrupts {
    use super::*;

    #[test]
    fn before_the_first_ffa_version() {
        let mut machine = Machine::running(config(Version::V1_2));
        let normal = machine.normal;
        assert_eq!(machine.interrupt(), Action::Enter);
        assert_eq!(machine.secure[..8], [id(0x62, false), 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(machine.secure[8..], pattern(2)[8..]);
        for call in [
            MSG_WAIT,
            RESP_32,
            id(0x61, false),
            id(0x6C, false),
            id(0x71, true),
        ] {
            assert_eq!(machine.secure_says(&[call, 0x8000_0001, 0]), Action::Return);
            assert_error(&machine.secure, -6);
        }
        assert_eq!(machine.secure_says(&[RESUME]), Action::Enter);
        assert_eq!(machine.normal, normal, "the normal world has not noticed");
        assert_eq!(machine.secure_says(&[RESUME]), Action::Return, "only once");
        assert_error(&machine.secure, -6);
        assert_eq!(
            machine.normal_says(&[id(0x63, false), 0x1_0002, 0]),
            Action::Enter
        );
        assert_eq!(machine.secure[2], 0x8000_0008, "negotiation is still open");
    }

    #[test]
    fn without_an_spmc_they_are_el3s() {
        let mut machine = Machine::new(config(Version::V1_2));
        assert_eq!(machine.interrupt(), Action::El3(Work::Unclaimed));
    }

    #[test]
    fn an_spmc_that_dies_over_one_leaves_the_normal_world_alone() {
        let mut machine = Machine::running(config(Version::V1_3));
        let normal = machine.normal;
        assert_eq!(machine.interrupt(), Action::Enter);
        assert_eq!(machine.secure_says(&[ABORT]), Action::El3(Work::Aborted));
        assert_eq!(machine.normal, normal);
        assert_eq!(machine.interrupt(), Action::El3(Work::Unclaimed));
    }
}

mod versions {
    use super::*;

    fn ask(machine: &mut Machine, asked: u64, answer: u64) -> u64 {
        assert_eq!(
            machine.normal_says(&[id(0x63, false), asked, 0]),
            Action::Enter
        );
        let action = machine.secure_says(&[RESP_32, 0x8000_FFFF, 0x8000_0009, answer]);
        assert_eq!(action, Action::Enter);
        machine.normal[0]
    }

    #[test]
    fn renegotiation_until_the_first_other_call() {
        let mut machine = Machine::running(config(Version::V1_3));
        assert_eq!(machine.spmd.versions(), (None, Version::V1_3));
        for (asked, answer, versions) in [
            (0x1_0001, 0x1_0003, (Some(Version::V1_1), Version::V1_3)),
            (0x1_0002, 0x1_0002, (Some(Version::V1_2), Version::V1_2)),
            (0x1_0003, 0xFFFF_FFFF, (Some(Version::V1_2), Version::V1_2)),
            (0x2_0000, 0xFFFF_FFFF, (Some(Version::V1_2), Version::V1_2)),
            (0x1_0000, 0x1_0003, (Some(Version::V1_0), Version::V1_3)),
        ] {
            assert_eq!(ask(&mut machine, asked, answer), answer);
            assert_eq!(
                machine.spmd.versions(),
                versions,
                "after {asked:#x}, {answer:#x}"
            );
        }
        assert_eq!(
            machine.normal_says(&[id(0x99, false)]),
            Action::Return,
            "any FF-A call"
        );
        assert_eq!(
            ask(&mut machine, 0x1_0003, 0x1_0002),
            0x1_0002,
            "still answered"
        );
        assert_eq!(
            machine.spmd.versions(),
            (Some(Version::V1_0), Version::V1_3)
        );
    }

    #[test]
    fn the_question_in_registers() {
        let mut machine = Machine::running(config(Version::V1_1));
        let upper = 0xFACE_0000_0000_0000;
        let action = machine.normal_says(&[id(0x63, false) | HINT, upper | 0x1_0003, upper | 2]);
        assert_eq!(action, Action::Enter);
        assert_eq!(
            machine.secure[..8],
            [REQ_32, 0xFFFF_8000, 0x8000_0008, 0x1_0003, 2, 0, 0, 0],
            "the flags of 1.3 in w4"
        );
        let x8 = machine.normal[8];
        let action = machine.secure_says(&[RESP_32, 0x8000_FFFF, 0x8000_0009, 0x1_0001]);
        assert_eq!(action, Action::Enter);
        assert_eq!(machine.normal[..8], [0x1_0001, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(machine.normal[8], x8);
        assert_eq!(
            machine.spmd.versions().0,
            None,
            "a query negotiates nothing"
        );
    }

    #[test]
    fn bit_31_is_no_version_and_an_spmc_of_1_0_is_not_asked() {
        let mut machine = Machine::running(config(Version::V1_0));
        for (asked, answer) in [
            (0x8001_0000, 0xFFFF_FFFF),
            (0x1_0000, 0x1_0000),
            (0x1_0003, 0x1_0000),
        ] {
            assert_eq!(
                machine.normal_says(&[id(0x63, false), asked]),
                Action::Return
            );
            assert_eq!(machine.normal[..8], [answer, 0, 0, 0, 0, 0, 0, 0]);
        }
        assert_eq!(
            machine.spmd.versions(),
            (Some(Version::V1_3), Version::V1_0)
        );
    }

    #[test]
    fn two_cores_ask_at_once() {
        let mut machine = Machine::running(config(Version::V1_3));
        let mut other = Other::new();
        other.boot(&machine.spmd);
        assert_eq!(
            machine.normal_says(&[id(0x63, false), 0x1_0001, 0]),
            Action::Enter
        );
        let action = other.says(
            &machine.spmd,
            World::Normal,
            &[id(0x63, false), 0x1_0002, 0],
        );
        assert_eq!(action, Action::Enter);
        assert_eq!((machine.secure[3], other.secure[3]), (0x1_0001, 0x1_0002));
        let answer = [RESP_32, 0x8000_FFFF, 0x8000_0009, 0x1_0003];
        assert_eq!(
            other.says(&machine.spmd, World::Secure, &answer),
            Action::Enter
        );
        assert_eq!(machine.secure_says(&answer), Action::Enter);
        assert_eq!(machine.normal[0], 0x1_0003);
        assert_eq!(other.normal[0], 0x1_0003);
        assert_eq!(
            machine.spmd.versions().0,
            Some(Version::V1_2),
            "the last one to ask"
        );
    }

    #[test]
    fn a_death_over_the_question_takes_it_back() {
        let mut machine = Machine::running(config(Version::V1_3));
        assert_eq!(
            machine.normal_says(&[id(0x63, false), 0x1_0002, 0]),
            Action::Enter
        );
        assert_eq!(machine.secure_says(&[ABORT]), Action::El3(Work::Aborted));
        assert_eq!(machine.normal[..8], [0xFFFF_FFFF, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(machine.spmd.versions().0, None);
    }
}

mod messages_about_vms {
    use super::*;

    /// Created (4, 5) and destroyed (6, 7): retried any number of times, on any core.
    #[test]
    fn retry_is_an_answer_like_any_other() {
        let mut machine =
            Machine::negotiated(config(Version::V1_3), Some(Version::V1_2), Version::V1_2);
        let mut other = Other::new();
        other.boot(&machine.spmd);
        for (request, response) in [(0x8000_0004, 0x8000_0005), (0x8000_0006, 0x8000_0007)] {
            for status in [-7, -7, -5, -7, -123, -2, 0] {
                let handle = 0xFEED_BEEF;
                let ask = [REQ_32, 0x8003, request, handle, 1, 0x1234, 6, 7];
                let answer = [
                    RESP_32,
                    0x8003_0000,
                    response,
                    error_code(status),
                    0,
                    0,
                    0,
                    0,
                ];
                // Asked on one core, answered on it; the next try is another core's.
                assert_eq!(machine.normal_says(&ask), Action::Enter);
                assert_eq!(machine.secure[..8], ask, "unchanged");
                assert_eq!(machine.secure_says(&answer), Action::Enter);
                assert_eq!(machine.normal[..8], answer, "unchanged");
                let normal = machine.normal;
                assert_eq!(
                    machine.interrupt(),
                    Action::Enter,
                    "a doorbell right after it"
                );
                assert_eq!(machine.secure_says(&[RESUME]), Action::Enter);
                assert_eq!(machine.normal, normal);
                assert_eq!(
                    other.says(&machine.spmd, World::Normal, &ask),
                    Action::Enter
                );
                assert_eq!(other.secure[..8], ask);
                // Preempted, run again, and answered then.
                let preempted = [id(0x62, false), 0x8003_0000, 0, 0, 0, 0, 0, 0];
                assert_eq!(
                    other.says(&machine.spmd, World::Secure, &preempted),
                    Action::Enter
                );
                assert_eq!(other.normal[..8], preempted);
                let run = [id(0x6D, false), 0x8003_0000];
                assert_eq!(
                    other.says(&machine.spmd, World::Normal, &run),
                    Action::Enter
                );
                assert_eq!(
                    other.says(&machine.spmd, World::Secure, &answer),
                    Action::Enter
                );
                assert_eq!(other.normal[..8], answer);
            }
        }
    }
}

mod failures {
    use super::*;

    #[test]
    fn abort_answers_the_caller_and_spares_the_other_cores() {
        let mut machine = Machine::running(config(Version::V1_3));
        let mut other = Other::new();
        other.boot(&machine.spmd);
        assert_eq!(machine.normal_says(&[REQ_32, 0x8000, 0]), Action::Enter);
        assert_eq!(machine.secure_says(&[ABORT]), Action::El3(Work::Aborted));
        assert_error(&machine.normal, -8);
        assert_eq!(machine.normal_says(&[REQ_32, 0x8000, 0]), Action::Return);
        assert_error(&machine.normal, -1);
        assert_eq!(
            other.says(&machine.spmd, World::Normal, &[REQ_32, 0x8000, 0]),
            Action::Enter
        );
        machine.core.turn_off();
        assert!(
            !machine.core.begin_boot(&machine.spmd, false),
            "the dead are not entered again"
        );
        assert_eq!(machine.core.state(), StateName::Dead);
    }

    #[test]
    fn bl31_can_declare_the_spmc_dead() {
        let mut machine = Machine::running(config(Version::V1_2));
        assert_eq!(machine.normal_says(&[REQ_32, 0x8000, 0]), Action::Enter);
        let action = machine.spmd.abort(&mut machine.core, &mut machine.normal);
        assert_eq!(action, Action::El3(Work::Aborted));
        assert_error(&machine.normal, -8);
        let mut machine = Machine::booting(config(Version::V1_2));
        let action = machine.spmd.abort(&mut machine.core, &mut machine.normal);
        assert_eq!(action, Action::El3(Work::SpmcFailed(-8)));
        let mut machine = Machine::running(config(Version::V1_2));
        machine.request(POWER);
        let action = machine.spmd.abort(&mut machine.core, &mut machine.normal);
        assert_eq!(action, Action::El3(Work::Answered(Answer::Aborted)));
    }

    /// An SPMC that has panicked and makes the same call for ever, whatever EL3 asks: DENIED, until it is
    /// one too many. What EL3 answers by itself in between does not count.
    #[test]
    fn an_spmc_that_keeps_making_the_wrong_call_dies_on_this_core() {
        type Way = fn() -> Machine;
        let waits: [(Way, Action, u64); 4] = [
            (
                || {
                    let mut machine = Machine::running(config(Version::V1_2));
                    machine.request(POWER);
                    machine
                },
                Action::El3(Work::Answered(Answer::Aborted)),
                0x8001_FFFF,
            ),
            (
                || {
                    let mut machine = Machine::running(config_with_partition(Version::V1_2));
                    machine.request(message(Body::Req32([1; 5])));
                    machine
                },
                Action::El3(Work::Answered(Answer::Aborted)),
                0x8000_0000,
            ),
            (
                || {
                    let mut machine = Machine::running(config(Version::V1_2));
                    assert_eq!(machine.interrupt(), Action::Enter);
                    machine
                },
                Action::El3(Work::Aborted),
                0x8000_0000,
            ),
            (
                || {
                    let mut machine = Machine::running(config(Version::V1_2));
                    let asked = machine.normal_says(&[id(0x63, false), 0x1_0002, 0]);
                    assert_eq!(asked, Action::Enter);
                    machine
                },
                Action::El3(Work::Aborted),
                0x8000_FFFF,
            ),
        ];
        for (wait, dies, w1) in waits {
            let mut machine = wait();
            let (state, normal) = (machine.core.state(), machine.normal);
            let wrong = [RESP_32, w1, 0, 0];
            let refusal = |machine: &mut Machine| {
                machine.secure[..4].copy_from_slice(&wrong);
                let refusal = machine
                    .spmd
                    .refusal(&machine.core, World::Secure, &machine.secure);
                refusal.map(|refusal| refusal.code as i32)
            };
            for _ in 1..WRONG_CALLS {
                assert_eq!(refusal(&mut machine), Some(-6));
                assert_eq!(machine.secure_says(&wrong), Action::Return);
                assert_error(&machine.secure, -6);
                assert_eq!(machine.secure_says(&[id(0x69, false)]), Action::Return);
                assert_eq!((machine.core.state(), machine.core.death()), (state, None));
            }
            assert_eq!(refusal(&mut machine), None, "the last one is no refusal");
            assert_eq!(machine.secure_says(&wrong), dies, "{state:?}");
            assert_eq!(machine.core.state(), StateName::Dead);
            assert_eq!(machine.core.death(), Some(Death::WrongCalls));
            if state == StateName::RequestedVersion {
                assert_eq!(machine.normal[0], error_code(-1));
            } else {
                assert_eq!(machine.normal, normal);
            }
        }
    }

    /// The count is one wait's: an SPMC that blunders now and then lives.
    #[test]
    fn each_wait_has_its_own_count() {
        let mut machine = Machine::running(config(Version::V1_2));
        for _ in 0..10 {
            machine.request(POWER);
            for _ in 1..WRONG_CALLS {
                assert_eq!(machine.secure_says(&[MSG_WAIT]), Action::Return);
            }
            let action = machine.secure_says(&[RESP_32, 0x8000_FFFF, 0x8000_0002, 0]);
            assert_eq!(action, Action::El3(Work::Answered(Answer::Done)));
        }
    }

    #[test]
    fn every_death_has_its_reason() {
        let mut machine = Machine::running(config(Version::V1_3));
        assert_eq!(machine.secure_says(&[ABORT]), Action::El3(Work::Aborted));
        assert_eq!(machine.core.death(), Some(Death::Abort));
        let mut machine = Machine::running(config(Version::V1_3));
        let _ = machine.spmd.abort(&mut machine.core, &mut machine.normal);
        assert_eq!(machine.core.death(), Some(Death::Fault));
        let mut machine = Machine::running(config(Version::V1_3));
        machine.request(POWER);
        let action = machine.secure_says(&[id(0x61, false)]);
        assert_eq!(action, Action::El3(Work::Answered(Answer::Aborted)));
        assert_eq!(machine.core.death(), Some(Death::Nonsense));
        assert!(Death::WrongCalls.to_string().starts_with("16 calls"));
    }

    #[test]
    fn unknown_errors_of_the_spmc_pass() {
        let mut machine = Machine::running(config(Version::V1_2));
        for code in [-1, -7, -9, -10, -77, 0, 1, i32::MIN, i32::MAX] {
            assert_eq!(machine.normal_says(&[REQ_32, 0x8000, 0]), Action::Enter);
            let error = [id(0x60, false), 0, error_code(code), 3, 4, 5, 6, 7];
            assert_eq!(machine.secure_says(&error), Action::Enter);
            assert_eq!(machine.normal[..8], error);
        }
    }
}

mod schedule_receiver_interrupt {
    use super::*;

    fn with_doorbell() -> Machine {
        let mut config = config(Version::V1_2);
        config.doorbell_sri = Some(9);
        Machine::running(config)
    }

    const ASK: [u64; 2] = [0x8400_0064, 2];

    #[test]
    fn the_spmcs_answer_counts() {
        for answer in [
            [id(0x61, false), 0, 8],
            [id(0x60, false), 0, error_code(-2)],
        ] {
            let mut machine = with_doorbell();
            assert_eq!(machine.normal_says(&ASK), Action::Enter);
            assert_eq!(machine.secure[..2], ASK);
            assert_eq!(machine.secure_says(&answer), Action::Enter);
            assert_eq!(machine.normal[..3], answer);
            assert_eq!(machine.core.state(), StateName::Running);
        }
    }

    #[test]
    fn el3s_own_where_the_spmc_has_none_and_the_doorbell_is_in_use() {
        let mut machine = with_doorbell();
        assert_eq!(machine.normal_says(&ASK), Action::Enter);
        assert_eq!(
            machine.secure_says(&[id(0x69, false)]),
            Action::Return,
            "it may ask first"
        );
        assert_eq!(
            machine.secure_says(&[id(0x60, false), 0, error_code(-1)]),
            Action::Enter
        );
        assert_eq!(machine.normal[..8], [id(0x61, false), 0, 9, 0, 0, 0, 0, 0]);
        // The next NOT_SUPPORTED answers something else.
        assert_eq!(machine.normal_says(&[id(0x64, false), 3]), Action::Enter);
        assert_eq!(
            machine.secure_says(&[id(0x60, false), 0, error_code(-1)]),
            Action::Enter
        );
        assert_error(&machine.normal[..].try_into().unwrap(), -1);
        let mut machine = Machine::running(config(Version::V1_2));
        assert_eq!(machine.normal_says(&ASK), Action::Enter);
        assert_eq!(
            machine.secure_says(&[id(0x60, false), 0, error_code(-1)]),
            Action::Enter
        );
        assert_eq!(
            machine.normal[2],
            error_code(-1),
            "no doorbell, no interrupt of EL3's"
        );
    }
}
