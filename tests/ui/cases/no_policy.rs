//! A method without a two-factor policy.

use bolide::prelude::*;

async fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
    Ok(a + b)
}

fn main() {
    let _ = App::builder().method("add", add);
}
