//! What commands that bake need of the world: the store, pantries, the network, the time, signals.

use super::env::Env;
use super::recipes::Recipe;
use super::report::Report;
use rebake::build::{Order, Stamping};
use rebake::git;
use rebake::image::Batch;
use rebake::oci::ImageName;
use rebake::pantry::{Distant, Pantry};
use rebake::rebuild::Rebuild;
use rebake::store::Store;
use rebake::supply::{Online, Reach, Supply};
use rebake::transport::Access;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;

/// Where inputs may come from.
#[derive(Debug, clap::Args)]
pub struct Sources {
    /// Take inputs from a pantry, a folder or docker://HOST/NAME; may be given several times
    #[arg(long, value_name = "PANTRY")]
    pub pantry: Vec<String>,
    /// Ask neither URLs nor registries nor git remotes
    #[arg(long)]
    pub offline: bool,
    /// Let registries be asked without TLS, or with a certificate that nobody vouches for
    #[arg(long, conflicts_with = "offline")]
    pub insecure: bool,
}

impl Sources {
    /// Of a command that takes no inputs: the network alone.
    pub fn online(insecure: bool) -> Self {
        Self { pantry: Vec::new(), offline: false, insecure }
    }
}

/// What is behind the options and the environment.
pub struct World<'a> {
    pantries: Vec<Pantry>,
    store: Option<Store>,
    online: Option<Online>,
    scratch: &'a Path,
    /// Set by a signal.
    pub interrupt: Arc<AtomicBool>,
    notice: Box<dyn Fn(&str) + Sync + 'a>,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970.
    pub source_date_epoch: Option<i64>,
}

impl<'a> World<'a> {
    /// Opens what the options name, and begins to heed signals.
    pub fn new(sources: &Sources, env: &'a Env, report: &'a Report) -> Result<Self, String> {
        let online = (!sources.offline).then(|| Online {
            net: env.net.clone(),
            http: OnceLock::new(),
            credentials: env.credentials.clone(),
            insecure: sources.insecure,
            git: git::Online::new(),
        });
        let mut world = Self {
            pantries: Vec::new(),
            // Who fetches nothing needs none.
            store: store(env).ok(),
            online,
            scratch: &env.scratch,
            interrupt: heed_signals().map_err(|error| format!("cannot wait for signals: {error}"))?,
            notice: Box::new(|text| report.notice(text)),
            source_date_epoch: source_date_epoch(env)?,
        };
        world.pantries = sources.pantry.iter().map(|name| world.pantry(name)).collect::<Result<_, _>>()?;
        Ok(world)
    }

    /// A pantry by its name: `oci:DIR`, a folder, or `docker://HOST/NAME[:TAG]`.
    pub fn pantry(&self, name: &str) -> Result<Pantry, String> {
        match Shelf::named(name)? {
            Shelf::Folder(folder) => Pantry::open(&folder).map_err(|error| error.to_string()),
            Shelf::Registry(name) => self.distant(&name)?.open().map_err(|error| error.to_string()),
        }
    }

    /// The pantry that a registry has.
    pub fn distant(&self, name: &ImageName) -> Result<Distant, String> {
        let found = self.supply(Path::new("")).pantry(name).map_err(|error| error.to_string())?;
        found.ok_or_else(|| format!("there is no pantry {name}; its tag is `pantry` unless the name says another one"))
    }

    /// The same, trusting what earlier runs noted of this user's files.
    pub fn trusting(mut self, env: &Env) -> Self {
        let notes = rebuild(env).map(|rebuild| rebuild.folder().to_owned());
        self.store = self.store.zip(notes).map(|(store, notes)| store.with_notes(notes, env.now));
        self
    }

    /// The pantries that the user named.
    pub fn pantries(&self) -> &[Pantry] {
        &self.pantries
    }

    /// A recipe to be baked, with the lock beside it.
    pub fn order<'w>(&'w self, recipe: &'w Recipe, batch: &'w Batch, stamping: Stamping<'w>) -> Order<'w> {
        Order {
            text: &recipe.text,
            syntax: recipe.syntax,
            lock: recipe.lock.as_ref(),
            supply: self.supply(recipe.folder()),
            source_date_epoch: self.source_date_epoch,
            batch,
            stamping,
        }
    }

    /// Where the inputs of a recipe in a folder are looked for.
    pub fn supply<'w>(&'w self, folder: &'w Path) -> Supply<'w> {
        Supply {
            pantries: &self.pantries,
            store: self.store.as_ref(),
            reach: self.online.as_ref().map_or(Reach::Disk, Reach::Network),
            folder,
            shared: None,
            scratch: self.scratch,
            interrupt: &self.interrupt,
            notice: &*self.notice,
        }
    }

    /// What reading images needs; relative paths start at the working directory.
    pub fn access(&self) -> Access<'_> {
        let online = self.online.as_ref();
        Access { folder: Path::new(""), scratch: self.scratch, online, interrupt: &self.interrupt }
    }
}

/// The store of this user.
pub fn store(env: &Env) -> Result<Store, String> {
    let cache = env.cache.clone();
    cache.map(Store::new).ok_or_else(|| "there is no place for the store: set REBAKE_CACHE or HOME".to_owned())
}

/// The records of this user's builds.
pub fn rebuild(env: &Env) -> Option<Rebuild> {
    Some(Rebuild::new(env.cache.as_ref()?.join("rebuild"), env.now))
}

/// Where a pantry is.
pub enum Shelf {
    /// On this disk.
    Folder(PathBuf),
    /// In a registry.
    Registry(ImageName),
}

impl Shelf {
    /// By its name: `oci:DIR`, a folder, or `docker://HOST/NAME[:TAG]`.
    pub fn named(name: &str) -> Result<Self, String> {
        if name.starts_with("docker://") {
            return name.parse().map(Self::Registry).map_err(|error| format!("{name}: {error}"));
        }
        let folder = name.strip_prefix("oci:").unwrap_or(name);
        match folder.is_empty() {
            true => Err(format!("`{name}` names no folder")),
            false => Ok(Self::Folder(folder.strip_suffix(":pantry").unwrap_or(folder).into())),
        }
    }
}

/// `SOURCE_DATE_EPOCH`, in seconds since 1970.
pub fn source_date_epoch(env: &Env) -> Result<Option<i64>, String> {
    match env.source_date_epoch.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(seconds @ 0..=253_402_300_799) => Ok(Some(seconds)),
            _ => Err(format!("SOURCE_DATE_EPOCH is `{text}`, which is no number of seconds since 1970")),
        },
    }
}

/// The first signal asks the command to stop and clean up, the second one stops it at once.
pub fn heed_signals() -> std::io::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 2, Arc::clone(&interrupt))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupt))?;
    }
    Ok(interrupt)
}

/// A folder for temporary files, which goes when it is dropped.
pub fn temporary_folder(scratch: &Path) -> Result<TempDir, String> {
    let folder = tempfile::Builder::new().prefix("rebake-").tempdir_in(scratch);
    folder.map_err(|error| format!("cannot make a folder in {}: {error}", scratch.display()))
}
