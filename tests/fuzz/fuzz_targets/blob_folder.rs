#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| repute_fuzz::operations::run("blob_folder", bytes));
