//! How commands connect: the options that they share, and whom they ask for the second factor.

use std::time::Duration;

use bolide::client::{Address, Client, Login, RestClient};
use bolide::protocol::RawJson;

use crate::output::Failure;
use crate::progress::Curtain;
use crate::prompt::CodeSource;
use crate::tokens;

#[derive(Debug, clap::Args)]
pub(crate) struct ServerArguments {
    /// The server, such as `wss://chat.example.com` or `ws://localhost:3000/websocket`.
    pub(crate) url: Address,

    /// The code of the second factor, for scripts. It is used once.
    #[arg(long, conflicts_with = "code_command")]
    code: Option<String>,

    /// A command that prints a code whenever one is asked for, such as `oathtool --totp -b SECRET`. A code is shown once:
    /// if the command prints an authenticator's code again, the next one is waited for.
    #[arg(long)]
    code_command: Option<String>,

    /// How many seconds it may take.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// As whom a command talks to the server.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArguments {
    /// Signs in with this token instead of the one that `bolide login` has kept.
    #[arg(long, env = "BOLIDE_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Whose token it is. Only REST has to be told.
    #[arg(long, env = "BOLIDE_USER_ID")]
    user_id: Option<String>,

    /// Does not sign in, even if `bolide login` has kept a token.
    #[arg(long, conflicts_with = "token")]
    anonymous: bool,
}

impl ServerArguments {
    /// A client that speaks REST and is signed in with the token that is given or kept.
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
            let no_user = || Failure::Usage("over REST a token needs its user's id beside it: --user-id".to_owned());
            return Ok(client.signed_in(arguments.user_id.as_ref().ok_or_else(no_user)?, token));
        }
        let kept = tokens::find(&self.url).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(match kept {
            Some(kept) => client.signed_in(&kept.user_id, &kept.token),
            None => client,
        })
    }

    /// Opens a session, in which nobody is signed in.
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

    /// Opens a session and signs in, with the token that is given or kept.
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

    /// What `work` gives, if it does so in time.
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

/// Parameters from the command line, each of them JSON.
pub(crate) fn parameters(texts: &[String]) -> Result<Vec<RawJson>, Failure> {
    let read = |text: &String| {
        RawJson::parse(text).map_err(|_| {
            let quoted = serde_json::Value::from(text.as_str());
            Failure::Usage(format!("`{text}` is not JSON; a text needs quotes: '{quoted}'"))
        })
    };
    texts.iter().map(read).collect()
}
