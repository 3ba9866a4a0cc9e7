//! Functions that can be methods.

use bolide::call::blocking;
use bolide::prelude::*;

async fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
    Ok(a + b)
}

async fn whoami(me: SignedIn) -> MethodResult<UserId> {
    Ok(me.user().clone())
}

fn read(_: Context, path: String) -> MethodResult<String> {
    Ok(std::fs::read_to_string(path)?)
}

fn main() {
    let name = String::from("captured");
    let app = App::builder()
        .method("add", TwoFactor::none(), add)
        .method("whoami", TwoFactor::required().disable_remember_me(), whoami)
        .method("read", TwoFactor::none(), blocking(read))
        .method("name", TwoFactor::none(), async move |_: Context| Ok(name.clone()))
        .build();
    assert!(app.is_ok());
}
