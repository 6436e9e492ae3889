//! A recipe and everything that it needs goes into a pantry, and comes out of it again.

use crate::build::{self, Failure, Order, Planned, Stamping, plan};
use crate::image::Batch;
use crate::lock::{Lock, PinnedInput};
use crate::oci::{Digest, Platform};
use crate::pantry::{Fill, Packed, Pantry, PantryError, Role, has_git, pack, unpack};
use crate::recipe::{Diagnostic, Stamp, Syntax};
use crate::source::archive::{self, Limits};
use crate::source::disk::{KEPT, OUTPUT, Used};
use crate::source::{Ready, image};
use crate::store::Found;
use crate::supply::{Reach, Supply};
use crate::tree::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a recipe cannot go into a pantry, or out of it.
#[derive(Debug, thiserror::Error)]
pub enum PreserveError {
    /// Its image cannot be planned.
    #[error(transparent)]
    Plan(#[from] Failure),
    /// The pantry cannot be read or written.
    #[error(transparent)]
    Pantry(#[from] PantryError),
    /// There is no room for temporary files.
    #[error("cannot write temporary files to {}: {source}", folder.display())]
    Scratch {
        /// Where they should lie.
        folder: PathBuf,
        /// The disk's word.
        source: io::Error,
    },
    /// The disk says no.
    #[error("{what}: {source}")]
    Io {
        /// Which file.
        what: String,
        /// The disk's word.
        source: io::Error,
    },
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> PreserveError {
    |source| PreserveError::Io { what: what.into(), source }
}

fn no_scratch(folder: &Path) -> impl Fn(io::Error) -> PreserveError + '_ {
    // `tempfile` names a file that never was.
    move |source| PreserveError::Scratch { folder: folder.to_owned(), source: source.kind().into() }
}

/// Puts a recipe into a pantry. `file` is the name of its file, `lock` the text of its lock.
///
/// # Errors
/// See [`PreserveError`]; an input that is not pinned.
pub fn fill(order: &Order, file: &str, lock: Option<&str>, pantry: &mut Fill) -> Result<(), PreserveError> {
    let nowhere = order.supply.folder.join(OUTPUT);
    let target = std::path::absolute(pantry.target()).map_err(failed("the pantry's folder"))?;
    let planned = plan(order, (Some(&target), &nowhere))?;
    // An image that is not the expected one is no use to anybody, but it may be all that there is.
    if let Some(lock) = order.lock.filter(|lock| !lock.expected.is_empty())
        && let Some((expected, found)) = build::difference(&lock.expected, &planned.recorded(order)?)
    {
        let name = &planned.recipe.image.name.value;
        (order.supply.notice)(&format!("{name} is {found} now, and its lock expects {expected}"));
    }
    portable(&planned, file)?;
    let mut inputs = Inputs::default();
    for (name, pinned) in &planned.recipe.phase.inputs {
        for platform in &planned.recipe.image.platforms {
            let Some(found) = planned.inputs.get(name, platform) else { continue };
            input(order, &planned, (name, pinned, &found.ready), platform, pantry, &mut inputs)?;
        }
    }

    let mut tar = tempfile::tempfile_in(order.supply.scratch).map_err(no_scratch(order.supply.scratch))?;
    let (folder, interrupt) = (planned.root.path(), order.supply.interrupt);
    pack(folder, &planned.root.used().into_keys().collect(), &mut tar, interrupt).map_err(|error| {
        match interrupt.load(Ordering::Relaxed) {
            true => PantryError::Interrupted.into(),
            false => failed(format!("the files in {}", folder.display()))(error),
        }
    })?;
    tar.rewind().map_err(no_scratch(order.supply.scratch))?;
    let (digest, size) = digest_of(&tar).map_err(no_scratch(order.supply.scratch))?;
    tar.rewind().map_err(no_scratch(order.supply.scratch))?;
    pantry.blob(digest, size, || Ok(Box::new(&tar)))?;
    let files = Packed::descriptor(Role::Files, digest, size);

    let mut text = |role, text: &str| -> Result<_, PantryError> {
        let (digest, size) = pantry.bytes(text.as_bytes().to_vec())?;
        Ok(Packed::descriptor(role, digest, size))
    };
    let recipe = text(Role::Recipe, order.text)?;
    let lock = lock.map(|lock| text(Role::Lock, lock)).transpose()?;
    let name = planned.recipe.image.name.value.clone();
    let stamp = planned.stamp.as_ref().map(Stamp::facts).unwrap_or_default();
    let packed = Packed { name, file: file.to_owned(), recipe, lock, files, inputs, stamp };
    pantry.recipe(packed)?;
    Ok(())
}

/// Whether a copy of the recipe's files stands by itself.
fn portable(planned: &Planned, file: &str) -> Result<(), PreserveError> {
    let folder = planned.root.path();
    let refuse = |message: String, help: &str| {
        Err(PreserveError::Plan(Failure::Recipe(vec![Diagnostic::new(message).help(help)])))
    };
    let used = planned.root.used();
    if let Some(path) = used.keys().find(|path| has_git(path.as_os_str().as_encoded_bytes())) {
        let message = format!("`{}` goes into the image, and a pantry holds no repository's inside", path.display());
        return refuse(message, "leave it out: `exclude = [\"**/.git\"]`");
    }
    let links = used.iter().filter(|(_, used)| **used == Used::Symlink).map(|(path, _)| path);
    for path in links {
        if path == Path::new(file) {
            let message = format!("the recipe `{file}` is a symlink and goes into the image as one");
            return refuse(message, "a pantry keeps the recipe itself; exclude the symlink, or make it a file");
        }
        let Ok(target) = fs::read_link(folder.join(path)) else { continue };
        let inside = target.is_absolute() && (target.starts_with(folder) || real(&target).starts_with(folder));
        if inside {
            let (path, target) = (path.display(), target.display());
            let message = format!("`{path}` is a symlink to {target}: elsewhere, that leads nowhere");
            return refuse(message, &format!("make it relative: ln -srfn {target} {path}"));
        }
    }
    Ok(())
}

/// Where a path leads, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let real = path.ancestors().find_map(|up| Some((up, fs::canonicalize(up).ok()?)));
    real.map_or_else(PathBuf::new, |(up, real)| path.strip_prefix(up).map_or(real.clone(), |rest| real.join(rest)))
}

/// The inputs of a recipe that are no images.
type Inputs = BTreeMap<Digest, (u64, BTreeSet<String>)>;

fn input(
    order: &Order,
    planned: &Planned,
    (name, pinned, ready): (&str, &PinnedInput, &Ready),
    platform: &Platform,
    pantry: &mut Fill,
    inputs: &mut Inputs,
) -> Result<(), PreserveError> {
    let mut keep = |digest: Digest, size: u64| {
        inputs.entry(digest).or_insert_with(|| (size, BTreeSet::new())).1.insert(name.to_owned());
    };
    let mut file = |pantry: &mut Fill, digest: Digest, path: &Path| -> Result<(), PreserveError> {
        let size = fs::metadata(path).map_err(failed(path.display().to_string()))?.len();
        pantry.blob(digest, size, || Ok(Box::new(File::open(path)?)))?;
        keep(digest, size);
        Ok(())
    };
    match (pinned, ready) {
        (PinnedInput::Files(files), Ready::File(path)) => {
            let pin = files.get(platform).map(|file| file.digest);
            pin.map_or(Ok(()), |digest| file(pantry, digest, path))
        }
        (PinnedInput::Tree { tar, .. }, Ready::Tree(path)) => file(pantry, tar.digest, path),
        (_, Ready::Blobs { manifest, blobs, .. }) => {
            let open = |digest: Digest| -> io::Result<Box<dyn Read>> {
                let path = blobs.get(&digest).ok_or_else(|| io::Error::other(format!("{digest} is not there")))?;
                Ok(Box::new(File::open(path)?))
            };
            let named = pantry.image(manifest.digest, open)?;
            // The index that led to the manifest.
            for (digest, path) in blobs.iter().filter(|(digest, _)| !named.contains(*digest)) {
                file(pantry, *digest, path)?;
            }
            Ok(())
        }
        (PinnedInput::Archive { file: pin, .. }, Ready::Image(at)) => match at.path() {
            Some(path) => file(pantry, pin.digest, &planned.root.path().join(path)),
            None => Ok(()),
        },
        (PinnedInput::Image { .. }, Ready::Image(at)) => {
            let supply = &order.supply;
            let broken =
                |error: image::ImageError| failed(format!("the input `{name}`"))(io::Error::other(error.to_string()));
            let root = planned.root.path();
            let found = image::open(at, root, platform, supply.scratch, supply.interrupt).map_err(broken)?;
            let blobs = image::Blobs::open(at, root, supply.scratch, supply.interrupt).map_err(broken)?;
            let Some(manifest) = found.manifest else { return Ok(()) };
            let named = pantry.image(manifest.digest, |digest| Ok(blobs.blob(digest)?))?;
            if let Some(top) = found.top.filter(|top| !named.contains(&top.digest)) {
                pantry.blob(top.digest, top.size, || Ok(blobs.blob(top.digest)?))?;
                keep(top.digest, top.size);
            }
            Ok(())
        }
        _ => {
            let span = planned.recipe.inputs.get(name).map(|input| input.span).unwrap_or_default();
            let message = format!("the input `{name}` is not pinned, and a pantry is for what is");
            let help = "`rebake lock` pins it; commit the rebake.lock that it writes";
            Err(Failure::Recipe(vec![Diagnostic::at(span, message).help(help)]).into())
        }
    }
}

fn digest_of(mut file: &File) -> io::Result<(Digest, u64)> {
    let mut sha256 = crate::oci::Sha256::default();
    io::copy(&mut file, &mut sha256)?;
    Ok(sha256.finish())
}

/// A recipe that came out of a pantry.
#[derive(Debug)]
pub struct Restored {
    /// Its text.
    pub text: String,
    /// Its notation.
    pub syntax: Syntax,
    /// Its lock.
    pub lock: Option<Lock>,
}

/// Puts a recipe of a pantry, its lock and its files into a new, empty folder.
///
/// # Errors
/// See [`PreserveError`].
pub fn restore(
    pantry: &Pantry,
    packed: &Packed,
    folder: &Path,
    scratch: &Path,
    interrupt: &AtomicBool,
) -> Result<Restored, PreserveError> {
    let damaged = |what: &str, why: String| {
        let folder = pantry.name().into();
        PreserveError::Pantry(PantryError::Damaged { folder, what: what.to_owned(), why })
    };
    let text = |descriptor| -> Result<String, PreserveError> {
        let bytes = pantry.read(descriptor)?;
        String::from_utf8(bytes).map_err(|_| damaged(&descriptor.digest.to_string(), "is not UTF-8".to_owned()))
    };
    let recipe = text(&packed.recipe)?;
    let lock = packed.lock.as_ref().map(text).transpose()?;
    let digest = packed.files.digest;
    let path = match pantry.find(digest, interrupt).map_err(failed(pantry.name()))? {
        Found::Sound(path) => path,
        Found::Damaged => return Err(damaged(&digest.to_string(), "has other bytes than its name says".to_owned())),
        Found::Missing => return Err(damaged(&digest.to_string(), "is missing".to_owned())),
    };
    // A plain tar, as `fill` writes it: nothing in it takes more room than it has itself.
    let files =
        archive::open(&path, scratch, &Limits { bytes: 0, ..Limits::default() }, interrupt).map_err(|error| {
            match interrupt.load(Ordering::Relaxed) {
                true => PantryError::Interrupted.into(),
                false => damaged(&digest.to_string(), format!("cannot be unpacked: {}", error.why())),
            }
        })?;
    let sizes = files.members.iter().map(|member| match &member.kind {
        Kind::File { size, .. } => *size,
        _ => 0,
    });
    if sizes.fold(0, u64::saturating_add) > packed.files.size {
        return Err(damaged(&digest.to_string(), "holds more than its own length".to_owned()));
    }
    unpack(&files.members, folder).map_err(failed(folder.display().to_string()))?;
    // What a copy of the whole folder took along stays as it is; a symlink of that name is never followed.
    let write = |name: &str, text: &str| -> Result<(), PreserveError> {
        let path = folder.join(name);
        match File::create_new(&path) {
            Ok(mut file) => file.write_all(text.as_bytes()).map_err(failed(name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let same =
                    || fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).replace("\r\n", "\n") == text);
                match fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) && same() {
                    true => Ok(()),
                    false => Err(damaged(&digest.to_string(), format!("holds another `{name}`"))),
                }
            }
            Err(error) => Err(failed(name)(error)),
        }
    };
    write(&packed.file, &recipe)?;
    if !packed.stamp.is_empty() {
        let kept = build::keep(&packed.stamp, &recipe, lock.as_deref(), digest);
        write(KEPT, &String::from_utf8_lossy(&kept))?;
    }
    let syntax = if packed.file.ends_with(".json") { Syntax::Json } else { Syntax::Toml };
    let parsed = match &lock {
        Some(text) => {
            write(&Path::new(&packed.file).with_extension("lock").display().to_string(), text)?;
            Some(Lock::parse(text).map_err(|mistake| Failure::Recipe(vec![mistake]))?)
        }
        None => None,
    };
    Ok(Restored { text: recipe, syntax, lock: parsed })
}

/// Whether a pantry alone gives the image of one of its recipes: it is planned from nothing else.
///
/// # Errors
/// What is missing or wrong.
pub fn complete(
    pantry: &Pantry,
    packed: &Packed,
    scratch: &Path,
    batch: &Batch,
    interrupt: &AtomicBool,
) -> Result<(), PreserveError> {
    let folder = tempfile::tempdir_in(scratch).map_err(no_scratch(scratch))?;
    let restored = restore(pantry, packed, folder.path(), scratch, interrupt)?;
    let supply = Supply {
        pantries: std::slice::from_ref(pantry),
        store: None,
        reach: Reach::Folder,
        folder: folder.path(),
        shared: None,
        scratch,
        interrupt,
        notice: &|_| {},
    };
    let order = Order {
        text: &restored.text,
        syntax: restored.syntax,
        lock: restored.lock.as_ref(),
        supply,
        source_date_epoch: None,
        batch,
        stamping: Stamping::Any,
    };
    match order.lock.filter(|lock| !lock.expected.is_empty()) {
        None => drop(build::plan(&order, (None, &folder.path().join(OUTPUT)))?),
        Some(lock) => {
            if let Some((expected, found)) = build::difference(&lock.expected, &build::expectation(&order)?) {
                return Err(Failure::Differs { expected, found }.into());
            }
        }
    }
    Ok(())
}
