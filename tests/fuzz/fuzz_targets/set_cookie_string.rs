//! The laws of `cookie_firewall::fuzzing::set_cookie_string`, under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cookie_firewall::fuzzing::set_cookie_string(data));
