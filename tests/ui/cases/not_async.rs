//! A function that is not async.

use bolide::prelude::*;

fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
    Ok(a + b)
}

fn main() {
    let _ = App::builder().method("add", TwoFactor::none(), add);
}
