//! flake.nix parses, and evaluates with a stand-in for nixpkgs: no network, no build.

use crate::support::{Work, needs, run, tool};
use serde_json::Value;

/// The outputs of the flake at `SRC`, with as much of nixpkgs as it asks for.
const EXPRESSION: &str = r#"
let
  src = SRC;
  flake = import (src + "/flake.nix");
  lib = {
    genAttrs = names: value: builtins.listToAttrs (map (name: { inherit name; value = value name; }) names);
    licenses = { asl20 = "Apache-2.0"; mit = "MIT"; };
  };
  pkgs = {
    inherit lib;
    rustPlatform.buildRustPackage = package: package;
    mkShell = shell: shell;
    clippy = "clippy";
    rustfmt = "rustfmt";
    cargo-deny = "cargo-deny";
    skopeo = "skopeo";
    umoci = "umoci";
  };
  nixpkgs = {
    inherit lib;
    legacyPackages = { x86_64-linux = pkgs; aarch64-linux = pkgs; x86_64-darwin = pkgs; aarch64-darwin = pkgs; };
  };
  self = flake.outputs { inherit self nixpkgs; } // { outPath = "SELF"; };
in
{ inherit (flake) description; inherit (self) packages devShells; }
"#;

#[test]
fn the_flake_evaluates() {
    if !needs(&["nix-instantiate"]) {
        return;
    }
    let work = Work::new();
    let expression = work.write("flake.nix", EXPRESSION.replace("SRC", env!("CARGO_MANIFEST_DIR")));
    let mut nix = tool("nix-instantiate");
    nix.env("NIX_STORE_DIR", work.join("store")).env("NIX_STATE_DIR", work.join("state"));
    nix.env("HOME", work.path());
    let out = run(nix.args(["--eval", "--strict", "--json", "--readonly-mode"]).arg(expression));
    let flake: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    for system in ["x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"] {
        let package = &flake["packages"][system]["default"];
        assert_eq!(package["pname"], "rebake");
        assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(package["src"], "SELF");
        assert_eq!(flake["devShells"][system]["default"]["inputsFrom"][0], *package);
    }
}
