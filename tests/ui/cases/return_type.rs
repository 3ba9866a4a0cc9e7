//! A function that does not return a `MethodResult`.

use bolide::prelude::*;

async fn add(_: Context, a: f64, b: f64) -> f64 {
    a + b
}

fn main() {
    let _ = App::builder().method("add", TwoFactor::none(), add);
}
