//! BL2's parameter list, and an entry point in a transfer list: the bytes are BL2's memory.
#![no_main]

use janus_bl31::boot_params::{BootParams, ParamsFault, entry_point};
use janus_fuzz::{BASE, Bytes};
use libfuzzer_sys::fuzz_target;

fn parse(memory: &Bytes<'_>) -> Result<BootParams, ParamsFault> {
    let mut params = BootParams::default();
    params.read(memory, BASE).map(|()| params)
}

fuzz_target!(|bytes: &[u8]| {
    let memory = Bytes(bytes);
    let found = parse(&memory);
    // Parsing the same bytes again gives the same result, and each fault has a message.
    assert_eq!(found, parse(&memory));
    match found {
        Ok(params) => {
            for place in [params.bl32, params.bl33]
                .into_iter()
                .flatten()
                .filter_map(|i| i.place)
            {
                assert!(place.start < place.end);
            }
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
    if let Err(fault) = entry_point(&memory, BASE, bytes.len()) {
        assert!(!fault.to_string().is_empty());
    } else {
        assert!(bytes.len() >= 88);
    }
});
