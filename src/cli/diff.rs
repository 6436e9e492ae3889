//! `rebake diff`.

use super::differences::{json, text};
use super::inspect::told;
use super::report::Report;
use super::world::{Sources, World};
use super::{env::Env, images, print};
use rebake::diff::{Context, Limits, Rung, Side, Stored, compare};
use rebake::oci::Platform;
use rebake::transport::{Access, Image, Source};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG][@DIGEST] or a layout's folder
    a: String,
    /// The other image
    b: String,
    /// Compare one platform of several
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Say which files differ, and not in what
    #[arg(long)]
    no_content: bool,
    /// Let registries be asked without TLS, or with a certificate that nobody vouches for
    #[arg(long)]
    insecure: bool,
}

pub fn run(arguments: &Arguments, env: &Env, report: &Report) -> ExitCode {
    diff(arguments, env, report).unwrap_or_else(|message| report.failure(&message))
}

fn diff(arguments: &Arguments, env: &Env, report: &Report) -> Result<ExitCode, String> {
    let (a, b) = (images::image(&arguments.a)?, images::image(&arguments.b)?);
    let world = World::new(&Sources::online(arguments.insecure), env, report)?;
    let access = world.access();
    let open = |name| Source::open(name, &access).map_err(|error| told(&error));
    let (a, b) = (open(&a)?, open(&b)?);
    let (left, right) = (read(&a)?, read(&b)?);
    let limits = Limits { files: if arguments.no_content { 0 } else { Limits::default().files }, ..Limits::default() };
    let Access { scratch, interrupt, .. } = access;
    let context = Context { scratch, interrupt, platform: arguments.platform.as_ref(), prove: false, limits };
    let (x, y) = (Stored { source: &a, image: &left }, Stored { source: &b, image: &right });
    let (x, y) = (Side { image: &left, layers: &x }, Side { image: &right, layers: &y });
    let differences = compare(&x, &y, &context).map_err(|error| error.to_string())?;
    let names = (a.name.to_string(), b.name.to_string());
    if report.json() {
        report.document(&json((&names.0, &names.1), &differences));
    } else {
        print(report, text((&names.0, &names.1), &differences).as_bytes());
    }
    Ok(ExitCode::from(u8::from(differences.rung() != Rung::Identical)))
}

fn read(source: &Source) -> Result<Image, String> {
    source.image().map_err(|error| told(&error))
}
