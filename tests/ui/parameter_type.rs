//! A parameter that cannot be read from what a client sends.

use bolide::prelude::*;

struct Order {
    amount: f64,
}

async fn pay(_: Context, order: Order) -> MethodResult<f64> {
    Ok(order.amount)
}

fn main() {
    let _ = App::builder().method("pay", TwoFactor::none(), pay);
}
