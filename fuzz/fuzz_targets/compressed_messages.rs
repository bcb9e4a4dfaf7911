#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| certimix::fuzzing::compressed_messages(data));
