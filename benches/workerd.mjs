// The Worker on workerd by miniflare, for `cargo xtask bench worker`: starts it, prints where it listens and the process
// that runs it, and ends when its standard input does. Arguments: the bundle's folder, then NAME=VALUE for its variables.
//
// `wrangler dev` puts a proxy of its own before the Worker, which would be most of what is measured.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [bundle, modules, configuration, ...variables] = process.argv.slice(2);
const require = createRequire(join(modules, "x.js"));
const { Miniflare, convertV4MiniflareOptions } = require("miniflare");

// Its comments stand on lines of their own.
const lines = readFileSync(configuration, "utf8").split("\n");
const config = JSON.parse(lines.filter((line) => !line.trim().startsWith("//")).join("\n"));
const objects = {};
for (const { name, class_name } of config.durable_objects.bindings) {
  objects[name] = { className: class_name, useSQLite: true };
}
const module = (type, name) => ({ type, path: join(bundle, name) });
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    workers: [
      {
        name: config.name,
        modulesRoot: bundle,
        modules: [module("ESModule", "index.js"), module("CompiledWasm", "index_bg.wasm")],
        compatibilityDate: config.compatibility_date,
        durableObjects: objects,
        bindings: Object.fromEntries(variables.map((text) => text.split(/=(.*)/s).slice(0, 2))),
      },
    ],
  }),
);
const url = await miniflare.ready;
console.log(`ready ${url.host}`);
process.stdin.resume();
process.stdin.on("end", async () => {
  await miniflare.dispose();
  process.exit(0);
});
