//! A function whose first parameter is neither `Context` nor `SignedIn`.

use bolide::prelude::*;

async fn add(a: f64, b: f64) -> MethodResult<f64> {
    Ok(a + b)
}

fn main() {
    let _ = App::builder().method("add", TwoFactor::none(), add);
}
