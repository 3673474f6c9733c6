// The Worker as it is built, with a count of what its relays are asked for: GET /counted.
import { WorkerEntrypoint } from "cloudflare:workers";
import Worker, { Relay as Uncounted } from "./worker.mjs";

// Locally, the Worker and its objects share one isolate.
let asked = 0;

export * from "./worker.mjs";

export class Relay {
  constructor(state, env) {
    this.relay = new Uncounted(state, env);
  }

  fetch(request) {
    if (request.method === "GET") asked += 1;
    return this.relay.fetch(request);
  }
}

export default class extends WorkerEntrypoint {
  fetch(request) {
    if (new URL(request.url).pathname === "/counted") return new Response(String(asked));
    return new Worker(this.ctx, this.env).fetch(request);
  }
}
