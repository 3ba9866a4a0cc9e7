//! The options with which commands connect and sign in to a server.

use std::time::Duration;

use bolide::client::{Address, Client, Login, RestClient};
use bolide::protocol::RawJson;

use crate::output::Failure;
use crate::progress::Curtain;
use crate::prompt::CodeSource;
use crate::tokens;

#[derive(Debug, clap::Args)]
pub(crate) struct ServerArguments {
    /// URL of the server, such as `wss://chat.example.com` or `ws://localhost:3000/websocket`.
    pub(crate) url: Address,

    /// Second-factor code for scripts, or the password where the server asks for it, as you type it. It is used once.
    #[arg(long, conflicts_with = "code_command")]
    code: Option<String>,

    /// Command that prints a second-factor code, such as `oathtool --totp -b SECRET`. A code is used once: if the
    /// command prints the code of an authenticator again, it is run until it prints the next one.
    #[arg(long)]
    code_command: Option<String>,

    /// Timeout in seconds. Default: none.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// The token with which a command signs in.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArguments {
    /// Signs in with this token instead of the one that `bolide login` has stored.
    #[arg(long, env = "BOLIDE_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Id of the token's user, which only --rest needs.
    #[arg(long, env = "BOLIDE_USER_ID")]
    user_id: Option<String>,

    /// Does not sign in, even if `bolide login` has stored a token.
    #[arg(long, conflicts_with = "token")]
    anonymous: bool,
}

impl ServerArguments {
    /// Creates a REST client, signed in with the given or stored token.
    pub(crate) fn rest_client(
        &self,
        arguments: Option<&TokenArguments>,
        curtain: Curtain,
    ) -> Result<RestClient, Failure> {
        let source = self.code_source();
        let client = RestClient::new(&self.url.to_string())?.two_factor(async move |challenge| {
            curtain.close();
            let code = source.answer(challenge).await;
            curtain.open();
            code
        });
        let Some(arguments) = arguments.filter(|arguments| !arguments.anonymous) else { return Ok(client) };
        if let Some(token) = &arguments.token {
            let no_user = || Failure::Usage("over REST a token needs the id of its user; use --user-id".to_owned());
            return Ok(client.signed_in(arguments.user_id.as_ref().ok_or_else(no_user)?, token));
        }
        let kept = tokens::find(&self.url).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(match kept {
            Some(kept) => client.signed_in(&kept.user_id, &kept.token),
            None => client,
        })
    }

    /// Opens a session without signing in.
    pub(crate) async fn open(&self, curtain: Curtain) -> Result<Client, Failure> {
        let source = self.code_source();
        let builder = Client::builder(&self.url.to_string()).two_factor(async move |challenge| {
            curtain.close();
            let code = source.answer(challenge).await;
            curtain.open();
            code
        });
        Ok(builder.connect().await?)
    }

    /// Opens a session and signs in with the given or stored token.
    pub(crate) async fn sign_in(&self, arguments: &TokenArguments, curtain: Curtain) -> Result<Client, Failure> {
        let client = self.open(curtain).await?;
        if arguments.anonymous {
            return Ok(client);
        }
        let kept = tokens::find(&self.url).map_err(|error| Failure::Usage(error.to_string()))?;
        if let Some(token) = arguments.token.clone().or_else(|| kept.map(|kept| kept.token)) {
            client.login(Login::resume(&token)).await?;
        }
        Ok(client)
    }

    /// Runs `work` with the timeout.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match self.timeout {
            None => work.await,
            Some(seconds) => {
                let limit = Duration::from_secs(seconds);
                tokio::time::timeout(limit, work).await.unwrap_or(Err(Failure::Timeout))
            }
        }
    }

    fn code_source(&self) -> CodeSource {
        match (&self.code, &self.code_command) {
            (Some(code), _) => CodeSource::given(code),
            (None, Some(command)) => CodeSource::command(command),
            (None, None) => CodeSource::Terminal,
        }
    }
}

/// Parses parameters from the command line, each of them as JSON.
pub(crate) fn parameters(texts: &[String]) -> Result<Vec<RawJson>, Failure> {
    let read = |text: &String| {
        RawJson::parse(text).map_err(|_| {
            let quoted = serde_json::Value::from(text.as_str());
            Failure::Usage(format!("`{text}` is not JSON; a string needs quotes: '{quoted}'"))
        })
    };
    texts.iter().map(read).collect()
}
