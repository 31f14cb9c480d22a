//! The laws of `cookie_firewall::fuzzing::cookie_date`, under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cookie_firewall::fuzzing::cookie_date(data));
