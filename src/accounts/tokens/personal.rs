//! [`PersonalTokens`]: personal access tokens, which integrations use, and the methods for them.

use std::sync::Arc;

use bolide_protocol::{DdpError, Ejson};
use serde_json::json;

use super::{LoginSecret, own_token};
use crate::accounts::audit::Audit;
use crate::accounts::node::Node;
use crate::accounts::permissions::CREATE_PERSONAL_ACCESS_TOKENS;
use crate::accounts::protected::{self, Proof};
use crate::call::{MethodError, MethodResult, Parameters, SignedIn};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::registry::Registry;
use crate::settings::{Settings, TOKENS_MAY_BYPASS};
use crate::store::{AuditEvent, HashedToken, LoginToken, Store, StoreError, TokenKind};

/// The maximum length of the name of a token, in bytes.
const LONGEST_NAME: usize = 200;

/// Generates, regenerates and removes personal access tokens.
pub(crate) struct PersonalTokens {
    store: Arc<dyn Store>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    node: Arc<Node>,
    audit: Arc<Audit>,
}

/// Registers the methods of personal access tokens, with Rocket.Chat's names.
pub(in crate::accounts) fn register(tokens: &Arc<PersonalTokens>, registry: &mut Registry) {
    macro_rules! method {
        ($name:literal, $function:ident) => {{
            let tokens = Arc::clone(tokens);
            registry.method_unless_there(
                $name,
                protected::policy($name),
                move |me: SignedIn, parameters: Parameters| {
                    let tokens = Arc::clone(&tokens);
                    async move {
                        me.require_permission(CREATE_PERSONAL_ACCESS_TOKENS).await?;
                        let proof = me.prove(None).await?;
                        tokens.$function(me, Options::read(&parameters)?, &proof).await
                    }
                },
            )
        }};
    }
    method!("personalAccessTokens:generateToken", generate);
    method!("personalAccessTokens:regenerateToken", regenerate);
    method!("personalAccessTokens:removeToken", remove);
}

/// `{tokenName, bypassTwoFactor}`.
struct Options {
    name: String,
    bypasses_two_factor: bool,
}

impl Options {
    fn read(parameters: &Parameters) -> MethodResult<Self> {
        let options: Ejson = parameters.get(0)?;
        let name = options.get("tokenName").and_then(Ejson::as_str).map(str::trim);
        let name = name.filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME);
        let bypasses_two_factor = match options.get("bypassTwoFactor") {
            None | Some(Ejson::Null) => false,
            Some(value) => value.as_bool().ok_or_else(DdpError::match_failed)?,
        };
        Ok(Self { name: name.ok_or_else(DdpError::match_failed)?.to_owned(), bypasses_two_factor })
    }
}

impl PersonalTokens {
    pub(in crate::accounts) fn new(
        store: &Arc<dyn Store>,
        settings: &Settings,
        (clock, chance): (&Arc<dyn Clock>, &Arc<dyn Chance>),
        node: &Arc<Node>,
        audit: &Arc<Audit>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            settings: settings.clone(),
            clock: Arc::clone(clock),
            chance: Arc::clone(chance),
            node: Arc::clone(node),
            audit: Arc::clone(audit),
        }
    }

    async fn generate(&self, me: SignedIn, options: Options, proof: &Proof) -> MethodResult<String> {
        let Options { name, bypasses_two_factor } = options;
        if bypasses_two_factor && !self.settings.get(&TOKENS_MAY_BYPASS) {
            return Err(MethodError::new("error-not-allowed", "Tokens that bypass the second factor are not allowed"));
        }
        let secret = LoginSecret::generate(&*self.chance);
        let token = LoginToken {
            hashed: secret.hashed(),
            user: me.user().clone(),
            kind: TokenKind::Personal { name: name.clone(), last_part: secret.last_part(), bypasses_two_factor },
            created_at: self.clock.now(),
            trust: None,
            last_used_at: None,
            last_address: None,
            last_user_agent: None,
        };
        self.insert(own_token(me.context()), token, proof).await?;
        let details = json!({ "name": name, "bypassTwoFactor": bypasses_two_factor });
        self.audit.record(AuditEvent::TokenCreated, Some(me.user()), me.context().connection(), details).await;
        Ok(secret.expose().to_owned())
    }

    /// Inserts a token unless the login that creates it has ended meanwhile.
    async fn insert(&self, own: Option<HashedToken>, token: LoginToken, _: &Proof) -> MethodResult<()> {
        let inserted = match &own {
            Some(own) => self.store.insert_token_beside(own, token).await,
            None => self.store.insert_token(token).await.map(|()| true),
        };
        match inserted {
            Ok(true) => Ok(()),
            Ok(false) => Err(MethodError::new(403, "You've been logged out by the server. Please log in again.")),
            Err(StoreError::Taken(_)) => {
                Err(MethodError::new("error-token-already-exists", "A token with this name already exists"))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn regenerate(&self, me: SignedIn, Options { name, .. }: Options, _: &Proof) -> MethodResult<String> {
        let secret = LoginSecret::generate(&*self.chance);
        let (hashed, last_part) = (secret.hashed(), secret.last_part());
        let replaced = self.store.replace_personal_token(me.user(), &name, hashed, last_part, self.clock.now()).await?;
        self.node.end_connections(&[replaced.ok_or_else(no_such_token)?], None);
        let details = json!({ "name": name });
        self.audit.record(AuditEvent::TokenRegenerated, Some(me.user()), me.context().connection(), details).await;
        Ok(secret.expose().to_owned())
    }

    async fn remove(&self, me: SignedIn, Options { name, .. }: Options, _: &Proof) -> MethodResult<()> {
        let removed = self.store.delete_personal_token(me.user(), &name).await?;
        self.node.end_connections(&[removed.ok_or_else(no_such_token)?], None);
        let details = json!({ "name": name });
        self.audit.record(AuditEvent::TokenRemoved, Some(me.user()), me.context().connection(), details).await;
        Ok(())
    }
}

fn no_such_token() -> MethodError {
    MethodError::new("error-token-does-not-exists", "The token does not exist")
}
