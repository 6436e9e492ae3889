//! Which statement of the recipe, and which input, made a path of the rebuilt image.

use super::Verdict;
use crate::recipe::{Copy, Extract, From, Span, Statement, Variables};
use crate::tree::{EntryPath, Origin};

/// Who is behind a path, or a field, of the rebuilt image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// The layer's name; none for one of the base.
    pub layer: Option<String>,
    /// Where the statement stands in the recipe.
    pub statement: Option<Span>,
    /// The input that the bytes come from.
    pub input: Option<String>,
}

impl Verdict {
    /// Who is behind a path of a layer; nobody is behind one that only the published image has. Manifest and layer count
    /// from 0, among the rebuilt ones.
    #[must_use]
    pub fn made(&self, manifest: usize, layer: usize, path: &[u8]) -> Made {
        let planned = &self.planned.planned;
        let Some(plan) = self.planned.plan(manifest) else { return Made::default() };
        let base = plan.base.as_ref().map_or(0, |base| base.layers.len());
        let Some(number) = layer.checked_sub(base) else {
            let input = planned.recipe.image.base.as_ref();
            return Made {
                layer: None,
                statement: input.map(|input| input.span),
                input: input.map(|input| input.value.clone()),
            };
        };
        let Some(layer) = plan.layers.get(number) else { return Made::default() };
        let mut made = Made { layer: Some(layer.name.clone()), ..Made::default() };
        // A whiteout stands for the path that it takes away.
        let name = path.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
        if let Some((folder, gone)) = path.split_at_checked(name)
            && let Some(gone) = gone.strip_prefix(b".wh.")
        {
            made.statement = self.removal(manifest, number, &[folder, gone].concat());
            return made;
        }
        let path = EntryPath::parse(path).ok();
        if let Some(entry) = path.as_ref().and_then(|path| layer.tree.get(path)) {
            made.statement = layer.place(entry.origin);
            made.input = self.input(number, entry.origin);
            let users = planned.recipe.users.values().map(|user| user.span).min();
            made.statement = made.statement.or(users.filter(|_| number >= planned.recipe.layers.len()));
        }
        made
    }

    /// The statement that takes a path away.
    fn removal(&self, manifest: usize, layer: usize, path: &[u8]) -> Option<Span> {
        let recipe = &self.planned.planned.recipe;
        let platform = &self.planned.plan(manifest)?.platform;
        let version = recipe.image.version.as_ref().map(|version| version.value.as_str());
        let variables = Variables::new(&recipe.image.name, version, platform);
        let path = EntryPath::parse(path).ok()?;
        recipe.layers.get(layer)?.statements.iter().find_map(|statement| match &statement.value {
            Statement::Remove(remove) => {
                let gone = EntryPath::parse(remove.path.expand(&variables)).ok()?;
                (gone == path).then_some(remove.path.span)
            }
            _ => None,
        })
    }

    /// The input that a statement takes from.
    fn input(&self, layer: usize, origin: Origin) -> Option<String> {
        let layer = self.planned.planned.recipe.layers.get(layer)?;
        let statement = layer.statements.get(usize::try_from(origin.0).ok()?)?;
        match &statement.value {
            Statement::Copy(Copy { from, .. }) | Statement::Extract(Extract { from, .. }) => match &from.value {
                From::Input { input, .. } => Some(input.value.clone()),
                From::Disk(_) => None,
            },
            _ => None,
        }
    }

    /// Where the recipe decides on a field of the config or the manifest, by its JSON pointer.
    #[must_use]
    pub fn field(&self, pointer: &str) -> Option<Span> {
        let recipe = &self.planned.planned.recipe;
        let (config, image) = (&recipe.config, &recipe.image);
        let name = |prefix: &str| pointer.strip_prefix(prefix).map(|name| name.replace("~1", "/").replace("~0", "~"));
        let first = |texts: &Option<Vec<crate::recipe::Spanned<crate::recipe::Template>>>| {
            texts.as_ref().and_then(|texts| texts.first()).map(|text| text.span)
        };
        if let Some(name) = name("/config/Labels/") {
            return config.labels.get(&name).map(|label| label.span);
        }
        if let Some(name) = name("/annotations/") {
            return recipe.annotations.get(&name).map(|text| text.span);
        }
        match pointer.trim_start_matches("/config/").split('/').next().unwrap_or_default() {
            "Entrypoint" => first(&config.entrypoint),
            "Cmd" => first(&config.cmd),
            "User" => config.user.as_ref().map(|user| user.span),
            "WorkingDir" => config.workdir.as_ref().map(|workdir| workdir.span),
            "StopSignal" => config.stop_signal.as_ref().map(|signal| signal.span),
            "ExposedPorts" => config.ports.first().map(|port| port.span),
            "Volumes" => config.volumes.first().map(|volume| volume.span),
            "Env" => config.env.values().next().map(|value| value.span),
            "" if pointer == "/created" => image.created.as_ref().map(|created| created.span),
            _ => None,
        }
    }
}
