import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import type { Nodes } from "../src/api";
import { NodePoll, TTL_MS, TTL_MS_MAX, TTL_MS_MIN, URGENT_EVERY_MS } from "../src/nodepoll";

const NODE = { id: "a", url: "http://a.example", up: true };
const settled = () => new Promise((resolve) => setImmediate(resolve));

function poll(answer: Nodes | null | Error) {
  const world = { answer, watched: true, mended: Promise.resolve(), random: 0.5, asked: [] as number[], taken: [] as string[], otherwise: 0 };
  let now_ms = 0;
  const made = new NodePoll({
    ask: async () => {
      world.asked.push(now_ms);
      if (world.answer instanceof Error) throw world.answer;
      return world.answer;
    },
    take: (nodes) => world.taken.push(nodes.map(({ id }) => id).join()),
    otherwise: () => void (world.otherwise += 1),
    failed: () => world.mended,
    watched: () => world.watched,
    now: () => now_ms,
    random: () => world.random,
  });
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 50) {
      now_ms += Math.min(50, left);
      mock.timers.tick(Math.min(50, left));
      await settled();
    }
  };
  return { poll: made, world, pass };
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("the list is asked for as often as the edge says, within bounds, five seconds where it doesn't", async () => {
  for (const [said_ms, every_ms] of [
    [2_000, 2_000],
    [null, TTL_MS],
    [0, TTL_MS_MIN],
    [1e9, TTL_MS_MAX],
  ] as const) {
    const { poll: made, world, pass } = poll({ nodes: [NODE], ttl_ms: said_ms, line: false });
    await made.start();
    assert.deepEqual([world.asked, world.taken], [[0], ["a"]]);
    await pass(every_ms - 50);
    assert.equal(world.asked.length, 1);
    await pass(50);
    assert.deepEqual(world.asked, [0, every_ms]);
    mock.timers.reset();
    mock.timers.enable({ apis: ["setTimeout"] });
  }
});

test("players don't ask all at the same moment", async () => {
  for (const [random, every_ms] of [
    [0, 4_000],
    [1, 6_000],
  ] as const) {
    const { poll: made, world, pass } = poll({ nodes: [], ttl_ms: null, line: false });
    world.random = random;
    await made.start();
    await pass(every_ms);
    assert.deepEqual(world.asked, [0, every_ms]);
  }
});

test("where nobody watches it is asked for seldom", async () => {
  const { poll: made, world, pass } = poll({ nodes: [], ttl_ms: 1_000, line: false });
  world.watched = false;
  await made.start();
  await pass(TTL_MS_MAX - 50);
  assert.equal(world.asked.length, 1);
  await pass(50);
  assert.equal(world.asked.length, 2);
});

test("after a failure it is asked for at once, but however many there are not faster than each second", async () => {
  const { poll: made, world, pass } = poll({ nodes: [NODE], ttl_ms: 30_000, line: false });
  await made.start();
  await pass(3_000);
  for (let n = 0; n < 5; n += 1) made.hurry();
  await pass(50);
  assert.equal(world.asked.length, 2);
  for (let n = 0; n < 40; n += 1) {
    made.hurry();
    await pass(50);
  }
  const gaps = world.asked.slice(1).map((at, n) => at - (world.asked[n] ?? 0));
  assert.ok(gaps.every((gap) => gap >= URGENT_EVERY_MS), String(gaps));
  assert.ok(world.asked.length >= 3);
});

test("a failure while it is being asked for is not forgotten", async () => {
  const { poll: made, world, pass } = poll({ nodes: [NODE], ttl_ms: 30_000, line: false });
  const first = made.start();
  made.hurry();
  await first;
  await pass(URGENT_EVERY_MS + 50);
  assert.equal(world.asked.length, 2);
});

test("an edge that doesn't tell is asked seldom, and failures go another way", async () => {
  const { poll: made, world, pass } = poll(null);
  assert.equal(made.told, true);
  await made.start();
  assert.equal(made.told, false);
  made.hurry();
  await pass(TTL_MS_MAX - 50);
  assert.deepEqual([world.asked.length, world.otherwise, world.taken.length], [1, 1, 0]);
  world.answer = { nodes: [NODE], ttl_ms: null, line: false };
  await pass(50);
  assert.deepEqual([made.told, world.taken], [true, ["a"]]);
});

test("an edge that can't be asked is asked again, once what it failed with is mended", async () => {
  const { poll: made, world, pass } = poll(new Error("503"));
  await made.start();
  await pass(TTL_MS);
  assert.equal(world.asked.length, 2);
  let mend!: () => void;
  world.mended = new Promise((resolve) => (mend = resolve));
  await pass(TTL_MS);
  await pass(2 * TTL_MS_MAX);
  assert.equal(world.asked.length, 3);
  mend();
  await pass(TTL_MS + 50);
  assert.equal(world.asked.length, 4);
});
