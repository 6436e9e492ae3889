//! `[users]`: lines added to the `/etc/passwd` and `/etc/group` that the image already has, as a layer of its own on top.

use super::owners::find;
use crate::recipe::{Diagnostic, Recipe, Spanned, User};
use crate::source::Content;
use crate::source::lower::{Below, Lower, Standing};
use crate::tree::{Attributes, Entry, EntryPath, Firmness, Kind, Origin, Tree};

/// The layer that adds the recipe's users; none if all are there already.
///
/// # Errors
/// A user whose name or number the image already has for another one.
pub fn layer<P>(recipe: &Recipe<P>, lower: &Lower, mtime: i64) -> Result<Option<Tree<Content>>, Vec<Diagnostic>> {
    if recipe.users.is_empty() {
        return Ok(None);
    }
    let mut mistakes = Vec::new();
    let mut passwd = Accounts::of(lower.passwd.as_deref(), "root:x:0:0:root:/root:/sbin/nologin\n");
    let mut group = Accounts::of(lower.group.as_deref(), "root:x:0:\n");
    if recipe.users.contains_key("root") {
        // The recipe's own word counts where the image has none.
        passwd = Accounts::of(lower.passwd.as_deref(), "");
    }
    for (name, user) in &recipe.users {
        let said = lower.passwd.as_deref();
        let there = find(said, name);
        let uid = user.uid.value;
        let gid = user.gid.as_ref().map(|gid| gid.value).or(there.and_then(|(_, gid)| gid)).unwrap_or(uid);
        if let Some((there, its_gid)) = there {
            if there != uid {
                mistakes.push(taken(user, format!("the image already has a user `{name}`, with the uid {there}")));
            } else if let Some(its_gid) = its_gid.filter(|its_gid| *its_gid != gid) {
                mistakes.push(taken(user, format!("the image already has a user `{name}`, with the gid {its_gid}")));
            }
        } else if let Some(other) = said.and_then(|passwd| name_of(passwd, uid)) {
            mistakes.push(taken(user, format!("the image already has the uid {uid}: it is `{other}`")));
        } else {
            let User { comment, home, shell, .. } = &user.value;
            passwd.add(&format!("{name}:x:{uid}:{gid}:{comment}:{home}:{shell}\n"));
        }
        if name_of(&group.text, gid).is_none() {
            match find(Some(&group.text), name) {
                Some((there, _)) => mistakes.push(taken(
                    user,
                    format!("the image already has a group `{name}`, with the gid {there}; `{name}` is to have {gid}"),
                )),
                None => group.add(&format!("{name}:x:{gid}:\n")),
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut tree = Tree::default();
    for (path, accounts) in [("etc/passwd", passwd), ("etc/group", group)] {
        if accounts.changed {
            put(&mut tree, lower, path, accounts.text, mtime).map_err(|error| {
                let place = recipe.users.values().next().map_or_else(Default::default, |user| user.span);
                vec![Diagnostic::at(place, error)]
            })?;
        }
    }
    Ok((!tree.is_empty()).then_some(tree))
}

struct Accounts {
    text: Vec<u8>,
    changed: bool,
}

impl Accounts {
    fn of(there: Option<&[u8]>, fresh: &str) -> Self {
        Self { text: there.unwrap_or(fresh.as_bytes()).to_vec(), changed: false }
    }

    fn add(&mut self, line: &str) {
        if !self.text.is_empty() && !self.text.ends_with(b"\n") {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(line.as_bytes());
        self.changed = true;
    }
}

/// The name that has a number in the third field.
fn name_of(accounts: &[u8], id: u32) -> Option<String> {
    accounts.split(|&b| b == b'\n').find_map(|line| {
        let mut fields = line.split(|&b| b == b':');
        let name = fields.next()?;
        let number: u32 = std::str::from_utf8(fields.nth(1)?).ok()?.trim().parse().ok()?;
        (number == id).then(|| String::from_utf8_lossy(name).into_owned())
    })
}

fn taken(user: &Spanned<User>, message: String) -> Diagnostic {
    Diagnostic::at(user.value.uid.span, message).help("choose another name and number, or leave the user to the image")
}

/// Puts a file and its folders into the layer; what the image has of them keeps its mode, owner and time.
fn put(tree: &mut Tree<Content>, lower: &Lower, path: &str, text: Vec<u8>, mtime: i64) -> Result<(), String> {
    let path = EntryPath::parse(path).map_err(|error| error.to_string())?;
    let parent = path.parent();
    let fresh = |mode| Attributes { mode, mtime, ..Attributes::default() };
    for (path, kind, mode) in [
        (parent.as_ref(), Kind::Directory, 0o755),
        (Some(&path), Kind::File { size: text.len() as u64, content: Content::Text(text.into()), link: None }, 0o644),
    ] {
        let Some(path) = path else { continue };
        let standing = lower.get(path);
        let fits = |standing: &Standing| (standing.kind == Below::Directory) == (kind == Kind::Directory);
        if standing.is_some_and(|standing| !fits(standing) && !matches!(standing.kind, Below::Symlink(_))) {
            return Err(format!("{path} of the image is not {}, so no users can be added", kind.noun()));
        }
        if standing.is_some_and(|standing| matches!(standing.kind, Below::Symlink(_))) {
            return Err(format!("{path} of the image is a symlink, and [users] can only be added to the real one"));
        }
        let attributes = match standing {
            Some(standing) if kind == Kind::Directory => standing.attributes.clone(),
            Some(standing) => Attributes { mtime, ..standing.attributes.clone() },
            None => fresh(mode),
        };
        let entry = Entry { attributes, kind, firmness: Firmness::Stated, origin: Origin(u32::MAX) };
        tree.insert(path.clone(), entry).map_err(|conflict| conflict.difference.to_string())?;
    }
    Ok(())
}
