//! The data that the feature `conformance` offers is what its directories hold.

use std::fs;
use std::path::Path;

use bolide_protocol::conformance::{CASES, File, VECTORS};

#[test]
fn every_file_of_the_directories_is_offered() {
    assert_eq!(names(CASES), names_of_directory("conformance"));
    assert_eq!(names(VECTORS), names_of_directory("vectors"));
}

#[test]
fn every_file_is_json() {
    for file in CASES.iter().chain(VECTORS) {
        let read: Result<serde_json::Value, _> = serde_json::from_str(file.text);
        assert!(read.is_ok(), "{}: {read:?}", file.name);
    }
}

fn names(files: &[File]) -> Vec<String> {
    let mut names: Vec<_> = files.iter().map(|file| file.name.to_owned()).collect();
    names.sort();
    names
}

fn names_of_directory(directory: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut names: Vec<_> = files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
