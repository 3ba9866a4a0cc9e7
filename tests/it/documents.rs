//! What the documents claim: each defence in SECURITY.md is shown by a file that exists.

use std::path::Path;

#[test]
fn each_defence_is_shown_by_a_file_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("SECURITY.md")).expect("SECURITY.md");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack"));
    let mut count = 0;
    for row in rows {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let named: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "nothing shows this: {row}");
        for path in named.into_iter().filter(|named| named.contains('/')) {
            assert!(root.join(path).exists(), "{path} does not exist: {row}");
            count += 1;
        }
    }
    assert!(count > 50, "the rows of SECURITY.md were not found");
}
