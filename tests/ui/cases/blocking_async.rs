//! An async function where a blocking one is expected.

use bolide::call::blocking;
use bolide::prelude::*;

async fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
    Ok(a + b)
}

fn main() {
    let _ = App::builder().method("add", TwoFactor::none(), blocking(add));
}
