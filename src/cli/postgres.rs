//! The Postgres that a command works with: the one that is named, or a private one.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{Config, Environment};
use crate::local_postgres::{self, Durability, LocalPostgres, Options};
use crate::store::{self, address};

use super::command_result::{CommandError, CommandResult};

/// The private Postgres's database.
pub(super) const DATABASE: &str = "forecourt";

/// The private one's folder below the data directory.
const FOLDER: &str = "postgres";

/// Where the private one is, in a word.
pub(super) const PRIVATE: &str = "private";

/// The Postgres in use, a private one where none is configured.
pub(super) struct Postgres {
    pub(super) options: store::Address,
    /// A whole command that looks into it.
    pub(super) psql: String,
    private: Option<LocalPostgres>,
}

impl Postgres {
    /// The one that is configured, or a private one, started.
    ///
    /// # Errors
    /// When its address cannot be read, or the private one does not start.
    pub(super) async fn open(
        config: &Config,
        environment: &Environment,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(url) = &config.database.url {
            let options = options_of(url)?;
            let psql = match environment.setting("DATABASE_URL_FILE") {
                Some(file) => format!("psql \"$(cat '{}')\"", file.replace('\'', "'\\''")),
                None => "psql \"$DATABASE_URL\"".to_owned(),
            };
            return Ok(Self { options, psql, private: None });
        }
        let mut options = Options::new(&config.server.data_dir, Durability::Durable, environment.raw("PATH"));
        options.explicit_bin_dir.clone_from(&config.database.bin_dir);
        announce(&config.server.data_dir);
        let private = LocalPostgres::start(options).await?;
        private.ensure_database(DATABASE).await?;
        Ok(Self {
            options: private.connect_options(DATABASE),
            psql: private.psql_command(DATABASE),
            private: Some(private),
        })
    }

    /// The one that is configured; of the private one, that of the running service, else one started for this.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(super) async fn reach(
        config: &Config,
        environment: &Environment,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        match Self::open(config, environment).await {
            Err(error) if matches!(error.downcast_ref(), Some(local_postgres::Error::InUse { .. })) => {
                let options = LocalPostgres::connect_options_of_another(&config.server.data_dir, DATABASE)?;
                Ok(Self { options, psql: String::new(), private: None })
            }
            other => other,
        }
    }

    /// The one that is configured, as the owner of its tables where the configuration names that one apart.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(super) async fn reach_as_owner(
        config: &Config,
        environment: &Environment,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let Some(owner) = &config.database.migrations else { return Self::reach(config, environment).await };
        let url = owner.read(environment).map_err(CommandError::Configuration)?;
        let options = options_of(&url)?;
        if let Some(service) = &config.database.url {
            same_database(&options_of(service)?, &options)?;
        }
        Ok(Self { options, psql: String::new(), private: None })
    }

    /// The same where there is one: a private one that is still to be made is none.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(super) async fn existing_as_owner(
        config: &Config,
        environment: &Environment,
    ) -> Result<Option<Self>, Box<dyn std::error::Error + Send + Sync>> {
        match &config.database.migrations {
            Some(_) => Self::reach_as_owner(config, environment).await.map(Some),
            None => Self::existing(config, environment).await,
        }
    }

    /// The one that is configured where there is one: a private one that is still to be made is none.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(super) async fn existing(
        config: &Config,
        environment: &Environment,
    ) -> Result<Option<Self>, Box<dyn std::error::Error + Send + Sync>> {
        if config.database.url.is_none() && !config.server.data_dir.join(FOLDER).exists() {
            return Ok(None);
        }
        Self::reach(config, environment).await.map(Some)
    }

    /// Whether it is a private one.
    pub(super) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Where its database is, whoever asks for it: the same as long as the tables are the same.
    pub(super) fn place(&self) -> String {
        if self.is_private() {
            return PRIVATE.to_owned();
        }
        let options = &self.options;
        let host = options.get_socket().map_or(options.get_host().to_owned(), |path| path.display().to_string());
        let database = options.get_database().unwrap_or(options.get_username());
        format!("{host}:{}/{database}", options.get_port())
    }

    /// Stops the private one.
    pub(super) async fn stop(self) -> CommandResult {
        if let Some(private) = self.private {
            private.stop().await?;
        }
        Ok(())
    }
}

fn options_of(url: &SecretString) -> Result<store::Address, CommandError> {
    let read = address::read(url.expose_secret());
    Ok(read.map_err(|error| CommandError::Configuration(error.to_string()))?.options)
}

fn announce(data_dir: &Path) {
    tracing::info!(data_dir = %data_dir.display(), "no DATABASE_URL is set: starting a private Postgres");
}

/// That owner and service mean one database. Their servers may be called otherwise, as where one of them asks a pooler.
fn same_database(service: &store::Address, owner: &store::Address) -> Result<(), CommandError> {
    match (service.get_database(), owner.get_database()) {
        (Some(service), Some(owner)) if service != owner => Err(CommandError::Configuration(format!(
            "the service's database is `{service}` and that of `database.migrations_url` is `{owner}`: name one database in \
             both, as after a restore into another one"
        ))),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}
