//! Builds the servers that are measured.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::Failure;

/// Builds a program in release mode beside this one, and says where it is. `product` is its path below `release`.
pub(crate) fn build(package: &str, target: [&str; 2], product: &str) -> Result<PathBuf, Failure> {
    // Benches are in `TARGET/release/deps`.
    let this = env::current_exe()?;
    let mut ancestors = this.ancestors().skip(2);
    let outside = "this program is in no target directory; use --server";
    let release = ancestors.next().ok_or(outside)?;
    let directory = ancestors.next().ok_or(outside)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", package])
        .args(target)
        .arg("--target-dir")
        .arg(directory)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if !built.success() {
        return Err(format!("`{product}` could not be built").into());
    }
    Ok(release.join(product))
}
