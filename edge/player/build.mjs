// Bundles the player into dist/, the root of the static files: dist/assets/app.js is served at /assets/app.js.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

const assets = "dist/assets";
await rm("dist", { recursive: true, force: true });
await mkdir(assets, { recursive: true });
await build({
  entryPoints: { app: "src/main.ts", "app-style": "src/app.css" },
  outdir: assets,
  entryNames: "[name]",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022", "safari16.4"],
  legalComments: "linked",
  logLevel: "warning",
});
await copyFile(`${assets}/app-style.css`, `${assets}/app.css`);
await rm(`${assets}/app-style.css`);
await copyFile("static/favicon.svg", `${assets}/favicon.svg`);
// hls.js demuxes and decrypts in this worker; it must be the same version as the one in the bundle.
await copyFile("node_modules/hls.js/dist/hls.worker.js", `${assets}/hls.worker.js`);
await copyFile("node_modules/hls.js/LICENSE", `${assets}/hls.LICENSE.txt`);
