//! The shortest path through the dispatcher: boot, version, a forwarded call.
use janus_spmd::*;

fn config() -> SpmcConfig {
    SpmcConfig {
        id: 0x8000,
        version: Version::V1_2,
        sel2: true,
        image: 0x0e10_0000..0x0e20_0000,
        entry: 0x0e10_0000,
        doorbell_sri: None,
        partitions: &[],
    }
}

#[test]
fn boot_version_and_a_direct_message() {
    let spmd = Spmd::with_spmc(config());
    let (mut core, mut n, mut s) = (Core::new(), [0; 18], [0; 18]);
    assert!(core.begin_boot(&spmd, true));
    s[0] = 0x8400_006B;
    assert_eq!(
        spmd.call(&mut core, World::Secure, &mut s, &mut n),
        Action::El3(Work::SpmcReady)
    );
    n = [7; 18];
    n[0] = 0x8400_0063;
    n[1] = 0x1_0001;
    n[2] = 0;
    assert_eq!(
        spmd.call(&mut core, World::Normal, &mut n, &mut s),
        Action::Enter
    );
    assert_eq!(
        s[..8],
        [0x8400_006F, 0xFFFF_8000, 0x8000_0008, 0x1_0001, 0, 0, 0, 0]
    );
    s = [9; 18];
    s[..4].copy_from_slice(&[0x8400_0070, 0x8000_FFFF, 0x8000_0009, 0x1_0002]);
    assert_eq!(
        spmd.call(&mut core, World::Secure, &mut s, &mut n),
        Action::Enter
    );
    assert_eq!(
        n,
        [0x1_0002, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]
    );
    n = [!0; 18];
    n[0] = 0x8400_006F;
    n[1] = 0x8001;
    n[2] = 5;
    assert_eq!(
        spmd.call(&mut core, World::Normal, &mut n, &mut s),
        Action::Enter
    );
    assert_eq!(s[..4], [0x8400_006F, 0x8001, 5, 0xFFFF_FFFF]);
}
