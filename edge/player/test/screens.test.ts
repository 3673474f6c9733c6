import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { AGAIN_MS, type Claim, deviceName, Lease, NONE_MS, parseScreens, RENEW_S, RENEW_S_MAX, RENEW_S_MIN, screenId, SCREENS_MAX } from "../src/screens";

const OTHER = { id: "other", name: "Firefox on Windows", since_ms: null };
const GRANTED: Claim = { kind: "granted", renew_s: 20 };

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A page with a lease, and an edge that says what the test has it say. */
function page(...answers: (Claim | "no-session")[]) {
  const told: string[] = [];
  let login: (() => void) | null = null;
  const lease = new Lease({
    claim: async (screen, again) => {
      told.push(`claim ${screen}${again ? " again" : ""}`);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === undefined || answer === "no-session") throw new Error("401");
      return answer;
    },
    stop: async (screen) => void told.push(`stop ${screen}`),
    release: (screen) => told.push(`release ${screen}`),
    id: () => "own",
    granted: () => told.push("granted"),
    full: (screens) => told.push(`full ${screens.map(({ id }) => id)}`),
    stopped: () => told.push("stopped"),
    noSession: () => new Promise((resolve) => (login = resolve)),
  });
  const since = async (run: () => unknown) => {
    told.length = 0;
    await run();
    await settled();
    return [...told];
  };
  return { lease, since, answers, logIn: () => login?.() };
}

const pass = (ms: number) => () => mock.timers.tick(ms);

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("a claim is made before playing, and renewed as often as the edge says, within bounds", async () => {
  for (const [said_s, renew_s] of [
    [20, 20],
    [null, RENEW_S],
    [0, RENEW_S_MIN],
    [1e9, RENEW_S_MAX],
  ] as const) {
    const { lease, since } = page({ kind: "granted", renew_s: said_s });
    assert.deepEqual(await since(() => lease.claim()), ["claim own", "granted"]);
    assert.deepEqual(await since(pass(renew_s * 1000 - 1)), []);
    assert.deepEqual(await since(pass(1)), ["claim own", "granted"]);
    lease.release();
  }
});

test("an edge that can't be asked never stops the picture, and is asked again soon", async () => {
  const { lease, since } = page(GRANTED, { kind: "unknown" }, { kind: "unknown" }, GRANTED);
  await since(() => lease.claim());
  assert.deepEqual(await since(pass(20_000)), ["claim own", "granted"]);
  assert.deepEqual(await since(pass(AGAIN_MS)), ["claim own", "granted"]);
  assert.deepEqual(await since(pass(AGAIN_MS)), ["claim own", "granted"]);
});

test("an edge that counts no screens lets all play, and is asked again much later", async () => {
  const { lease, since } = page({ kind: "none" });
  assert.deepEqual(await since(() => lease.claim()), ["claim own", "granted"]);
  assert.deepEqual(await since(pass(NONE_MS - 1)), []);
  assert.deepEqual(await since(pass(1)), ["claim own", "granted"]);
  assert.deepEqual(await since(() => lease.release()), []);
});

test("where others play, the page asks; after the choice it plays here", async () => {
  const { lease, since } = page({ kind: "full", screens: [OTHER] }, GRANTED);
  assert.deepEqual(await since(() => lease.claim()), ["claim own", "full other"]);
  assert.deepEqual(await since(pass(NONE_MS)), []);
  assert.deepEqual(await since(() => lease.insteadOf("other")), ["stop other", "claim own", "granted"]);
});

test("stopped elsewhere it says so once, and plays here again when it is asked to", async () => {
  const { lease, since } = page(GRANTED, { kind: "stopped" }, GRANTED);
  await since(() => lease.claim());
  assert.deepEqual(await since(pass(20_000)), ["claim own", "stopped"]);
  assert.deepEqual(await since(pass(NONE_MS)), []);
  assert.deepEqual(await since(() => lease.again()), ["claim own again", "granted"]);
});

test("without a session it waits for one", async () => {
  const { lease, since, answers, logIn } = page("no-session");
  assert.deepEqual(await since(() => void lease.claim()), ["claim own"]);
  answers[0] = GRANTED;
  assert.deepEqual(await since(logIn), ["claim own", "granted"]);
});

test("what was claimed is given back, once, and nothing is renewed after that", async () => {
  const { lease, since } = page(GRANTED);
  await since(() => lease.claim());
  assert.deepEqual(await since(() => lease.release()), ["release own"]);
  assert.deepEqual(await since(() => lease.release()), []);
  assert.deepEqual(await since(pass(NONE_MS)), []);
});

test("an answer that comes after the page went, or after a newer claim, changes nothing", async () => {
  const { lease, since } = page(GRANTED);
  assert.deepEqual(
    await since(() => {
      void lease.claim();
      lease.release();
    }),
    ["claim own"],
  );
  assert.deepEqual(
    await since(() => {
      void lease.claim();
      void lease.claim();
    }),
    ["claim own", "claim own", "granted"],
  );
});

test("a list of screens is read or left out", () => {
  const [good, iso] = [
    { id: "a", name: "Chrome on Linux", since: 1_795_000_000 },
    { id: "b", name: " ", since: "2026-11-20T10:52:00.000Z" },
  ];
  assert.deepEqual(parseScreens([good, iso, null, 7, { id: "<b>", name: "x" }, { name: "x" }]), [
    { id: "a", name: "Chrome on Linux", since_ms: 1_795_000_000_000 },
    { id: "b", name: "Another device", since_ms: 1_795_171_920_000 },
  ]);
  assert.deepEqual(parseScreens("x"), []);
  assert.equal(parseScreens([{ id: "a", name: "x".repeat(500), since: {} }])[0]?.name.length, 80);
  assert.equal(parseScreens(Array.from({ length: 100 }, () => good)).length, SCREENS_MAX);
});

test("a screen's id is 22 characters of base64url", () => {
  assert.equal(screenId(new Uint8Array(16).fill(255)), "_____________________w");
  assert.match(screenId(Uint8Array.from({ length: 16 }, (_, n) => n * 17)), /^[A-Za-z0-9_-]{22}$/);
});

test("devices have the names that people call them by", () => {
  const chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0";
  for (const [agent, name] of [
    [`Mozilla/5.0 (X11; Linux x86_64) ${chrome} Safari/537.36`, "Chrome on Linux"],
    [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${chrome} Safari/537.36`, "Chrome on Chromebook"],
    [`Mozilla/5.0 (Linux; Android 10; K) ${chrome} Mobile Safari/537.36`, "Chrome on Android"],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Safari/537.36 Edg/140.0.0.0`, "Edge on Windows"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari on Mac"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"],
    ["curl/8", "A browser"],
    ["", "A browser"],
  ] as const) {
    assert.equal(deviceName(agent), name, agent);
  }
});
