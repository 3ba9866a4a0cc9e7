use std::fs;
use std::path::Path;

use crate::server::{DataDirectory, Program, Proxy};

#[test]
fn a_program_is_known_by_its_name() {
    let bolide = Program::at("target/release/bolide".into());
    assert_eq!(bolide, Program::Bolide("target/release/bolide".into()));
    let example = Program::at("target/release/examples/conformance_server".into());
    assert!(matches!(example, Program::ConformanceServer(_)));
}

#[test]
fn only_the_attacker_is_a_trusted_proxy() {
    let bolide = Program::Bolide("bolide".into());
    let arguments = bolide.arguments(Path::new("/tmp/data"), Proxy::Attacker);
    let flag = arguments.iter().position(|word| word == "--trusted-proxy").unwrap();
    assert_eq!(arguments[flag + 1], "127.0.0.2");
    let without = bolide.arguments(Path::new("/tmp/data"), Proxy::None);
    assert!(!without.iter().any(|word| word == "--trusted-proxy"));
}

#[test]
fn a_directory_is_measured_and_deleted() {
    let directory = DataDirectory::create().unwrap();
    let path = directory.0.clone();
    fs::write(path.join("a"), [0; 10]).unwrap();
    fs::write(path.join("b"), [0; 5]).unwrap();
    assert_eq!(directory.size().unwrap(), 15);
    drop(directory);
    assert!(!path.exists());
}
