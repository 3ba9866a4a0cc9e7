//! The endpoints for passkeys. Each is a DDP method under another name.

use serde_json::{Value, json};

use super::Endpoints;
use super::own_account::nothing;
use super::route::{Field, Route, Verb};
use crate::accounts::protected::policy;
use crate::call::{Context, SignedIn, TwoFactor};

pub(super) fn register(endpoints: &mut Endpoints) {
    let route = |action: &str, summary: &str| Route::new(&format!("users.passkeys.{action}")).summary(summary);
    let id = || Field::text("id").about("The id of the passkey, from the list");
    let begin = route("beginRegistration", "Begins to register a passkey").open_to_enrolment();
    let begin = begin.gives([Field::object("options").about("For navigator.credentials.create, in their JSON form")]);
    let asks = policy("POST users.passkeys.beginRegistration");
    endpoints.add_unless_there(Verb::Post, begin, asks, async |me: SignedIn, _: Value| {
        let options: Value = me.context().call("passkeys:beginRegistration", &()).await?;
        Ok(json!({ "options": options }))
    });
    let finish = route("finishRegistration", "Registers the passkey that navigator.credentials.create has made");
    let finish = finish.open_to_enrolment().takes([
        Field::text("credential").about("What navigator.credentials.create has returned, as JSON text"),
        Field::text("name").optional().about("The name by which the user knows it"),
    ]);
    let finish = finish.gives([
        Field::text("id"),
        Field::text("name"),
        Field::list("codes").optional().about("Backup codes, if the user had none"),
    ]);
    endpoints.add_unless_there(
        Verb::Post,
        finish,
        policy("POST users.passkeys.finishRegistration"),
        async |me: SignedIn, fields: Value| me.context().call::<Value>("passkeys:finishRegistration", &(fields,)).await,
    );
    let list = route("list", "One's passkeys")
        .gives([Field::list("passkeys").about("id, name, transports, backedUp, createdAt, lastUsedAt")]);
    endpoints.add_unless_there(Verb::Get, list, TwoFactor::none(), async |me: SignedIn, _: Value| {
        let passkeys: Value = me.context().call("passkeys:list", &()).await?;
        Ok(json!({ "passkeys": passkeys }))
    });
    let rename = route("rename", "Gives a passkey another name").takes([id(), Field::text("name")]);
    let asks = policy("POST users.passkeys.rename");
    endpoints.add_unless_there(Verb::Post, rename, asks, async |me: SignedIn, fields: Value| {
        me.context().call::<Value>("passkeys:rename", &(fields,)).await.map(nothing)
    });
    let remove = route("remove", "Removes a passkey, and ends one's other logins").takes([id()]);
    let asks = policy("POST users.passkeys.remove");
    endpoints.add_unless_there(Verb::Post, remove, asks, async |me: SignedIn, fields: Value| {
        me.context().call::<Value>("passkeys:remove", &(fields,)).await.map(nothing)
    });
    let regenerate = route("regenerateCodes", "Makes new backup codes").gives([Field::list("codes")]);
    let asks = policy("POST users.passkeys.regenerateCodes");
    endpoints.add_unless_there(Verb::Post, regenerate, asks, async |me: SignedIn, _: Value| {
        me.context().call::<Value>("passkeys:regenerateCodes", &()).await
    });
    let login = route("beginLogin", "Begins a login with a passkey alone, which goes on with `webauthn` at login");
    let login = login.gives([Field::object("options").about("For navigator.credentials.get, in their JSON form")]);
    endpoints.add_unless_there(Verb::Post, login, TwoFactor::none(), async |context: Context, _: Value| {
        let options: Value = context.call("passkeys:beginLogin", &()).await?;
        Ok(json!({ "options": options }))
    });
}
