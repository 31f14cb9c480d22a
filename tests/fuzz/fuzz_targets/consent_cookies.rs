//! The laws of `cookie_firewall::fuzzing::consent_cookies`, under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cookie_firewall::fuzzing::consent_cookies(data));
