use std::collections::HashSet;

use crate::flood::{FLOODS, named};

#[test]
fn each_flood_is_found_by_its_name() {
    let names: HashSet<_> = FLOODS.iter().map(|flood| flood.name).collect();
    assert_eq!(names.len(), FLOODS.len());
    assert!(names.iter().all(|name| named(name).unwrap().name == *name && name.len() <= 16));
}
