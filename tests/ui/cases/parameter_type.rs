//! A parameter type that cannot be deserialised.

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
