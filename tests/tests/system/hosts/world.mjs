// The Worker in several data centres of several regions, under workerd: its objects live in one place, and count what
// reaches them. Arguments: the bundle's folder, node_modules, wrangler.jsonc, then NAME=VALUE for the Worker's variables.
// Prints where it listens; ends when its standard input does.
//
// A data centre is the same bundle in an isolate of its own, without the Cache API, so that nothing is kept near a viewer but in
// that isolate's memory. The door before them takes the place of Cloudflare's network: by a header it chooses the data
// centre and says the continent. GET /counted answers how many requests each object had, by its name and the method; POST /spoil
// says how those do whose name begins so: ?name=relay+weur/&how=fails, silent, absent (it knows of no value) or well.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const DATA_CENTRES = 3;

const [bundle, modules, configuration, ...variables] = process.argv.slice(2);
const require = createRequire(join(modules, "x.js"));
const { Miniflare, convertV4MiniflareOptions } = require("miniflare");

const DOOR = `
  const CONTINENTS = ["AF", "AS", "EU", "NA", "OC", "SA"];
  export default {
    fetch(request, env) {
      if (["/counted", "/spoil"].includes(new URL(request.url).pathname)) return env.HOME.fetch(request);
      const place = Number(request.headers.get("test-place") ?? 0);
      const cf = { continent: CONTINENTS[place % CONTINENTS.length], longitude: "0" };
      return env["PLACE" + (place % ${DATA_CENTRES})].fetch(new Request(request, { cf }));
    },
  };`;

const COUNTED = `
  import * as edge from "./index.js";
  const counts = {};
  const spoilt = new Map();
  const absent = { status: 404, headers: { "railbird-version": "1", "railbird-age": "0" } };
  const counted = (Class) => class {
    constructor(state, env) {
      this.name = Class.name + " " + state.id.name;
      this.inner = new Class.of(state, env);
    }
    async fetch(request) {
      const of = (counts[this.name] ??= {});
      of[request.method] = (of[request.method] ?? 0) + 1;
      switch ([...spoilt].find(([name]) => this.name.startsWith(name))?.[1]) {
        case "fails": throw new Error("spoilt");
        case "silent": await scheduler.wait(600_000); break;
        case "absent": return new Response(null, absent);
      }
      return this.inner.fetch(request);
    }
    alarm() {
      return this.inner.alarm();
    }
  };
  export const Cell = counted({ name: "cell", of: edge.Cell });
  export const Relay = counted({ name: "relay", of: edge.Relay });
  export const Lines = counted({ name: "lines", of: edge.Lines });
  export const { Index, Prober } = edge;
  export default {
    fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/spoil") spoilt.set(searchParams.get("name"), searchParams.get("how"));
      return Response.json(counts);
    },
  };`;

// Its comments stand on lines of their own.
const lines = readFileSync(configuration, "utf8").split("\n");
const config = JSON.parse(lines.filter((line) => !line.trim().startsWith("//")).join("\n"));
const text = (path, contents) => ({ type: "ESModule", path: join(bundle, path), contents });
const file = (type, name) => ({ type, path: join(bundle, name) });
const edge = [file("ESModule", "index.js"), file("CompiledWasm", "index_bg.wasm")];
const bindings = Object.fromEntries(variables.map((text) => text.split(/=(.*)/s).slice(0, 2)));
const worker = (name, modules, scriptName) => ({
  name,
  modulesRoot: bundle,
  modules,
  compatibilityDate: config.compatibility_date,
  cacheAPI: false,
  bindings,
  durableObjects: Object.fromEntries(
    config.durable_objects.bindings.map(({ name, class_name }) => [
      name,
      { className: class_name, useSQLite: true, ...(scriptName && { scriptName }) },
    ]),
  ),
});
const names = Array.from({ length: DATA_CENTRES }, (_, n) => `place-${n}`);
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    workers: [
      {
        name: "door",
        modulesRoot: bundle,
        modules: [text("door.js", DOOR)],
        // miniflare's own entry, before all Workers, is no part of what is tested.
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
        compatibilityDate: config.compatibility_date,
        serviceBindings: Object.fromEntries([["HOME", "home"], ...names.map((name, n) => [`PLACE${n}`, name])]),
      },
      worker("home", [text("counted.js", COUNTED), ...edge]),
      ...names.map((name) => worker(name, edge, "home")),
    ],
  }),
);
await miniflare.ready;
const url = await miniflare.unsafeGetDirectURL("door");
console.log(`ready ${url.host}`);
process.stdin.resume();
process.stdin.on("end", async () => {
  await miniflare.dispose();
  process.exit(0);
});
