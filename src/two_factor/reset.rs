//! Taking an authenticator app away, for who has lost it.

use serde_json::json;

use crate::accounts::AccountsCore;
use crate::call::{MethodResult, SignedIn};
use crate::mail::MailContent;
use crate::store::User;

impl AccountsCore {
    /// Ends the use of a user's authenticator app, and all of the user's log-ins, those of integrations too. A user who
    /// did not do it is told by mail.
    pub(crate) async fn reset_totp(&self, user: &User, by: &SignedIn) -> MethodResult<()> {
        self.store.remove_totp(&user.id).await?;
        self.store.forget_failures(&format!("factor:user:{}", user.id)).await?;
        let ended = self.store.delete_all_tokens(&user.id).await?;
        self.end_connections(&ended);
        self.user_changed(&user.id).await;
        self.audit("totp.reset", Some(&user.id), by.context().connection(), json!({})).await;
        if *by.user() != user.id {
            let content = MailContent::TotpReset { name: user.username.clone().unwrap_or_default() };
            self.mail(&content, user.verified_addresses().map(str::to_owned).collect(), None).await;
        }
        Ok(())
    }
}
