import assert from "node:assert/strict";
import { test } from "node:test";
import { BURST_BYTES, Extra } from "../src/extra";
import { NodeBook } from "../src/nodes";
import { OWN_MIN, Patience, PATIENCE_MS, PATIENCE_MS_MIN } from "../src/patience";
import {
  type Answer,
  BUFFER_SHARE_MAX,
  GIVE_UP_MS,
  type Input,
  LOOK_MS,
  NODES_PER_SEGMENT_MAX,
  PAUSE_MS,
  Race,
  RACE_MS_MAX,
  REST_MS_MAX,
  ROUNDS_MAX,
  SILENCE_MS_MAX,
  STALL_MS_MAX,
} from "../src/race";

const SIZE = 1_000_000;
const NAME = "table-1/source/1-0.m4s";

/** What a node does from when it is asked: inputs after so many milliseconds. */
type Node = (request: number) => { after_ms: number; input: Input }[];

const DRIP_MS = 20;

/** Answers after a while, and its body comes at a rate; with `until`, no further than there. */
const sends =
  (first_ms: number, bytes_per_ms: number, until = SIZE): Node =>
  (request) => {
    const inputs: { after_ms: number; input: Input }[] = [
      { after_ms: first_ms, input: { what: "first", request, total: SIZE } },
    ];
    for (let after_ms = first_ms, loaded = 0; loaded < until; ) {
      after_ms += DRIP_MS;
      loaded = Math.min(until, loaded + bytes_per_ms * DRIP_MS);
      inputs.push({ after_ms, input: { what: "bytes", request, loaded } });
      if (loaded === SIZE) inputs.push({ after_ms, input: { what: "whole", request } });
    }
    return inputs;
  };
const well = sends(20, 10_000);
const blackHole: Node = () => [];
const fails =
  (status: number, after_ms = 5): Node =>
  (request) => [{ after_ms, input: { what: "failed", request, status } }];
/** The connection ends early. */
const truncates: Node = (request) => [
  ...sends(20, 10_000, SIZE / 2)(request),
  { after_ms: 200, input: { what: "failed", request, status: 0 } },
];

/** A viewer's world: nodes that behave, and segments asked one after the other on one clock. */
class World {
  now_ms = 10_000;
  ahead_ms = 6_000;
  readonly book = new NodeBook();
  readonly patience = new Patience();
  readonly extra = new Extra();
  readonly answers: Answer[] = [];
  #nodes: Record<string, Node>;

  constructor(nodes: Record<string, Node>, experience_ms: number | null = 20) {
    this.#nodes = nodes;
    this.book.update(Object.keys(nodes).map((id) => ({ id, url: `http://${id}.example`, up: true })));
    for (const id of Object.keys(nodes)) {
      for (let n = 0; n < OWN_MIN && experience_ms !== null; n += 1) this.patience.learn(id, experience_ms);
    }
  }

  become(id: string, node: Node): void {
    this.#nodes[id] = node;
  }

  /** One segment: who was asked when and why, how it ended and when, from its beginning on. */
  segment(until_ms = Number.POSITIVE_INFINITY): { asked: string[]; end: string; took_ms: number } {
    const began_ms = this.now_ms;
    const race = new Race(
      {
        book: this.book,
        patience: this.patience,
        extra: this.extra,
        ahead_ms: () => Math.max(0, this.ahead_ms - (this.now_ms - began_ms)),
        random: () => 0.5,
        answered: (answer) => this.answers.push(answer),
      },
      { name: NAME, url: `http://a.example/${NAME}` },
      began_ms,
    );
    const asked: string[] = [];
    const running = new Map<number, string>();
    let queue: { at_ms: number; input: Input }[] = [];
    const took = () => this.now_ms - began_ms;
    for (;;) {
      for (let step = race.poll(this.now_ms); step !== null; step = race.poll(this.now_ms)) {
        if (step.what === "ask") {
          const id = step.place.node ?? "?";
          assert.ok(![...running.values()].includes(id), `${id} is asked twice at a time`);
          running.set(step.request, id);
          asked.push(`${id} ${step.why ?? "-"} ${took()}`);
          const inputs = (this.#nodes[id] ?? blackHole)(step.request);
          queue.push(...inputs.map(({ after_ms, input }) => ({ at_ms: this.now_ms + after_ms, input })));
        } else if (step.what === "drop") {
          running.delete(step.request);
        } else {
          const end = step.what === "won" ? `won ${running.get(step.request)}` : `lost ${step.status}`;
          if (step.what === "won") assert.deepEqual([...running.keys()], [step.request], "others run on");
          assert.equal(race.due(this.now_ms), null);
          assert.equal(race.poll(this.now_ms), null);
          return { asked, end, took_ms: took() };
        }
      }
      queue = queue.filter(({ input }) => running.has(input.request)).sort((a, b) => a.at_ms - b.at_ms);
      const due_ms = race.due(this.now_ms);
      assert.ok(due_ms !== null && due_ms > this.now_ms, "it waits for something that is to come");
      if (queue[0] !== undefined && queue[0].at_ms <= due_ms) {
        const next = queue.shift();
        if (next === undefined) continue;
        this.now_ms = next.at_ms;
        if (next.input.what === "failed") running.delete(next.input.request);
        race.handle(next.input, this.now_ms);
      } else this.now_ms = due_ms;
      if (took() >= until_ms) {
        race.abandon(this.now_ms);
        assert.equal(race.poll(this.now_ms), null);
        assert.equal(race.due(this.now_ms), null);
        return { asked, end: "abandoned", took_ms: took() };
      }
    }
  }
}

test("a node that is well is asked alone", () => {
  const world = new World({ a: well, b: well });
  const { asked, end } = world.segment();
  assert.deepEqual([asked, end], [["a - 0"], "won a"]);
  assert.deepEqual(world.extra.total, { media: SIZE, extra: 0 });
});

test("a refused connection and an error status are answered by the next node at once", () => {
  for (const status of [0, 503, 500, 429]) {
    const world = new World({ a: fails(status), b: well });
    const { asked, end } = world.segment();
    assert.deepEqual([asked, end], [["a - 0", "b failed 5"], "won b"]);
    assert.ok(world.book.penalised("a", world.now_ms));
    assert.deepEqual(world.answers.map(({ place, right, status }) => [place.node, right, status]), [
      ["a", false, status],
      ["b", true, 200],
    ]);
    // The next segment begins where it went well.
    assert.deepEqual(world.segment().asked, ["b - 0"]);
  }
});

test("a missing object moves on without blaming the node", () => {
  for (const status of [404, 410]) {
    const world = new World({ a: fails(status), b: well });
    assert.equal(world.segment().end, "won b");
    assert.equal(world.book.penalised("a", world.now_ms), false);
  }
});

test("a node that is later than it is in 95 of 100 cases is joined by a second, and the first whole answer wins", () => {
  const world = new World({ a: sends(400, 10_000), b: well }, 300);
  const { asked, end, took_ms } = world.segment();
  assert.deepEqual([asked, end], [["a - 0", "b late 300"], "won b"]);
  assert.ok(took_ms < 300 + 200, String(took_ms));
  // What came of a is extra.
  const { extra } = world.extra.total;
  assert.ok(extra > 0 && extra < SIZE, String(extra));
  // It had begun to send: being outrun so is no fault.
  assert.equal(world.book.penalised("a", world.now_ms), false);
  const slower = new World({ a: sends(320, 10_000), b: sends(400, 10_000) }, 300);
  assert.equal(slower.segment().end, "won a");
});

test("without experience the wait is a sane one", () => {
  const world = new World({ a: blackHole, b: well }, null);
  assert.deepEqual(world.segment().asked, ["a - 0", `b late ${PATIENCE_MS}`]);
});

test("a black hole costs a short wait, comes last after it swallowed two segments, and costs no byte", () => {
  const world = new World({ a: blackHole, b: well });
  for (let n = 0; n < 2; n += 1) {
    assert.equal(world.book.penalised("a", world.now_ms), false);
    assert.deepEqual(world.segment().asked, ["a - 0", `b late ${PATIENCE_MS_MIN}`]);
  }
  assert.deepEqual(world.segment().asked, ["b - 0"]);
  assert.equal(world.extra.total.extra, 0);
  // The second time it counts as a failure.
  assert.deepEqual(world.answers.map(({ place, status }) => [place.node, status]), [["b", 200], ["a", null], ["b", 200], ["b", 200]]);
});

test("a body that stands still is joined by a second node", () => {
  const world = new World({ a: sends(20, 10_000, SIZE / 4), b: well });
  const { asked, end } = world.segment();
  const stood_ms = 20 + Math.ceil(SIZE / 4 / 10_000 / DRIP_MS) * DRIP_MS;
  assert.deepEqual([asked, end], [["a - 0", `b stalled ${stood_ms + STALL_MS_MAX}`], "won b"]);
  assert.ok(world.book.penalised("a", world.now_ms));
  assert.equal(world.extra.total.extra, SIZE / 4);
  assert.deepEqual(world.answers.map(({ right, status }) => [right, status]), [[false, null], [true, 200]]);
});

test("a body slowed to a tenth is joined by a second node before the buffer is out", () => {
  // Two seconds of media in twenty.
  const world = new World({ a: sends(20, SIZE / 20_000), b: well });
  const { asked, end, took_ms } = world.segment();
  assert.equal(end, "won b");
  assert.deepEqual(asked, ["a - 0", `b slow ${20 + LOOK_MS}`]);
  assert.ok(took_ms < world.ahead_ms * BUFFER_SHARE_MAX);
  assert.ok(world.book.penalised("a", world.now_ms));
  const { extra } = world.extra.total;
  assert.ok(extra > 0 && extra < SIZE / 20, String(extra));
});

test("a body that comes in time for the buffer is left alone, however slow", () => {
  const world = new World({ a: sends(20, SIZE / 2_500), b: well });
  assert.deepEqual(world.segment().asked, ["a - 0"]);
  // With nothing buffered yet, what will take a while is slow.
  const start = new World({ a: sends(20, SIZE / (LOOK_MS + 2 * REST_MS_MAX)), b: well });
  start.ahead_ms = 0;
  assert.deepEqual(start.segment().asked, ["a - 0", `b slow ${20 + LOOK_MS}`]);
});

test("a body that breaks off is asked of the next node, and what had come is extra", () => {
  const world = new World({ a: truncates, b: well });
  const { asked, end } = world.segment();
  assert.deepEqual([asked, end], [["a - 0", "b failed 200"], "won b"]);
  assert.equal(world.extra.total.extra, SIZE / 2);
  assert.ok(world.book.penalised("a", world.now_ms));
});

test("three nodes at most are asked for a segment, none of them twice at a time", () => {
  const world = new World({ a: blackHole, b: blackHole, c: blackHole, d: well });
  const { asked, end } = world.segment();
  assert.equal(new Set(asked.map((text) => text[0])).size, NODES_PER_SEGMENT_MAX);
  assert.equal(asked.length, NODES_PER_SEGMENT_MAX * ROUNDS_MAX);
  assert.match(end, /^lost/);
});

test("when all nodes are dead, hls.js hears of it after two rounds, at a bounded time, with the last reason", () => {
  const refused = new World({ a: fails(0), b: fails(404) }).segment();
  const pause_ms = 5 + 5 + 1.5 * PAUSE_MS;
  assert.deepEqual(refused.asked, ["a - 0", "b failed 5", `b - ${pause_ms}`, `a failed ${pause_ms + 5}`]);
  assert.deepEqual([refused.end, refused.took_ms], ["lost 0", pause_ms + 10]);

  const silent = new World({ a: blackHole, b: blackHole }).segment();
  assert.equal(silent.end, "lost null");
  assert.ok(silent.took_ms <= 2 * (GIVE_UP_MS + 2 * SILENCE_MS_MAX), String(silent.took_ms));

  // One byte now and then keeps a node from being given up, but not for ever.
  const drops: Node = (request) => {
    const bytes = (n: number) => ({ after_ms: 900 * (n + 1), input: { what: "bytes", request, loaded: n + 1 } as const });
    return [{ after_ms: 0, input: { what: "first", request, total: SIZE } }, ...Array.from({ length: 50 }, (_, n) => bytes(n))];
  };
  const endless = new World({ a: drops, b: drops, c: drops }).segment();
  assert.deepEqual([endless.end, endless.took_ms], ["lost null", RACE_MS_MAX]);

  const alone = new World({ a: blackHole }).segment();
  assert.deepEqual([alone.end, alone.asked.length], ["lost null", ROUNDS_MAX]);
});

test("without any node it ends at once", () => {
  const world = new World({});
  const race = new Race(
    { book: world.book, patience: world.patience, extra: world.extra, ahead_ms: () => 0, random: () => 0, answered: () => {} },
    { name: NAME, url: null },
    0,
  );
  assert.deepEqual(race.poll(0), { what: "lost", status: 0 });
});

test("a second node that fails is followed by a third while the first is still waited for", () => {
  const world = new World({ a: blackHole, b: fails(503), c: well });
  const { asked, end } = world.segment();
  assert.deepEqual(asked, ["a - 0", `b late ${PATIENCE_MS_MIN}`, `c failed ${PATIENCE_MS_MIN + 5}`]);
  assert.equal(end, "won c");
});

test("with no byte to spare, a late or slow node is waited for; a silent, still or failed one is not", () => {
  const poor = (nodes: Record<string, Node>) => {
    const world = new World(nodes);
    world.extra.spend(BURST_BYTES, world.now_ms);
    return world.segment();
  };
  assert.deepEqual(poor({ a: sends(400, 10_000), b: well }).asked, ["a - 0"]);
  assert.deepEqual(poor({ a: sends(20, SIZE / 10_000), b: well }).asked, ["a - 0"]);
  assert.deepEqual(poor({ a: blackHole, b: well }).asked, ["a - 0", `b stalled ${SILENCE_MS_MAX}`]);
  assert.equal(poor({ a: sends(20, 10_000, SIZE / 4), b: well }).end, "won b");
  assert.deepEqual(poor({ a: fails(0), b: well }).asked, ["a - 0", "b failed 5"]);
});

test("bytes that are held for a second answer are given back when it cost less", () => {
  const world = new World({ a: blackHole, b: well });
  for (let n = 0; n < 50; n += 1) {
    assert.equal(world.segment().end, "won b");
    world.now_ms += 2_000;
  }
  assert.equal(world.extra.hold(BURST_BYTES, world.now_ms), true);
});

test("an hour with a node that is slowed to a tenth costs less than two per cent of extra bytes", () => {
  const world = new World({ a: sends(20, SIZE / 20_000), b: well });
  for (let n = 0; n < 1_800; n += 1) {
    const { end, took_ms } = world.segment();
    assert.equal(end, "won b");
    assert.ok(took_ms < 1_000);
    world.now_ms += Math.max(0, 2_000 - took_ms);
  }
  const { media, extra } = world.extra.total;
  assert.ok(extra < 0.02 * media, `${extra} of ${media}`);
});

test("abandoning ends everything; what came twice is extra, what came once is not", () => {
  const one = new World({ a: sends(20, 100), b: well });
  assert.equal(one.segment(200).end, "abandoned");
  assert.equal(one.extra.total.extra, 0);
  const two = new World({ a: sends(200, 100), b: sends(20, 100) });
  const { asked, end } = two.segment(300);
  assert.deepEqual([asked.length, end], [2, "abandoned"]);
  const { extra } = two.extra.total;
  assert.ok(extra > 0 && extra <= 100 * 100, String(extra));
});

test("nodes that become known while one fails are asked too", () => {
  const world = new World({ a: fails(0), b: fails(0), c: well });
  const [a, b, c] = world.book.nodes as [never, never, never];
  world.book.update([a, b]);
  world.become("b", (request) => {
    world.book.update([a, b, c]);
    return fails(0)(request);
  });
  assert.equal(world.segment().end, "won c");
});
