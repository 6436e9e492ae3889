{
  description = "rebake: container images you can bake again, byte for byte";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      manifest = builtins.fromTOML (builtins.readFile ./Cargo.toml);
      each = nixpkgs.lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
    in
    {
      packages = each (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        rec {
          default = rebake;
          rebake = pkgs.rustPlatform.buildRustPackage {
            pname = manifest.package.name;
            version = manifest.package.version;
            src = self;
            cargoLock.lockFile = ./Cargo.lock;
            # The tests start containers as root: `tests/run` has them, not the sandbox of a build.
            doCheck = false;
            meta = {
              description = manifest.package.description;
              license = [
                pkgs.lib.licenses.asl20
                pkgs.lib.licenses.mit
              ];
              mainProgram = "rebake";
            };
          };
        }
      );

      devShells = each (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        {
          default = pkgs.mkShell {
            inputsFrom = [ self.packages.${system}.rebake ];
            packages = [
              pkgs.clippy
              pkgs.rustfmt
              pkgs.cargo-deny
              pkgs.skopeo
              pkgs.umoci
            ];
          };
        }
      );
    };
}
