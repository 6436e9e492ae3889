//! Who owns an entry: names become numbers, as the recipe and the image's own `/etc/passwd` say.

use crate::recipe::{Diagnostic, Owner, Principal, Recipe, Spanned};
use crate::source::lower::Lower;

/// A line of `/etc/passwd` or `/etc/group` (passwd(5), group(5)): its first field, and the numbers in its third and
/// fourth.
pub fn find(accounts: Option<&[u8]>, name: &str) -> Option<(u32, Option<u32>)> {
    accounts?.split(|&b| b == b'\n').find_map(|line| {
        let mut fields = line.split(|&b| b == b':');
        if fields.next()? != name.as_bytes() {
            return None;
        }
        let mut number = |n| std::str::from_utf8(fields.nth(n)?).ok()?.trim().parse().ok();
        Some((number(1)?, number(0)))
    })
}

/// The numbers of an owner. A user given by number alone has the group of the same number, as docker's `--chown` does.
///
/// # Errors
/// If a name is in neither the recipe's `[users]` nor `passwd` or `group`.
pub fn resolve<P>(
    owner: &Spanned<Owner>,
    recipe: &Recipe<P>,
    passwd: Option<&[u8]>,
    group: Option<&[u8]>,
) -> Result<(u64, u64), Diagnostic> {
    let (uid, own_gid) = match &owner.user {
        Principal::Id(id) => (*id, *id),
        Principal::Name(name) => {
            let (uid, gid) = match recipe.users.get(name) {
                // A user that the image already has keeps its group.
                Some(user) => {
                    let there = || find(passwd, name).and_then(|(_, gid)| gid);
                    (user.uid.value, user.gid.as_ref().map(|gid| gid.value).or_else(there))
                }
                None if name == "root" => (0, Some(0)),
                None => find(passwd, name).ok_or_else(|| unknown(owner, "user", name, "/etc/passwd"))?,
            };
            (uid, gid.unwrap_or(uid))
        }
    };
    let gid = match &owner.group {
        None => own_gid,
        Some(Principal::Id(id)) => *id,
        Some(Principal::Name(name)) => match recipe.users.get(name) {
            Some(user) => user.gid.as_ref().map_or(user.uid.value, |gid| gid.value),
            None if name == "root" => 0,
            None => find(group, name).ok_or_else(|| unknown(owner, "group", name, "/etc/group"))?.0,
        },
    };
    Ok((uid.into(), gid.into()))
}

fn unknown(owner: &Spanned<Owner>, what: &str, name: &str, file: &str) -> Diagnostic {
    Diagnostic::at(owner.span, format!("there is no {what} `{name}`"))
        .label(format!("neither in [users] nor in the {file} of the base or an earlier layer"))
        .help(format!("add [users.{name}] with its uid, or write a number"))
}

/// `config.user` must be somebody, or no container starts.
pub fn check_user<P>(recipe: &Recipe<P>, lower: &Lower, mistakes: &mut Vec<Diagnostic>) {
    let Some(user) = &recipe.config.user else { return };
    let missing = |principal: &Principal, accounts: Option<&[u8]>| match principal {
        Principal::Name(name) => !recipe.users.contains_key(name) && find(accounts, name).is_none(),
        Principal::Id(_) => false,
    };
    for (principal, accounts, what, file) in [
        (Some(&user.user), lower.passwd.as_deref(), "user", "/etc/passwd"),
        (user.group.as_ref(), lower.group.as_deref(), "group", "/etc/group"),
    ] {
        if let Some(principal @ Principal::Name(name)) = principal
            && missing(principal, accounts)
        {
            mistakes.push(
                Diagnostic::at(user.span, format!("the image has no {what} `{name}`"))
                    .label(format!("neither in [users] nor in the image's {file}: no container could start"))
                    .help(format!("add [users.{name}] with its uid, or write a number")),
            );
        }
    }
}
