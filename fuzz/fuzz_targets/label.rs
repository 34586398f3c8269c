#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nself_fuzz::label::check(data));
