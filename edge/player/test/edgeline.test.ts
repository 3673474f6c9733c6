import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { AGAIN_MS, AGAIN_MS_MAX, MESSAGE_LEN_MAX, OUTDONE, EdgeLine, type Socket } from "../src/edgeline";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

function line() {
  const sockets: Socket[] = [];
  const taken: string[] = [];
  const made = new EdgeLine({
    open() {
      const socket: Socket = { onmessage: null, onclose: null };
      sockets.push(socket);
      return socket;
    },
    read: (text) => (text.startsWith("bad") ? null : { nodes: [{ id: text, url: "http://a.example", up: true }], ttl_ms: null, line: true }),
    take: (nodes) => void taken.push(nodes.map(({ id }) => id).join()),
    random: () => 0,
  });
  made.start();
  return { made, sockets, taken };
}

test("what is told is taken, and what is no list is not", () => {
  const { made, sockets, taken } = line();
  assert.equal(made.told, false);
  for (const data of ["bad", new ArrayBuffer(2), "x".repeat(MESSAGE_LEN_MAX + 1)]) sockets[0]?.onmessage?.({ data });
  assert.deepEqual([made.told, taken], [false, []]);
  sockets[0]?.onmessage?.({ data: "a" });
  sockets[0]?.onmessage?.({ data: "b" });
  assert.deepEqual([made.told, taken], [true, ["a", "b"]]);
});

test("a line on which nothing is told is opened once", () => {
  const { made, sockets } = line();
  made.start();
  sockets[0]?.onclose?.({ code: 1006 });
  mock.timers.tick(10 * AGAIN_MS_MAX);
  assert.deepEqual([made.told, sockets.length], [false, 1]);
});

test("a line that told is opened again, later each time that it does not tell", () => {
  const { made, sockets, taken } = line();
  sockets[0]?.onmessage?.({ data: "a" });
  sockets[0]?.onclose?.({ code: 1006 });
  assert.equal(made.told, false, "the player asks meanwhile");
  let lines = 1;
  for (const ms of [AGAIN_MS, 2_000, 4_000, 8_000, 16_000, AGAIN_MS_MAX, AGAIN_MS_MAX]) {
    mock.timers.tick(ms - 1);
    assert.equal(sockets.length, lines);
    mock.timers.tick(1);
    lines += 1;
    assert.equal(sockets.length, lines);
    sockets.at(-1)?.onclose?.({ code: 1006 });
  }
  mock.timers.tick(AGAIN_MS_MAX);
  sockets.at(-1)?.onmessage?.({ data: "b" });
  assert.deepEqual([made.told, taken], [true, ["a", "b"]]);
  sockets.at(-1)?.onclose?.({ code: 1006 });
  mock.timers.tick(AGAIN_MS);
  assert.equal(sockets.length, lines + 2, "once it has told, it is opened again as soon as at first");
});

test("a line that others of the session took the place of is not opened again", () => {
  const { made, sockets } = line();
  sockets[0]?.onmessage?.({ data: "a" });
  sockets[0]?.onclose?.({ code: OUTDONE });
  mock.timers.tick(10 * AGAIN_MS_MAX);
  assert.deepEqual([made.told, sockets.length], [false, 1], "the player asks from then on");
});
