//! How mails and links name the server.

/// What mails and links say about the server.
#[derive(Debug, clap::Args)]
pub(crate) struct SiteArguments {
    /// Public URL of the server, with which links in mails begin; default for `bolide serve`: the address that it listens on
    #[arg(long, env = "BOLIDE_ROOT_URL")]
    pub(crate) root_url: Option<String>,

    /// Name of the site in mails and in authenticator apps
    #[arg(long, env = "BOLIDE_SITE_NAME", default_value = "Bolide")]
    pub(crate) site_name: String,
}
