import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../src/api";
import { parseScore, ScoreLog, type ScoreDocument } from "../src/score";
import { ScoreFeed, type News } from "../src/scorefeed";

function json(match: string, seqs: number[], revision = seqs.at(-1) ?? 0): Record<string, unknown> {
  const side = { points: 1 };
  const entries = seqs.map((seq) => ({ seq, at: seq * 90_000, state: { phase: "playing", inning: 1, at_table: 0, winner: null, sides: [side, side] } }));
  return { match, revision, title: "Final", discipline: "three-cushion", target: 40, sides: [{ name: "A" }, { name: "B" }], entries };
}
const document = (match: string, seqs: number[], revision?: number): ScoreDocument =>
  parseScore(json(match, seqs, revision)) ?? assert.fail();

class Fake implements News {
  onmessage: News["onmessage"] = null;
  onerror: News["onerror"] = null;
  #closed = false;
  constructor(readonly after: number | null) {}
  closed(): boolean {
    return this.#closed;
  }
  close(): void {
    this.#closed = true;
  }
}

/** A feed whose surroundings are told what to answer, and whose time goes by when a test says so. */
function feed(answers: (ScoreDocument | null | ApiError)[], news = true) {
  const log = new ScoreLog();
  const [opened, asked, waits]: [Fake[], (number | null)[], number[]] = [[], [], []];
  let due: (() => void) | null = null;
  let ended = 0;
  const made = new ScoreFeed(log, {
    open(after) {
      if (!news) return null;
      opened.push(new Fake(after));
      return opened.at(-1) ?? null;
    },
    async ask(after) {
      asked.push(after);
      const answer = answers.shift() ?? null;
      if (answer instanceof ApiError) throw answer;
      return answer;
    },
    async sessionEnded() {
      ended += 1;
    },
    changed: () => {},
    later(act, ms) {
      waits.push(ms);
      due = act;
    },
  });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const next = async () => {
    const act = due ?? assert.fail("nothing waits");
    due = null;
    act();
    await settle();
  };
  return { log, feed: made, opened, asked, waits, next, settle, ended: () => ended, idle: () => due === null };
}

test("news is listened to from what is known, and goes on by itself", async () => {
  const one = feed([document("final", [1, 2])]);
  one.feed.start();
  await one.settle();
  assert.deepEqual([one.opened.map(({ after }) => after), one.feed.told, one.idle()], [[2], true, true]);
  one.opened[0]?.onmessage?.({ data: JSON.stringify(json("final", [3])) });
  assert.equal(one.log.last, 3);
  // An answer that ended: the browser comes back.
  one.opened[0]?.onerror?.();
  assert.deepEqual([one.feed.told, one.idle()], [true, true]);
});

test("where there is no news, the score is asked for, and news is tried again later and later", async () => {
  const one = feed(Array.from({ length: 40 }, () => document("final", [1])));
  one.feed.start();
  await one.settle();
  const refuse = () => {
    const now = one.opened.at(-1) ?? assert.fail();
    now.close();
    now.onerror?.();
  };
  const gaps: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const before = one.asked.length;
    refuse();
    await one.settle();
    while (!one.feed.told) await one.next();
    gaps.push(one.asked.length - before);
  }
  assert.deepEqual(gaps, [1, 2, 4, 8]);
});

test("a browser without server-sent events asks for ever", async () => {
  const one = feed([null, document("final", [1]), document("final", [1, 2])], false);
  one.feed.start();
  await one.settle();
  assert.equal(one.opened.length, 0);
  for (let round = 0; round < 5; round += 1) await one.next();
  assert.deepEqual([one.log.last, one.opened.length, one.waits.every((ms) => ms === 2000)], [2, 0, true]);
});

test("another match is asked for whole, and a lost session comes back first", async () => {
  const one = feed([
    document("semifinal", [1, 2, 3]),
    document("final", [1, 2], 9),
    new ApiError(401, "", "", null),
    document("final", [1, 2, 3], 10),
  ]);
  one.feed.start();
  await one.settle();
  one.opened[0]?.onmessage?.({ data: JSON.stringify(json("final", [4], 9)) });
  await one.settle();
  assert.deepEqual([one.asked, one.log.match?.match, one.opened.length], [[null, null], "final", 2]);
  one.opened[1]?.close();
  one.opened[1]?.onerror?.();
  await one.settle();
  assert.equal(one.ended(), 1);
  await one.next();
  assert.equal(one.log.last, 3);
});

test("what is no score ends the line, and nothing that is known is lost", async () => {
  const one = feed([document("final", [1, 2]), null]);
  one.feed.start();
  await one.settle();
  for (const data of ["{", "[]", 7]) {
    one.opened.at(-1)?.onmessage?.({ data });
    await one.settle();
    assert.equal(one.log.last, 2);
  }
  assert.equal(one.feed.told, false);
});
